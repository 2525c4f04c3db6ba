"""The oracle's own chain: it executes every block once, and knows what is final (I7, I8).

Shares the ledger's transition with the product, and none of the join: what a valid block is, and
what follows from finality, is stated here again.
"""

from dataclasses import dataclass, field
from typing import Final

from consensus.messages import Proposal
from ledger.errors.base import LedgerFault
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify_many
from ledger.state import Overlay, state_root
from ledger.store.schema import Finalized
from ledger.transition import (
    BlockContext,
    apply_block,
    signature_claims,
    transactions_root,
)
from ledger.types.block import Block, Header, decode_block
from ledger.types.transaction import decode_transaction
from simulator.virtual.disk import CellStore
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.ballots import Ballots
from simulator.virtual.oracle.committees import Committees
from simulator.virtual.phrases import short
from simulator.virtual.topology import Topology

LAG_BLOCKS: Final = 24
"""The flat state lies so far below the final tip: those who lag may still vote beside it."""


class FlatState:
    """The state after a block that is final everywhere that matters, as one flat map."""

    def __init__(self, store: CellStore) -> None:
        self.cells = dict(store.state())
        self.accumulator = store.accumulator

    def get(self, key: bytes) -> bytes | None:
        """Give the value under a key, or None."""
        return self.cells.get(key)

    def apply(self, overlay: Overlay) -> None:
        """Fold a block's changes in."""
        for key, value in overlay.changes.items():
            if value is None:
                self.cells.pop(key, None)
            else:
                self.cells[key] = value
        self.accumulator = overlay.accumulator


@dataclass(slots=True)
class Judged:
    """A block that the oracle executed: why it is invalid, or the state after it."""

    header: Header
    why: str
    overlay: Overlay | None


