"""The whole memory of an engine, and the few ways in which rules change it (spec §1.2).

Plain data: the rules are functions over it, in the modules named for what they decide. Monotone:
`view`, `floor` and `finalization` only ever go forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consensus.effects import Broadcast, Effect, Misbehaviour, Persist, Send
from consensus.fetching import Fetcher
from consensus.guard import Guard
from consensus.journal import Record, encode_record
from consensus.leader import Schedule
from consensus.messages import Certificate, Message
from consensus.params import VIEWS_KEPT, Params
from consensus.tree import ProposalNode, Tree
from consensus.types import GENESIS_VIEW, BlockRef
from consensus.view import Round, certified_block
from consensus.votes import Tally
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind


@dataclass(frozen=True, slots=True)
class Floor:
    """The newest block that is final and applied, with its proof; an epoch's first needs none."""

    block: BlockRef
    finalization: Certificate | None

    def __post_init__(self) -> None:
        """Hold the proof to its block."""
        assert (self.finalization is None) == (self.block.view == GENESIS_VIEW)
        assert self.finalization is None or certified_block(self.finalization) == self.block


def first_floor(block_hash: Hash) -> Floor:
    """Give the floor on which an epoch begins: the genesis, or the last epoch's boundary block."""
    return Floor(BlockRef(GENESIS_VIEW, block_hash), None)


@dataclass(slots=True)
class Peer:
    """What another member has shown of itself."""

    heard_ms: int = 0
    heard_view: View = GENESIS_VIEW
    spoke_ms: int = 0
    """When it last voted or proposed. One that may not vote asks and answers, but can't lead."""
    spoke_view: View = GENESIS_VIEW
    entered: View = GENESIS_VIEW
    """A view that it is known to have entered."""
    caught_up_ms: int | None = None
    """When it was last sent the newest certificates because it seemed to lack them."""
    window_ms: int = 0
    answers: int = 0
    ignored_until_ms: int = 0
    """It broke the protocol: nothing of it is looked at before."""
    ignored_ms: int = 0
    """How long that was, the last time."""


@dataclass(slots=True)
class Timers:
    """The clocks of the current view and of standstill; None means that one does not run."""

    armed_ms: int | None = None
    retry_ms: int | None = None
    share_ms: int | None = None
    share_view: View = GENESIS_VIEW
    standstill_ms: int | None = None
    standstill_wait_ms: int = 0


@dataclass(slots=True)
class NotarizedTip:
    """The highest notarized view, and when it came about here: the pace is kept by it."""

    view: View
    seen_ms: int = 0
    """When it was seen notarized."""
    block_ms: int = 0
    """When its block was seen proposed."""

    def rise(self, view: View, seen_ms: int, block_ms: int | None) -> None:
        """Move to a higher view; without a proposal its block came when it was seen."""
        if view > self.view:
            self.view, self.seen_ms = view, seen_ms
            self.block_ms = seen_ms if block_ms is None else block_ms


@dataclass(slots=True)
class SyncGoal:
    """The finalized view that block sync was asked to reach, and when it is asked again."""

    view: View = GENESIS_VIEW
    ask_ms: int = 0


@dataclass(slots=True)
class Silence:
    """What a validator knows that may not vote, because it may have forgotten votes of its own."""

    ask_ms: int = 0
    entered: dict[Member, View] = field(default_factory=dict)
    """The view that each other has shown to have entered."""
    bar: View | None = None
    """This validator has never voted in this view, nor in any above."""
    is_checking: bool = False
    checked: set[Member] = field(default_factory=set)
    """Who has answered since the bar was reached."""
    has_twin: bool = False
    """Another process votes with this key."""
    is_suspicious: bool = False
    """It remembers all that it signed, and yet met a vote of its key that it did not sign."""


