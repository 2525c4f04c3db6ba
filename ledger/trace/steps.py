"""Steps of a trace: the transaction that made something, and the block that it stands in.

A step is sought in the history of who sent it, in the one block that the state names; so nobody's
other transactions are looked at. Where a body is pruned the block is known, its transaction is not.
"""

from collections.abc import Callable
from typing import Final

from ledger.errors.store import NoMilkBehind, PrunedBlock
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import Address
from ledger.rules.context import Call
from ledger.store.chain import ChainStore
from ledger.types.milk import PackLot
from ledger.types.trace import TraceStep
from ledger.types.transaction import Transaction, decode_transaction
from ledger.types.window import MintWindow, RollWindow, WindowClaim

_PAGE: Final = 64
"""How many entries of a history are read at once; a step looks at its own block's alone."""

Wanted = Callable[[Transaction], bool]


def packs(pack: Hash) -> Wanted:
    """Want the transaction that filled a product lot."""
    return lambda transaction: (
        isinstance(transaction.intent.body, PackLot) and _pack_id(transaction) == pack
    )


def _pack_id(transaction: Transaction) -> Hash:
    return Call(transaction.sender, transaction.intent.nonce, 0).name(Domain.PRODUCT)


def mints(lot_id: Hash) -> Wanted:
    """Want the transaction that minted a lot."""

    def wanted(transaction: Transaction) -> bool:
        claim = claim_of(transaction)
        return claim is not None and claim.lot_id() == lot_id

    return wanted


def claim_of(transaction: Transaction) -> WindowClaim | None:
    """Give the claim of a transaction that mints; None for any other."""
    match transaction.intent.body:
        case MintWindow(claim=claim):
            return claim
        case RollWindow(mint=mint):
            return mint.claim
        case _:
            return None


def subject_of(transaction: Transaction) -> Hash:
    """Say what the trace of a transaction that is no sale goes on from."""
    match transaction.intent.body:
        case MintWindow() | RollWindow():
            claim = claim_of(transaction)
            assert claim is not None
            return claim.lot_id()
        case PackLot():
            return _pack_id(transaction)
        case _:
            raise NoMilkBehind(txid=transaction.id.hex(), why="it redeems none")


def find_transaction(store: ChainStore, txid: Hash) -> tuple[Transaction, TraceStep] | None:
    """Find a transaction that took effect, and its step; None if the id is of something else."""
    record = store.transaction(txid)
    if record is None:
        return None
    if record.receipt.code:
        raise NoMilkBehind(txid=txid.hex(), why=f"it failed: {record.receipt.code}")
    return decode_transaction(record.raw), step_at(store, record.height, txid)


def read_transaction(store: ChainStore, txid: Hash) -> tuple[Transaction, TraceStep] | None:
    """Read a transaction that took effect; None if it failed, or its body is pruned."""
    try:
        record = store.transaction(txid)
        if record is None or record.receipt.code:
            return None
        return decode_transaction(record.raw), step_at(store, record.height, txid)
    except (PrunedBlock, PrimitiveFault):
        return None  # A damaged store shows less; `billcoin audit` says why.


def seek(
    store: ChainStore, sender: Address, height: int, wanted: Wanted
) -> tuple[Transaction, TraceStep] | None:
    """Find the transaction of one block that made something, in the history of who sent it."""
    before = (height + 1, 0)
    while entries := store.history(sender, before, _PAGE):
        for entry in entries:
            if entry.height < height:
                return None
            found = read_transaction(store, entry.txid)
            if found is not None and wanted(found[0]):
                return found
        before = (entries[-1].height, entries[-1].index)
    return None


def seek_step(store: ChainStore, sender: Address, height: int, wanted: Wanted) -> TraceStep:
    """Say where something was made; without its transaction where its body is pruned."""
    found = seek(store, sender, height, wanted)
    return step_at(store, height) if found is None else found[1]


def step_at(store: ChainStore, height: int, txid: Hash | None = None) -> TraceStep:
    """Say where a final block stands."""
    header = store.header(height)
    assert header is not None, "what happened, happened in a block"
    return TraceStep(height, header.hash(), header.time_ms, txid)
