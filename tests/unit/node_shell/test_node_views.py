"""Views for people: hex, bech32m and decimal BILL, and nothing that a view may hold is missed."""

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, format_address
from ledger.types.block import Receipt
from node.client.views import FinalBlock, TransactionState, TransactionView, present

HASH = Hash(bytes(range(32)))
WHO = Address(bytes(32))


def test_amounts_become_decimal_bill_under_the_name_of_their_unit():
    view = TransactionView(HASH, TransactionState.FINAL, fee_units=Units(1_800_000), raw=b"\x01")
    shown = present(view, "dbill")
    assert shown["fee_bill"] == "1.800000"
    assert "fee_units" not in shown
    assert (shown["txid"], shown["raw"], shown["block_hash"]) == (HASH.hex(), "01", None)
    assert shown["state"] == "final"


def test_a_block_is_presented_to_its_leaves():
    receipt = Receipt(HASH, "bad_nonce", Units(100))
    block = FinalBlock(3, HASH, HASH, 4, 0, 5, WHO, (b"\xff",), (receipt,))
    shown = present(block, "dbill")
    assert shown["proposer"] == format_address(WHO, "dbill")
    assert shown["transactions"] == ["ff"]
    assert shown["receipts"] == [{"txid": HASH.hex(), "code": "bad_nonce", "fee_bill": "0.000100"}]
    assert (shown["height"], shown["view"], shown["time_ms"]) == (3, 4, 5)
