"""The ledger as an application, in the words of ABCI 2.0, over the tree of executed blocks.

    check_tx            `check`            may this transaction wait for a block?
    prepare_proposal    `prepare`          make a block on this parent
    process_proposal    `parse`, `check_header`, `execute`   is this block what it claims?
    finalize_block      `finalize`         this block and its ancestors can't be undone
    commit              `settle`           ... and they are in the store now

Another engine could drive the ledger through these. No signature is checked here: `claims` and
`unverified` say what is to be verified, elsewhere, first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from consensus import vrf as ecvrf
from consensus.effects import Build, Check
from consensus.leader import draw_bytes
from consensus.messages import Certificate
from consensus.vrf import VrfOutput, VrfProof
from ledger.errors.base import LedgerFault
from ledger.primitives.codec import encode
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.primitives.merkle import merkle_root
from ledger.primitives.scalars import View
from ledger.rules.claims import Claim
from ledger.state import Overlay, Reader
from ledger.state.tables import account
from ledger.store.chain import ChainStore
from ledger.store.schema import Finalized
from ledger.transition import (
    BlockContext,
    Execution,
    apply_block,
    check_transaction,
    select_transactions,
    signature_claims,
    transactions_root,
)
from ledger.types.block import BLOCK_BYTES_MAX, Block, Header, decode_block
from ledger.types.staking import SubmitEvidence
from ledger.types.transaction import Transaction, TxId, decode_transaction
from node.core.blocktree import BlockTree, ChainHead, Executed
from node.core.draws import Drawer, Vrf
from node.core.mempool import Mempool
from node.core.plans import plan_after
from node.core.verifier import Verifier, fingerprint

HEADER_BYTES_MAX: Final = 1_024
CLOCK_DRIFT_MS: Final = 2_000
"""How far ahead of this node's clock a block's time may be."""
TIME_STEP_MS: Final = 1
"""The least step from a parent's time to a block's: how chain time creeps while it is ahead."""
PROPOSAL_COUNT_MAX: Final = 1_000
"""How many transactions this node proposes at once. A block may hold more; but one that takes a
busy machine longer than a view lasts is made, checked and thrown away by all."""
CANDIDATES_MAX: Final = 2_000
"""The most waiting transactions that one proposal looks at."""


class BlockFault(Exception):
    """A block is not what it claims to be. The text says in what."""


class EarlyBlock(BlockFault):
    """A block is dated too far ahead of this node's clock. Another clock may allow it."""


class ForkFault(BlockFault):
    """Blocks that a quorum finalized stand beside those that are final here."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A block that decodes and hashes to its name, not executed yet."""

    hash: Hash
    raw: bytes
    block: Block
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A block of our own, executed; `refused` can't stand in any block any more."""

    hash: Hash
    raw: bytes
    included: tuple[TxId, ...]
    refused: tuple[TxId, ...]


