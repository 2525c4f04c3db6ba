"""The engine: one event in, effects out (spec §1.3).

Handling an event first notes what it says, then settles: the rules are tried in order until none
has anything to do. A rule acts at most once on the same facts, so settling ends.
"""

from collections.abc import Callable, Sequence
from typing import Final

from consensus import (
    certifying,
    following,
    forks,
    pacing,
    proposing,
    restoring,
    sharing,
    silence,
    voting,
)
from consensus.effects import Effect, Misbehaviour
from consensus.errors import PeerFault
from consensus.events import (
    Built,
    CaughtUp,
    Checked,
    DeadlinePassed,
    Event,
    Received,
    Started,
    WorkPending,
)
from consensus.fetching import Fetcher
from consensus.guard import Guard
from consensus.intake import take_message
from consensus.journal import Record
from consensus.leader import Schedule
from consensus.messages import Message
from consensus.params import IGNORED_FIRST_MS, IGNORED_MAX_MS, Params
from consensus.snapshot import EngineSnapshot, take_snapshot
from consensus.state import Floor, NotarizedTip, Peer, Silence, State
from consensus.tree import Tree
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import SigningKey
from ledger.primitives.scalars import Epoch, View

_RULES: Final[tuple[Callable[[State], bool], ...]] = (
    certifying.enter,
    following.apply_final,
    forks.watch_for_fork,
    voting.vote_final,
    following.check_blocks,
    voting.notarize,
    pacing.arm,
    voting.nullify,
    proposing.propose,
)
"""What follows from the state, each tried until none acts. Votes go out before new work begins."""

_TIMED: Final[tuple[tuple[Callable[[State], int | None], Callable[[State], None]], ...]] = (
    (silence.ask_due_ms, silence.ask),
    (pacing.retry_due_ms, pacing.retry),
    (pacing.stand_up_due_ms, pacing.stand_up),
    (sharing.share_due_ms, sharing.share),
    (following.sync_due_ms, following.fall_behind),
    (following.fetch_due_ms, following.fetch),
)
"""What time brings, and when. Each is tried once an event, when the rules have settled."""

_SETTLE_MAX: Final = 10_000
"""More rounds of rules than one event can ever cause: past it, a rule undoes another."""