@dataclass(slots=True)
class State:
    """Everything that an engine knows."""

    params: Params
    chain_id: Hash
    epoch: Epoch
    committee: Committee
    schedule: Schedule
    me: Member | None
    guard: Guard | None
    floor: Floor
    tree: Tree
    view: View
    peers: Mapping[Member, Peer]
    fetcher: Fetcher
    tip: NotarizedTip
    finalization: Certificate | None
    """The highest one seen; its block may not be here yet."""
    finalization_source: Member | None = None
    highest: Certificate | None = None
    """The certificate of the highest view: what let this validator enter the current one."""
    rounds: dict[View, Round] = field(default_factory=dict)
    touched: set[View] = field(default_factory=set)
    """Views of which something changed since R5 was last looked at."""
    building: tuple[View, BlockRef] | None = None
    sync: SyncGoal = field(default_factory=SyncGoal)
    work_since_ms: int | None = None
    timers: Timers = field(default_factory=Timers)
    now_ms: int = 0
    silence: Silence | None = None
    forks: set[View] = field(default_factory=set)
    """Views of which a fork was told."""
    replaying: bool = False
    effects: list[Effect] = field(default_factory=list)

    @property
    def finalized_view(self) -> View:
        """Give the highest view known to be finalized, applied or not."""
        return self.finalization.subject.view if self.finalization else self.floor.block.view

    @property
    def is_behind(self) -> bool:
        """Tell whether block sync was asked for what the floor has not reached yet."""
        return self.sync.view > self.floor.block.view

    @property
    def awaits_finality(self) -> bool:
        """Tell whether a notarized tip stays without finality."""
        return self.tip.view > self.finalized_view

    @property
    def may_vote(self) -> bool:
        """Tell whether this is a validator that knows of all its votes."""
        return self.me is not None and self.silence is None

    def is_due(self, due_ms: int | None) -> bool:
        """Tell whether a time has come; None never does."""
        return due_ms is not None and self.now_ms >= due_ms

    def round(self, view: View) -> Round:
        """Find or make the round of a view. Callers admit the view first."""
        if view not in self.rounds:
            self.rounds[view] = Round(view, Tally(self.committee, self.chain_id))
        return self.rounds[view]

    def persist(self, view: View, record: Record) -> None:
        """Ask for a record to be durable before anything that is sent from here on."""
        if not self.replaying:
            self.effects.append(Persist(self.epoch, view, encode_record(record)))

    def make_durable(self, node: ProposalNode) -> None:
        """Persist a block that a vote of ours vouches for, or that others may need from us."""
        if not node.durable:
            node.durable = True
            self.persist(node.proposal.vote.subject.view, node.proposal)

    def send(self, to: Member, message: Message) -> None:
        """Send to one member."""
        if not self.replaying:
            self.effects.append(Send(to, message))

    def broadcast(self, message: Message) -> None:
        """Send to every other member."""
        if not self.replaying:
            self.effects.append(Broadcast(message))

    def accuse(self, offence: Misbehaviour) -> None:
        """Report a member's offence."""
        self.effects.append(offence)

    def note_highest(self, certificate: Certificate, source: Member | None = None) -> None:
        """Note a certificate as the highest, and as the highest finalization, if it is that."""
        view = certificate.subject.view
        if self.highest is None or view > self.highest.subject.view:
            self.highest = certificate
        if certificate.subject.kind is VoteKind.FINALIZE and view > self.finalized_view:
            self.finalization, self.finalization_source = certificate, source
            self.timers.standstill_ms = None

    def move_floor(self, finalization: Certificate) -> None:
        """Make a finalized block the floor and forget what only led to it."""
        block = certified_block(finalization)
        assert block.view > self.floor.block.view, "the floor only rises"
        self.floor = Floor(block, finalization)
        self.tree.move_root(block)
        for known in self.rounds.values():
            if known.view <= block.view:
                known.proposal = None  # Its body lives in the tree, if anywhere.
        if self.guard is not None:
            self.guard.raise_floor(block.view)
        for view in [v for v in self.rounds if v < block.view - VIEWS_KEPT]:
            del self.rounds[view]
            self.forks.discard(view)

    def is_over(self, view: View) -> bool:
        """Tell whether a certificate ends this view here."""
        known = self.rounds.get(view)
        return view <= self.finalized_view or (known is not None and bool(known.certificates))

    def notarized_at(self, view: View) -> Certificate | None:
        """Find what proves a view's block fit to build on: the floor's proof included."""
        if view == self.floor.block.view:
            return self.floor.finalization
        known = self.rounds.get(view)
        return known.notarization if known else None

    def is_nullified(self, view: View) -> bool:
        """Tell whether a nullification of the view is held."""
        known = self.rounds.get(view)
        return known is not None and VoteKind.NULLIFY in known.certificates
