"""One engine on a rig: the test signs for everyone else and reads every effect.

The committee has four equal members unless told otherwise. `ask_me` is the engine under test; the
test may put any words into the mouths of the others.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from consensus.effects import Broadcast, Check, Effect, Misbehaviour, Persist, Send
from consensus.engine import Engine
from consensus.events import (
    CaughtUp,
    Checked,
    DeadlinePassed,
    Event,
    Received,
    Started,
    Verdict,
    WorkPending,
)
from consensus.journal import Record, decode_record
from consensus.leader import Schedule, first_seed
from consensus.messages import Certificate, Message, Proposal, Subject, ViewReport, Vote
from consensus.params import IGNORED_MAX_MS, Params
from consensus.quorum import assemble
from consensus.state import Floor
from consensus.types import BlockRef
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH, Domain, digest
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.network import CHAIN, EPOCH, GENESIS, judge, make_block, make_committee

T = TypeVar("T")


class EngineRig:
    """An engine, its disk, and the keys of all."""

    def __init__(
        self,
        stakes: Sequence[int] = (1, 1, 1, 1),
        *,
        leads: int | None = None,
        follows: int | None = None,
        observer: bool = False,
        params: Params | None = None,
        work: bool = True,
    ) -> None:
        """Put under test the leader of view `leads`, or one that leads neither 1 nor `follows`."""
        self.params = params or Params()
        self.committee, self.keys = make_committee(stakes)
        self.schedule = Schedule(first_seed(CHAIN), self.committee)
        if leads is not None:
            self.me = self.leader(leads)
        else:
            leaders = {self.leader(1), self.leader(follows or 1)}
            self.me = min(Member(m) for m in range(len(stakes)) if m not in leaders)
        self.observer = observer
        self.now_ms = 10_000
        self.records: list[Record] = []
        self.floor = Floor(GENESIS, None)
        self.effects: list[Effect] = []
        self.work = work
        self.engine = self.boot()

    def boot(self) -> Engine:
        """Start from the disk, as after a crash."""
        voter = not self.observer
        self.engine = Engine(
            self.params,
            CHAIN,
            EPOCH,
            self.committee,
            first_seed(CHAIN),
            self.me if voter else None,
            self.keys[self.me] if voter else None,
            self.floor,
            self.records,
        )
        self.do(Started())
        if self.work:
            started = list(self.effects)
            self.do(WorkPending(self.now_ms))
            self.effects = started + self.effects
        return self.engine

    # Driving.

    def do(self, event: Event, *, judged: bool = True) -> list[Effect]:
        """Handle an event and, unless told not to, check blocks as the toy application does."""
        self.effects = self.handle(event)
        while judged and (checks := [e for e in self.effects if isinstance(e, Check)]):
            self.effects = [e for e in self.effects if not isinstance(e, Check)]
            for check in checks:
                answer = Checked(check.view, check.block_hash, judge(check))
                self.effects += self.handle(answer)
        return self.effects

    def handle(self, event: Event) -> list[Effect]:
        effects = self.engine.handle(event, self.now_ms)
        self.records += [decode_record(e.record) for e in effects if isinstance(e, Persist)]
        return effects

    def hear(self, message: Message, sender: int | None = None) -> list[Effect]:
        """Receive a message, from its signer unless told otherwise."""
        if sender is None:
            if isinstance(message, Vote):
                sender = message.signer
            elif isinstance(message, Proposal):
                sender = message.vote.signer
            else:
                sender = self.others[0]
        return self.do(Received(Member(sender), message))

    def hear_all(self, messages: Iterable[Message]) -> list[Effect]:
        effects: list[Effect] = []
        for message in messages:
            effects += self.hear(message)
        self.effects = effects
        return effects

    def wait(self, ms: int) -> list[Effect]:
        """Let time pass, deadline by deadline, and gather what happens."""
        end_ms, effects = self.now_ms + ms, []
        while (due := self.engine.deadline_ms) is not None and due <= end_ms:
            assert due > self.now_ms
            self.now_ms = due
            effects += self.do(DeadlinePassed())
        self.now_ms = end_ms
        self.effects = effects
        return effects

    def pardon(self) -> None:
        """Let so much time pass that the engine listens to all again."""
        self.now_ms += IGNORED_MAX_MS

    # Words for others.

    @property
    def others(self) -> list[Member]:
        members = [Member(m) for m in range(len(self.keys))]
        return members if self.observer else [m for m in members if m != self.me]

    def leader(self, view: int) -> Member:
        return self.schedule.leader(View(view))

    def sign(self, subject: Subject, signer: int) -> Vote:
        signature = self.keys[signer].sign(subject.signing_bytes(CHAIN))
        return Vote(subject, Member(signer), signature)

    def certify(self, subject: Subject, signers: Sequence[int] | None = None) -> Certificate:
        """Make a certificate signed by the others, or by those named."""
        chosen = self.others if signers is None else [Member(m) for m in signers]
        signatures = {m: self.sign(subject, m).signature for m in chosen}
        certificate = assemble(self.committee, subject, signatures)
        assert certificate is not None
        return certificate

    def propose(
        self,
        view: int,
        parent: BlockRef = GENESIS,
        certificate: Certificate | None = None,
        nullifications: Sequence[Certificate] = (),
        note: bytes = b"good",
    ) -> Proposal:
        """Make the proposal of a view's true leader."""
        block_hash, payload = make_block(View(view), parent, note)
        about = Subject(VoteKind.NOTARIZE, EPOCH, View(view), parent.view, block_hash)
        vote = self.sign(about, self.leader(view))
        return Proposal(vote, parent.hash, payload, certificate, tuple(nullifications))

    def votes(self, subject: Subject, count: int | None = None) -> list[Vote]:
        """Make the others' votes on a subject."""
        return [self.sign(subject, m) for m in self.others[:count]]

    # Reading.

    def of(self, kind: type[T]) -> list[T]:
        """List the effects of one kind of the last step."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def said(self) -> list[Message]:
        """List the messages sent in the last step, to whomever."""
        return [e.message for e in self.effects if isinstance(e, Send | Broadcast)]

    def voted(self, kind: VoteKind) -> list[Subject]:
        """List the subjects that the engine voted on in the last step."""
        votes = [m for m in self.said() if isinstance(m, Vote)]
        return [vote.subject for vote in votes if vote.subject.kind is kind]

    def reasons(self) -> list[str]:
        return [offence.reason for offence in self.of(Misbehaviour)]


class Mute(EngineRig):
    """A rig whose engine has lost its journal."""

    def boot(self, *, silent: bool = True) -> Engine:
        self.records.clear()
        self.engine = Engine(
            self.params,
            CHAIN,
            EPOCH,
            self.committee,
            first_seed(CHAIN),
            self.me,
            self.keys[self.me],
            self.floor,
            self.records,
            silent=silent,
        )
        self.do(Started())
        begun = list(self.effects)
        self.do(WorkPending(self.now_ms))
        self.effects = begun + self.effects
        return self.engine

    def report(self, member: int, entered: int, vote: Vote | None = None) -> None:
        highest = self.certify(nullify(entered - 1)) if entered > 1 else None
        self.hear(ViewReport(EPOCH, highest, vote), member)

    def finalize(self, view: int) -> None:
        """Have block sync make a block of a view final here."""
        block_hash = digest(Domain.BLOCK, view.to_bytes(8, "big"))
        about = Subject(VoteKind.FINALIZE, EPOCH, View(view), View(view - 1), block_hash)
        self.do(CaughtUp(self.certify(about)))

    def check_again(self, *, vote: Vote | None = None) -> None:
        """Let the engine ask once more, and all the others answer."""
        self.wait(self.params.retry_ms)
        for member in self.others:
            self.hear(ViewReport(EPOCH, None, vote), member)


def nullify(view: int) -> Subject:
    """Name the skipping of a view."""
    return Subject(VoteKind.NULLIFY, EPOCH, View(view), View(0), ZERO_HASH)


def finalize(subject: Subject) -> Subject:
    """Name the finality of a notarized block."""
    return Subject(
        VoteKind.FINALIZE, subject.epoch, subject.view, subject.parent_view, subject.block_hash
    )


def ref(proposal: Proposal) -> BlockRef:
    """Name a proposed block."""
    return BlockRef(proposal.vote.subject.view, proposal.vote.subject.block_hash)


VALID = Verdict.VALID
