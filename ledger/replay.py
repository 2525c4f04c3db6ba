"""Replay: execute a chain again from its genesis, and compare every root (invariants 9 and 12).

The state is kept in memory, so this is for audits and tests. Signatures are verified if a verifier
is given; a caller that trusts the finalizations gives none.
"""

from collections.abc import Callable, Iterable, Sequence

from ledger.errors.base import LedgerFault
from ledger.genesis import Genesis, genesis_hash, genesis_state
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Signature
from ledger.state.overlay import Overlay
from ledger.transition import (
    BlockContext,
    BlockOutcome,
    apply_block,
    signature_claims,
    transactions_root,
)
from ledger.types.block import Block
from ledger.types.transaction import Transaction, decode_transaction

Verify = Callable[[Sequence[tuple[PublicKey, bytes, Signature]]], Sequence[bool]]
"""Tells of each claimed signature whether it holds."""

Draw = Callable[[bytes], bytes]
"""Gives what a header's VRF proof drew. The caller brings it, since the ledger has no VRF."""


Seen = Callable[[Block, Sequence[Transaction], BlockOutcome], None]
"""Called for every block whose roots agree, with what executing it gave."""


class _Flat:
    """A whole state in one dictionary: a block's changes are folded in when it is done."""

    def __init__(self, overlay: Overlay) -> None:
        self._cells: dict[bytes, bytes] = {}
        self.accumulator = b""
        self.absorb(overlay)

    def get(self, key: bytes) -> bytes | None:
        return self._cells.get(key)

    def absorb(self, overlay: Overlay) -> None:
        # Read before the cells change: an overlay folds in the values that it replaces.
        self.accumulator = overlay.accumulator
        for key, value in overlay.changes.items():
            if value is None:
                self._cells.pop(key, None)
            else:
                self._cells[key] = value


def replay(
    genesis: Genesis,
    blocks: Iterable[Block],
    verify: Verify | None = None,
    draw: Draw | None = None,
    seen: Seen | None = None,
) -> list[str]:
    """Execute blocks 1, 2, ... again; give what the first wrong one says and does not give.

    `seen` is told of each before that. An empty list says that every header's roots are what
    executing its block gives.
    """
    state, parent = _Flat(genesis_state(genesis)), genesis_hash(genesis)
    for height, block in enumerate(blocks, 1):
        header = block.header
        if (header.height, header.parent_hash) != (height, parent):
            return [f"block {header.height} does not follow block {height - 1}"]
        overlay = Overlay(state)
        try:
            transactions = [decode_transaction(raw) for raw in block.transactions]
            outcome, why = _execute(genesis.chain_id, overlay, block, transactions, verify, draw)
        except (LedgerFault, PrimitiveFault) as fault:
            return [f"block {height}: it holds what no block may hold: {fault}"]
        if why:
            return [f"block {height}: {each}" for each in why]
        if seen is not None and outcome is not None:
            seen(block, transactions, outcome)
        state.absorb(overlay)
        parent = header.hash()
    return []


def _execute(
    chain: Hash,
    overlay: Overlay,
    block: Block,
    transactions: Sequence[Transaction],
    verify: Verify | None,
    draw: Draw | None,
) -> tuple[BlockOutcome | None, list[str]]:
    """Execute a block; give what it gave, and which of that it says otherwise."""
    header = block.header
    if verify is not None and not _all_signed(chain, transactions, verify):
        return None, ["a signature does not hold"]
    proof = header.vrf_proof
    drawn = draw(proof) if proof and draw is not None else b""
    context = BlockContext(chain, header.height, header.time_ms, header.proposer, drawn)
    outcome = apply_block(overlay, context, transactions)
    pairs = (
        ("transactions", transactions_root(block.transactions), header.transactions_root),
        ("receipts", outcome.receipts_root, header.receipts_root),
        ("state", outcome.state_root, header.state_root),
    )
    return outcome, [
        f"its {name} root is another than it says" for name, got, said in pairs if got != said
    ]


def _all_signed(chain: Hash, transactions: Iterable[Transaction], verify: Verify) -> bool:
    claims = [claim for each in transactions for claim in signature_claims(each, chain)]
    return all(verify(claims))
