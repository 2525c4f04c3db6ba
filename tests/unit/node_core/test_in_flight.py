"""A mark lasts exactly as long as a block that holds the transaction may become final."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.primitives.hashing import Hash
from ledger.types.transaction import TxId
from node.core.in_flight import InFlight

IDS = [TxId(Hash(bytes([n]) * 32)) for n in range(6)]
BLOCKS = st.lists(st.tuples(st.integers(1, 8), st.sets(st.sampled_from(IDS))), max_size=20)


@given(BLOCKS, st.sets(st.integers(1, 8)))
def test_marked_is_what_a_live_view_holds(
    blocks: list[tuple[int, set[TxId]]], over: set[int]
) -> None:
    marks = InFlight()
    for view, txids in blocks:
        marks.mark(view, sorted(txids))
    marks.release(lambda view: view in over)
    held = {txid for view, txids in blocks if view not in over for txid in txids}
    assert {txid for txid in IDS if txid in marks} == held