class Application:
    """The ledger above one store. It holds no secret: who makes a block brings the drawer."""

    def __init__(self, chain_id: Hash, store: ChainStore, vrf: Vrf = ecvrf) -> None:
        head = store.head()
        assert head is not None, "a store begins with a genesis"
        self.chain_id = chain_id
        self.store = store
        self._vrf = vrf
        self._tree = BlockTree(ChainHead(Hash(head.hash), head.height, head.time_ms), store)
        self.plan = plan_after(store, head.height)

    @property
    def height(self) -> int:
        """Give the height of the last final block."""
        return self._tree.tip.height

    @property
    def tip(self) -> ChainHead:
        """Give hash, height and time of the last final block."""
        return self._tree.tip

    @property
    def state(self) -> Reader:
        """Give the state after the last final block."""
        return self._tree.final_state

    @property
    def is_epoch_over(self) -> bool:
        """Tell whether the epoch's last block is final, and the next epoch is to begin."""
        return self.height == self.plan.boundary

    def begin_epoch(self) -> None:
        """Go on to the epoch after the one that is over."""
        assert self.is_epoch_over, "an epoch ends with its boundary block"
        self.plan = plan_after(self.state, self.height)

    def last_of_epoch(self, height: int) -> int:
        """Give the boundary of the epoch that a height belongs to."""
        length = self.plan.boundary - self.plan.first + 1
        return max(height + length - 1, length) // length * length

    def is_boundary(self, block_hash: Hash) -> bool:
        """Tell whether a block that was executed here is the last of its epoch."""
        facts = self._tree.header_facts(block_hash)
        return facts is not None and facts.height == self.plan.boundary

    def can_build_on(self, block_hash: Hash) -> bool:
        """Tell whether the state after a block is here, so that a child can be executed."""
        return self._tree.state_after(block_hash) is not None

    def settle(self) -> None:
        """All blocks that were final before this call are in the store."""
        self._tree.settle()

    # Transactions.

    def nonce(self, sender: Address) -> int:
        """Give the nonce that the final state expects of a sender."""
        return account(self._tree.final_state, sender).nonce

    def check(self, transaction: Transaction) -> None:
        """Raise the `LedgerFault` that the transaction would meet, its place in order aside."""
        expected = self.nonce(transaction.sender)
        # A nonce ahead of the state waits in the pool, which knows what comes before it.
        ahead = max(transaction.intent.nonce, expected)
        check_transaction(self._tree.final_state, transaction, self.height + 1, ahead)

    def claims(self, transaction: Transaction) -> Sequence[Claim]:
        """List the signatures that must hold; raise a `LedgerFault` if a place is wrong."""
        return signature_claims(transaction, self.chain_id)

    # Blocks of our own.

    def prepare(
        self, build: Build, mempool: Mempool, clock_ms: int, drawer: Drawer
    ) -> Prepared | None:
        """Make and execute a block on the parent from what waits.

        None if the drawer can't draw for the view. Nothing follows an epoch's last block but
        itself, until it is final.
        """
        if self.is_boundary(build.parent_hash):
            return Prepared(build.parent_hash, b"", (), ())
        draw = drawer.draw(self.plan, build.view)
        if draw is None:
            return None
        parent = self._tree.header_facts(build.parent_hash)
        state = self._tree.state_after(build.parent_hash)
        assert parent is not None, "consensus builds on executed blocks"
        assert state is not None, "what has a header has a state"
        owner = self.plan.owner(build.view)
        context = BlockContext(
            self.chain_id,
            parent.height + 1,
            max(clock_ms, parent.time_ms + TIME_STEP_MS),
            owner,
            draw.drawn,
        )
        execution = Execution(Overlay(state), context)
        candidates = list(_in_turn(mempool, execution.overlay))
        selection = select_transactions(
            execution,
            [(raw, transaction) for _, raw, transaction in candidates],
            bytes_max=BLOCK_BYTES_MAX - HEADER_BYTES_MAX,
            count_max=PROPOSAL_COUNT_MAX,
        )
        outcome = execution.finish()
        taken = set(selection.included)
        included = [(txid, tx) for txid, raw, tx in candidates if raw in taken]
        header = Header(
            chain_id=self.chain_id,
            epoch=self.plan.epoch,
            view=build.view,
            height=context.height,
            parent_view=build.parent_view,
            parent_hash=build.parent_hash,
            time_ms=context.time_ms,
            proposer=owner,
            transactions_root=transactions_root(selection.included),
            receipts_root=outcome.receipts_root,
            state_root=outcome.state_root,
            committee_hash=self.plan.committee.hash,
            next_committee_hash=self.plan.next_hash,
            evidence_root=evidence_root([tx for _, tx in included]),
            vrf_proof=draw.proof,
        )
        block = Block(header, selection.included)
        executed = Executed(
            header.hash(),
            encode(block),
            block,
            tuple(transaction for _, transaction in included),
            outcome.receipts,
            outcome.parties,
            execution.overlay,
        )
        self._tree.add(executed)
        refused = tuple(candidates[number][0] for number, _ in selection.refused)
        return Prepared(executed.hash, executed.raw, tuple(txid for txid, _ in included), refused)

    # Blocks of others.

    def parse(self, raw: bytes, block_hash: Hash) -> Parsed:
        """Decode a block; raise `BlockFault` unless it is well-formed and has this hash."""
        executed = self._tree.get(block_hash)
        if executed is not None and executed.raw == raw:
            return Parsed(block_hash, executed.raw, executed.block, executed.transactions)
        parsed = _parse(raw)
        if parsed.hash != block_hash:
            raise BlockFault("it is not the block that was voted on")
        return parsed

    def unverified(self, parsed: Parsed, verifier: Verifier) -> list[tuple[Hash, Sequence[Claim]]]:
        """List what must be verified before the block may be executed."""
        if self._is_executed(parsed):
            return []
        try:
            return [
                (mark, signature_claims(transaction, self.chain_id))
                for raw, transaction in zip(
                    parsed.block.transactions, parsed.transactions, strict=True
                )
                if not verifier.knows(mark := fingerprint(raw))
            ]
        except LedgerFault as fault:
            raise BlockFault(str(fault)) from fault

    def check_header(self, parsed: Parsed, check: Check, clock_ms: int) -> None:
        """Raise `BlockFault` unless the header stands where consensus says, at a possible time.

        `EarlyBlock` if nothing but the time is wrong.
        """
        header = parsed.block.header
        if (header.view, header.parent_view) != (check.view, check.parent_view):
            raise BlockFault(f"its header is of view {header.view} on {header.parent_view}")
        if header.parent_hash != check.parent_hash:
            raise BlockFault("its header names another parent")
        if header.epoch == self.plan.epoch and header.proposer != self.plan.owner(check.view):
            raise BlockFault("its fees would go to another than its leader")
        # What a quorum has certified was judged by its clocks: then this node's is the slow one.
        if not check.is_certified and header.time_ms > self._time_ms_max(parsed, clock_ms):
            raise EarlyBlock(f"its time is {header.time_ms - clock_ms} ms ahead of this node's")

    def _time_ms_max(self, parsed: Parsed, clock_ms: int) -> int:
        """Give the latest time that a block may bear for its leader to get this node's vote.

        A parent's time was judged by a quorum. If it is ahead of this clock, the chain must go on
        all the same, by the least step, until real time is there (docs/adr/0009).
        """
        parent = self._tree.header_facts(parsed.block.header.parent_hash)
        follows_ms = 0 if parent is None else parent.time_ms + TIME_STEP_MS
        return max(clock_ms + CLOCK_DRIFT_MS, follows_ms)

    def execute(self, parsed: Parsed) -> None:
        """Execute a block on its parent; raise `BlockFault` unless it gives what it claims."""
        if self._is_executed(parsed):
            return
        header = parsed.block.header
        parent = self._tree.header_facts(header.parent_hash)
        state = self._tree.state_after(header.parent_hash)
        if parent is None or state is None:
            raise BlockFault("its parent was not executed here")
        self._check_commitments(header, parsed, parent)
        overlay = Overlay(state)
        drawn = self._drawn(header)
        context = BlockContext(self.chain_id, header.height, header.time_ms, header.proposer, drawn)
        try:
            outcome = apply_block(overlay, context, parsed.transactions)
        except LedgerFault as fault:
            raise BlockFault(f"it holds what no block may hold: {fault}") from fault
        if outcome.receipts_root != header.receipts_root:
            raise BlockFault("its receipts are not what executing it gives")
        if outcome.state_root != header.state_root:
            raise BlockFault("its state root is not what executing it gives")
        self._tree.add(
            Executed(
                parsed.hash,
                parsed.raw,
                parsed.block,
                parsed.transactions,
                outcome.receipts,
                outcome.parties,
                overlay,
            )
        )

    def _is_executed(self, parsed: Parsed) -> bool:
        """Tell whether these very bytes were executed: a hash is the header's alone."""
        executed = self._tree.get(parsed.hash)
        return executed is not None and executed.raw == parsed.raw

    def _check_commitments(self, header: Header, parsed: Parsed, parent: ChainHead) -> None:
        """Raise `BlockFault` unless what the header says without execution holds."""
        plan = self.plan
        if header.chain_id != self.chain_id or header.epoch != plan.epoch:
            raise BlockFault("it is of another chain or epoch")
        if header.height != parent.height + 1 or header.time_ms <= parent.time_ms:
            raise BlockFault("its height or time does not follow its parent's")
        if header.height > plan.boundary:
            raise BlockFault("its epoch is over: nothing but the boundary block comes again")
        if (header.committee_hash, header.next_committee_hash) != (
            plan.committee.hash,
            plan.next_hash,
        ):
            raise BlockFault("its committees are not this epoch's and the next")
        if header.evidence_root != evidence_root(parsed.transactions):
            raise BlockFault("its evidence is not that which it commits to")
        if header.transactions_root != transactions_root(parsed.block.transactions):
            raise BlockFault("its transactions are not those that it commits to")

    # Draws.

    def _drawn(self, header: Header) -> VrfOutput:
        """Give what a header's leader drew; raise `BlockFault` unless it proves its one draw.

        The view is the header's: a boundary block that comes again in a later view, proposed by
        another, keeps the draw of the leader who made it.
        """
        proof, key = VrfProof(header.vrf_proof), self.plan.vrf_key(header.view)
        alpha = draw_bytes(self.plan.seed, self.plan.epoch, View(header.view))
        drawn = self._vrf.verify(key, alpha, proof)
        if drawn is None:
            raise BlockFault("its VRF proof is not its leader's for this view")
        return drawn

    # Finality.

    def finalize(self, finalization: Certificate) -> tuple[Finalized, ...]:
        """Make a block and its ancestors final; give those that were not, lowest first."""
        chain = self._tree.finalize(finalization.subject.block_hash)
        return tuple(
            Finalized(
                executed.block,
                executed.raw,
                executed.transactions,
                executed.receipts,
                executed.parties,
                executed.overlay.changes,
                executed.overlay.accumulator,
                encode(finalization) if executed is chain[-1] else b"",
            )
            for executed in chain
        )

    def is_final(self, block_hash: Hash) -> bool:
        """Tell whether a block is final here."""
        return block_hash == self.tip.hash or self.store.height_of(block_hash) is not None

    def beyond_head(self, raws: Sequence[bytes]) -> list[Parsed]:
        """Parse the blocks of a sync reply that are above the head; raise `BlockFault`."""
        return [p for p in map(_parse, raws) if p.block.header.height > self.height]

    def check_chain(self, blocks: Sequence[Parsed], finalization: Certificate) -> None:
        """Raise `BlockFault` unless the blocks lead from the head to the finalized one."""
        for earlier, later in pairwise(blocks):
            if later.block.header.parent_hash != earlier.hash:
                raise BlockFault("synced blocks do not lead from one to the next")
        if blocks[-1].hash != finalization.subject.block_hash:
            raise BlockFault("synced blocks do not end at the finalized one")
        first = blocks[0].block.header
        if first.parent_hash != self.tip.hash:
            if first.height == self.height + 1:
                raise ForkFault("synced blocks are final and stand beside the head")
            raise BlockFault("synced blocks do not lead on from the head")


def evidence_root(transactions: Sequence[Transaction]) -> Hash:
    """Commit to the evidence that a block holds: the bodies, in order, whatever became of them."""
    bodies = (transaction.intent.body for transaction in transactions)
    return merkle_root([encode(body) for body in bodies if isinstance(body, SubmitEvidence)])


def _parse(raw: bytes) -> Parsed:
    try:
        block = decode_block(raw)
        transactions = tuple(map(decode_transaction, block.transactions))
    except PrimitiveFault as fault:
        raise BlockFault(f"it does not decode: {fault}") from fault
    return Parsed(block.header.hash(), raw, block, transactions)


def _in_turn(mempool: Mempool, state: Overlay) -> Iterator[tuple[TxId, bytes, Transaction]]:
    """Walk what could go into the next block: each sender's unbroken run from its nonce on."""
    left = CANDIDATES_MAX
    for sender, by_nonce in mempool.queues():
        nonce = account(state, sender).nonce
        while left and (waiting := by_nonce.get(nonce)) is not None:
            yield waiting.id, waiting.raw, waiting.transaction
            nonce += 1
            left -= 1