@dataclass(slots=True)
class Chronicle:
    """Blocks by hash, and the one final chain."""

    topology: Topology
    ballots: Ballots
    final: list[Hash] = field(default_factory=list)
    """The hashes of final blocks, by height."""
    forks: list[str] = field(default_factory=list)
    tolerates_forks: bool = False
    transactions: dict[bytes, int] = field(default_factory=dict)
    """Heights of final transactions, by id."""
    _judged: dict[Hash, Judged] = field(default_factory=dict)
    _open: dict[Hash, Judged] = field(default_factory=dict)
    """Blocks above the flat state that can be built on."""
    _flat: FlatState | None = None
    _base: Header | None = None
    """The block that the flat state is after."""

    def begin(self, store: CellStore) -> None:
        """Take the genesis from a store that holds nothing else."""
        stored = store.block(0)
        assert stored is not None
        self._base = stored.block.header
        self._flat = FlatState(store)
        self.final.append(self._base.hash())

    @property
    def committees(self) -> Committees:
        """Give the committees that blocks are held to."""
        return self.ballots.committees

    def dates(self, block_hash: Hash) -> tuple[Header, int | None] | None:
        """Give a judged block's header and its parent's date, if that is known."""
        known = self._judged.get(block_hash)
        if known is None:
            return None
        parent = self._parent(known.header.parent_hash)
        return known.header, None if parent is None else parent[0].time_ms

    # Validity.

    def judge(self, proposal: Proposal) -> str:
        """Say why a proposed block is invalid, or nothing if it is valid (I4, I5)."""
        subject = proposal.vote.subject
        if proposal.parent_hash == subject.block_hash:
            return self._judge_again(proposal)
        known = self._judged.get(subject.block_hash)
        if known is None:
            try:
                block = decode_block(proposal.payload)
            except PrimitiveFault:
                return "its body does not decode"
            if block.header.hash() != subject.block_hash:
                return "its body is not what its hash names"
            assert self._base is not None
            if block.header.height <= self._base.height:
                return ""  # Too old to be executed here: what is final there is long settled.
            if self._parent(block.header.parent_hash) is None:
                return "nothing valid is known under its parent's hash"
            known = self._execute(block)
        header = known.header
        if (header.view, header.parent_view) != (subject.view, subject.parent_view):
            return "its header is of another view"
        if header.epoch != subject.epoch:
            return "its header is of another epoch"
        if header.parent_hash != proposal.parent_hash:
            return "its header has another parent"
        if header.proposer != self.committees.owner(subject.epoch, proposal.vote.signer):
            return "its fees go astray"
        return known.why

    def _judge_again(self, proposal: Proposal) -> str:
        """An epoch's last block may be proposed again, by its hash alone, until it is final."""
        subject = proposal.vote.subject
        known = self._judged.get(subject.block_hash)
        if known is None or known.why:
            return "it proposes again what was never valid"
        if known.header.height % self.topology.epoch_blocks or proposal.payload:
            return "it proposes again what is not the last block of an epoch"
        return "" if known.header.epoch == subject.epoch else "its header is of another epoch"

    def _execute(self, block: Block) -> Judged:
        overlay: Overlay | None = None
        why = self._why_headed_wrong(block)
        if not why:
            overlay, why = self._run(block)
        block_hash = block.header.hash()
        judged = self._judged[block_hash] = Judged(block.header, why, overlay)
        if overlay is not None:
            self._open[block_hash] = judged
        return judged

    def _parent(self, block_hash: Hash) -> tuple[Header, Overlay | FlatState] | None:
        assert self._flat is not None
        assert self._base is not None
        if block_hash == self._base.hash():
            return self._base, self._flat
        judged = self._open.get(block_hash)
        if judged is None or judged.overlay is None:
            return None
        return judged.header, judged.overlay

    def _why_headed_wrong(self, block: Block) -> str:
        header = block.header
        parent = self._parent(header.parent_hash)
        assert parent is not None
        if header.height != parent[0].height + 1:
            return "its height does not follow its parent's"
        if header.time_ms <= parent[0].time_ms:
            return "its time does not follow its parent's"
        epoch = (header.height - 1) // self.topology.epoch_blocks
        if header.chain_id != self.topology.chain_id or header.epoch != epoch:
            return "it is of another chain or epoch"
        seated, following = (self.committees.of(epoch + ahead).committee for ahead in (0, 1))
        if (header.committee_hash, header.next_committee_hash) != (seated.hash, following.hash):
            return "it names another committee"
        if self.committees.drawn(header) is None:
            return "its leader's draw is not proven"
        if header.transactions_root != transactions_root(block.transactions):
            return "it does not commit to its transactions"
        return ""

    def _run(self, block: Block) -> tuple[Overlay | None, str]:
        header = block.header
        parent = self._parent(header.parent_hash)
        assert parent is not None
        try:
            transactions = [decode_transaction(raw) for raw in block.transactions]
            for transaction in transactions:
                if not all(verify_many(signature_claims(transaction, self.topology.chain_id))):
                    return None, "a transaction is signed wrongly"
            overlay = Overlay(parent[1])
            context = BlockContext(
                header.chain_id,
                header.height,
                header.time_ms,
                header.proposer,
                self.committees.drawn(header) or b"",
            )
            outcome = apply_block(overlay, context, transactions)
        except (PrimitiveFault, LedgerFault) as fault:
            return None, str(fault)
        if outcome.receipts_root != header.receipts_root:
            return None, "its receipts are others"
        if outcome.state_root != header.state_root:
            return None, "its state root is another"
        return overlay, ""

    # Finality.

    def commit(self, place: int, step: Finalized) -> None:
        """Hold a block that a node stored as final against what is final elsewhere."""
        header = step.block.header
        height, block_hash = header.height, header.hash()
        if state_root(step.accumulator) != header.state_root:
            raise Breach("I7", f"v{place} stored another state than height {height} commits to")
        if height < len(self.final):
            if self.final[height] != block_hash:
                self._fork(
                    f"v{place} finalized {short(block_hash)} at height {height}, where "
                    f"{short(self.final[height])} is final"
                )
            return
        if height > len(self.final) or header.parent_hash != self.final[-1]:
            self._fork(f"v{place} finalized {short(block_hash)}, which leads from no final block")
            return
        self._extend(place, step, block_hash)

    def _extend(self, place: int, step: Finalized, block_hash: Hash) -> None:
        header = step.block.header
        judged = self._judged.get(block_hash)
        if self.tolerates_forks and (judged is None or judged.overlay is None):
            self.final.append(block_hash)  # One side's chain: only its hashes are compared.
            return
        if judged is None or judged.why:
            why = judged.why if judged else "nobody honest voted for it"
            raise Breach("I4", f"v{place} finalized {short(block_hash)}, invalid: {why}")
        for view in range(header.parent_view + 1, header.view):
            if not self.ballots.is_skipped(header.epoch, view):
                what = f"{short(block_hash)} of view {header.view} skips view {view}, not nullified"
                raise Breach("I8", what)
        assert judged.overlay is not None, "a block above the final tip is still open"
        if judged.overlay.accumulator != step.accumulator:
            raise Breach("I7", f"v{place} stored a state that executing the block does not give")
        self.final.append(block_hash)
        if self.committees.book.read(header.height, step.transactions, step.receipts):
            self.committees.book.compare(judged.overlay)
        self.committees.follow(header)
        self._fold()
        for receipt in step.receipts:
            self.transactions[receipt.txid] = header.height

    def _fold(self) -> None:
        """Let the flat state follow the final tip from afar; what stood beside it is gone."""
        height = len(self.final) - 1 - LAG_BLOCKS
        if height <= 0:
            return
        assert self._flat is not None
        folded = self._open[self.final[height]]
        assert folded.overlay is not None
        self._flat.apply(folded.overlay)
        self._base = folded.header
        for block_hash, judged in list(self._open.items()):
            if judged.header.height <= height:
                judged.overlay = None
                del self._open[block_hash]
            elif judged.header.parent_hash == self.final[height] and judged.overlay is not None:
                judged.overlay.adopt(self._flat)

    def _fork(self, what: str) -> None:
        if not self.tolerates_forks:
            raise Breach("I7", what)
        self.forks.append(what)

    @property
    def height(self) -> int:
        """Give the height of the highest block that is final anywhere."""
        return len(self.final) - 1
