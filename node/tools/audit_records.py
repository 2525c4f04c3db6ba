"""Which records of a state are not what the blocks give: the place of what an invariant only feels.

Executes the chain into memory, so it is for chains that are replayed anyway, and is asked only
after the state was found wrong while blocks and replay are right.
"""

from collections.abc import Iterable
from typing import Final

from consensus.vrf import VrfProof, proof_to_hash
from ledger.genesis import Genesis
from ledger.primitives.codec import encode
from ledger.state import tables
from ledger.state.overlay import Overlay
from ledger.state.table import Table
from ledger.store import Finalized, MemoryStore
from ledger.store.chain import ChainStore
from ledger.transition import BlockContext, apply_block
from ledger.types.block import Block
from ledger.types.transaction import decode_transaction
from node.tools.findings import Findings

TABLE_NAMES: Final = {
    table.prefix: name.lower().replace("_", " ")
    for name, table in vars(tables).items()
    if isinstance(table, Table)
}


def drawn(proof: bytes) -> bytes:
    """Give what a header's VRF proof drew; the walk over the blocks verifies whose it is."""
    return proof_to_hash(VrfProof(proof)) or b""


def tell_records(
    store: ChainStore, genesis: Genesis, blocks: Iterable[Block], findings: Findings
) -> None:
    """Tell of every record that differs from what executing the blocks gives."""
    given = dict(_execute(genesis, blocks).state())
    for key, value in store.state():
        expected = given.pop(key, None)
        if expected is None:
            findings.tell(_name(key), "no block made it")
        elif expected != value:
            findings.tell(_name(key), "it is not what the blocks give")
    for key in given:
        findings.tell(_name(key), "it is missing")


def _name(key: bytes) -> str:
    table = TABLE_NAMES.get(key[:1], f"under {key[:1]!r}")
    return f"record of {table} {key[1:].hex()}".rstrip()


def _execute(genesis: Genesis, blocks: Iterable[Block]) -> MemoryStore:
    """Make a store of the chain. The replay went before: nothing in it is refused."""
    store = MemoryStore()
    store.init_genesis(genesis)
    for block in blocks:
        header = block.header
        overlay = Overlay(store)
        transactions = [decode_transaction(raw) for raw in block.transactions]
        draw = drawn(header.vrf_proof)
        context = BlockContext(
            genesis.chain_id, header.height, header.time_ms, header.proposer, draw
        )
        outcome = apply_block(overlay, context, transactions)
        step = Finalized(
            block,
            encode(block),
            transactions,
            outcome.receipts,
            outcome.parties,
            overlay.changes,
            overlay.accumulator,
        )
        store.commit([step])
    return store