class Engine:
    """One validator's, or observer's, part in the consensus of one epoch."""

    __slots__ = ("_started", "_state")

    def __init__(
        self,
        params: Params,
        chain_id: Hash,
        epoch: Epoch,
        committee: Committee,
        seed: Hash,
        me: Member | None,
        key: SigningKey | None,
        floor: Floor,
        records: Sequence[Record] = (),
        *,
        silent: bool = False,
        has_twin: bool = False,
    ) -> None:
        """Take up from the floor and the epoch's records; nothing happens before `Started`.

        - `params`: times in milliseconds, the same on every validator.
        - `chain_id`: the genesis's digest; votes are signed for this chain alone.
        - `epoch`, `committee`, `seed`: which epoch, who votes in it, and what orders its leaders.
        - `me`, `key`: the member as which it votes, and its key; both None for an observer.
        - `floor`: the newest block that is final and applied. A new epoch's is the boundary block
          of the last one, at view 0.
        - `records`: what the journal holds of this epoch, in order.
        - `silent`: records of own votes may be missing, so none is cast before that is safe.
        - `has_twin`: another process was heard to vote with the key, so it never is.
        """
        assert (me is None) == (key is None), "a validator has a key, an observer has none"
        assert me is None or key is None or committee.seats[me].key == key.public
        others = [Member(m) for m in range(len(committee.seats)) if m != me]
        self._started = False
        self._state = State(
            params=params,
            chain_id=chain_id,
            epoch=epoch,
            committee=committee,
            schedule=Schedule(seed, committee),
            me=me,
            guard=Guard(key, me, chain_id) if key is not None and me is not None else None,
            floor=floor,
            tree=Tree(floor.block),
            view=View(floor.block.view + 1),
            peers={member: Peer() for member in others},
            fetcher=Fetcher(params, me, len(committee.seats)),
            finalization=floor.finalization,
            highest=floor.finalization,
            tip=NotarizedTip(floor.block.view),
            silence=Silence(has_twin=has_twin) if silent else None,
        )
        restoring.replay(self._state, records)

    def snapshot(self) -> EngineSnapshot:
        """Give all that there is to see, copied: for oracles and tools. It costs what it copies."""
        return take_snapshot(self._state)

    @property
    def epoch(self) -> Epoch:
        """Give the epoch that this engine runs."""
        return self._state.epoch

    @property
    def me(self) -> Member | None:
        """Give the member as which this engine votes; None if it observes."""
        return self._state.me

    @property
    def is_silent(self) -> bool:
        """Tell whether votes may have been forgotten, so that none is cast (spec §2.4)."""
        return self._state.silence is not None

    @property
    def has_twin(self) -> bool:
        """Tell whether another process votes with this validator's key."""
        return self._state.silence is not None and self._state.silence.has_twin

    def resume_voting(self) -> None:
        """Vote from here on, whatever votes may have been forgotten (against spec §2.4).

        The caller answers for it that none of them can matter. No node ever calls this: it is how
        a simulated liar goes on lying when it meets what its twin has signed. The signer guard
        still refuses whatever contradicts the votes that are remembered.
        """
        self._state.silence = None

    def is_freed_by(self, boundary_view: View) -> bool:
        """Tell whether the epoch's end, by a block first made in this view, ends the silence."""
        return silence.is_freed_by(self._state, boundary_view)

    @property
    def view(self) -> View:
        """Give the current view."""
        return self._state.view

    @property
    def floor(self) -> Floor:
        """Give the newest block that is final and applied."""
        return self._state.floor

    @property
    def finalized_view(self) -> View:
        """Give the highest view known to be final, applied or not."""
        return self._state.finalized_view

    def is_over(self, view: int) -> bool:
        """Tell whether no block of the view can become final any more, or one that counts has.

        A view that was nullified and yet notarized is not over: others may build on its block.
        """
        s = self._state
        at = View(view)
        if at <= s.floor.block.view:
            return True
        return s.is_nullified(at) and s.notarized_at(at) is None

    @property
    def leader(self) -> Member:
        """Name the leader of the current view."""
        return self._state.schedule.leader(self._state.view)

    @property
    def deadline_ms(self) -> int | None:
        """Give when to send `DeadlinePassed`, if nothing else happens before.

        In milliseconds, by the clock of `handle`'s `now_ms`, and always after the latest of it.
        None: nothing is due until something is heard, or `Started` has not been handled yet.
        """
        return _deadline_ms(self._state) if self._started else None

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take an event in and give what is to be done about it, in this order.

        `event` is one of `consensus.events`; the first is `Started`, once. `now_ms` counts
        milliseconds from any beginning; an earlier time than before counts as the latest.

        Carry the effects out one after the other: what a `Persist` holds is on stable storage
        before any `Send` or `Broadcast` behind it leaves. Answer a `Build` by `Built`, a `Check`
        by `Checked`, a `Behind` by `CaughtUp`; an answer may come late, or never.

        No message raises: what a peer did wrong is a `Misbehaviour` among the effects. What raises
        is a bug here (`AssertionError`, `GuardBreach`): end the process, and vote no more.
        """
        s = self._state
        s.now_ms = max(s.now_ms, now_ms)  # A clock set back stops time; it never turns it round.
        assert self._started or isinstance(event, Started), "the first event is Started"
        silence.end(s)
        match event:
            case Started():
                self._start()
            case DeadlinePassed():
                pass
            case Received(sender=sender, message=message):
                _receive(s, sender, message)
            case Built():
                proposing.take_built(s, event)
            case Checked():
                following.take_checked(s, event)
            case WorkPending(since_ms=since_ms):
                s.work_since_ms = since_ms
            case CaughtUp(finalization=finalization):
                following.take_caught_up(s, finalization)
        _settle(s)
        effects, s.effects = s.effects, []
        return effects

    def _start(self) -> None:
        """Start the clocks; after a crash, say again what was said before it."""
        assert not self._started, "an engine starts once"
        self._started = True
        s = self._state
        certifying.enter(s)
        s.tip.seen_ms = s.tip.block_ms = s.now_ms
        for peer in s.peers.values():
            peer.heard_ms, peer.heard_view = s.now_ms, s.view
            peer.spoke_ms, peer.spoke_view = s.now_ms, s.view
        restoring.speak_again(s)


def _receive(s: State, sender: Member, message: Message) -> None:
    peer = s.peers.get(sender)
    if peer is not None and s.now_ms < peer.ignored_until_ms:
        return
    try:
        take_message(s, sender, message)
    except PeerFault as fault:
        s.accuse(Misbehaviour(sender, str(fault), None))
        if peer is not None:
            _ignore(s, peer)


def _ignore(s: State, peer: Peer) -> None:
    """Stop listening to an offender for a while: to look at more of the same costs too much."""
    if s.now_ms >= peer.ignored_until_ms + IGNORED_MAX_MS:
        peer.ignored_ms = 0
    peer.ignored_ms = min(max(IGNORED_FIRST_MS, 2 * peer.ignored_ms), IGNORED_MAX_MS)
    peer.ignored_until_ms = s.now_ms + peer.ignored_ms


def _settle(s: State) -> None:
    for _ in range(_SETTLE_MAX):
        for rule in _RULES:
            if rule(s):
                break
        else:
            break
    else:
        raise AssertionError("the rules do not settle")
    for _, act in _TIMED:
        act(s)


def _deadline_ms(s: State) -> int | None:
    """Give the next time at which anything may be due; what is due already waits for an event."""
    times = [due_ms(s) for due_ms, _ in _TIMED] + pacing.view_times_ms(s)
    return min([t for t in times if t is not None and t > s.now_ms], default=None)
