"""The oracle: the invariants of the protocol, checked after every simulated step (spec §3).

    I1  the signer's exclusions hold, across restarts        ballots
    I2  every vote that leaves is in synced storage
    I3  view, finalized view and floor only rise
    I4  finalize => notarization, and a durable valid body   chronicle judges bodies
    I5  notarize => the scheduled leader's valid block on a justified parent
    I6  over all signed votes: quorums agree                 ballots
    I7  final logs are prefixes of each other, states equal  chronicle
    I8  views skipped under final blocks are nullified       chronicle
    I9  nobody honest is slashable, or blamed                ballots, and warnings
    I10 memory and messages are bounded
    I11 idle is silent until the heartbeat                   simulation
    I12 same seed, same trace                                trace, and the tests
    TIME a block's date is bounded by honest clocks          block_times

Written apart from the product's predicates: of consensus it uses the wire types and the leader
schedule alone. What it knows of a node is what that node made durable or said. Views are meant
with their epochs: a later epoch's first view is above all of the one before. Committees, stakes
and leaders are those of the epoch that is spoken of, as the oracle itself works them out. A vote
names its signer by its seat in that epoch, and a process is named by its place in the topology.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from consensus.journal import Record, decode_record
from consensus.messages import Certificate, Message, Proposal, Subject, Vote
from ledger.primitives.codec import decode
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.store.schema import Finalized
from node.core import effects as node_effects
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.ballots import FINALIZE, NOTARIZE, NULLIFY, Ballots
from simulator.virtual.oracle.block_times import BlockTimes
from simulator.virtual.oracle.chronicle import Chronicle
from simulator.virtual.oracle.committees import Committees
from simulator.virtual.phrases import name_record, short
from simulator.virtual.process import Process
from simulator.virtual.topology import Topology
from simulator.virtual.trace import EPOCH_STEP, name_spot, spot

MEMORY_STRIDE: Final = 64
"""Memory is measured every so many steps of a process."""
ROUNDS_BESIDE_MAX: Final = 48
"""Rounds that may be kept beside those between floor and view."""
NODES_BESIDE_MAX: Final = 64
CERTIFICATE_BYTES_MAX: Final = 1_000_000


@dataclass(slots=True)
class Holdings:
    """What one node has made durable, as the oracle saw it, and how far it was."""

    votes: set[Subject] = field(default_factory=set)
    certificates: dict[tuple[int, int], Subject] = field(default_factory=dict)
    """By spot (epoch and view) and kind."""
    bodies: dict[tuple[int, Hash], Proposal] = field(default_factory=dict)
    """By spot and hash: an epoch's last block may be proposed in several views."""
    foreign: dict[tuple[int, int], set[Hash]] = field(default_factory=dict)
    """Blocks that others are known to have notarized, by spot and signer."""
    floor: tuple[int, Hash] = (0, Hash(b""))
    """The spot and hash of the block on which its epoch goes on."""
    final_spot: int = 0
    """The highest spot of which a finalization is durable."""
    current: int = 0
    """The highest spot in which it notarized or nullified."""
    seen: tuple[int, int, int] = (0, 0, 0)
    """View and finalized view, as spots, and height after the last step."""
    steps: int = 0


class Oracle:
    """Watches every process; raises a `Breach` the moment an invariant does not hold."""

    def __init__(
        self, topology: Topology, honest: set[Member], *, tolerates_forks: bool = False
    ) -> None:
        self.topology = topology
        self.committees = Committees(topology, honest)
        self.ballots = Ballots(self.committees, honest, tolerates_forks=tolerates_forks)
        self.chronicle = Chronicle(topology, self.ballots, tolerates_forks=tolerates_forks)
        self.holdings: dict[int, Holdings] = {}
        self.block_times = BlockTimes()
        self.committed_ms: dict[Hash, int] = {}
        self._tolerates_forks = tolerates_forks

    def leader(self, at: int) -> Member:
        """Name the seat that leads a view, given as a spot."""
        return self.committees.leader(*divmod(at, EPOCH_STEP))

    def who_leads(self, at: int) -> Member | None:
        """Name the member of the topology that leads a spot; None if its epoch is not settled."""
        epoch, known = at // EPOCH_STEP, self.committees
        return known.place(epoch, self.leader(at)) if known.knows(epoch) else None

    def is_own(self, process: Process, vote: Vote) -> bool:
        """Tell whether a vote is in the name of the process's member."""
        return self.committees.seat(vote.subject.epoch, process.member) == vote.signer

    def holding(self, process: Process) -> Holdings:
        """Find what a process holds."""
        if process.place not in self.holdings:
            self.holdings[process.place] = Holdings(floor=(0, self.chronicle.final[0]))
        return self.holdings[process.place]

    def is_owed_finality(self, process: Process) -> bool:
        """Tell whether a process holds the notarization of a block that it has not made final."""
        held = self.holding(process)
        return any(at > held.floor[0] and kind == NOTARIZE for at, kind in held.certificates)

    def distrust(self, process: Process) -> None:
        """Hold a process to nothing any more: its disk lies, or it wears a mask."""
        process.trusted = False
        self.ballots.honest.discard(process.member)

    # The witness's five duties.

    def began(self, process: Process, records: list[Record]) -> None:
        """Take in what the disk gave back, and judge votes that no sync had told of.

        A crash may keep what was never reported synced: such a vote will be sent all the same.
        """
        if not process.trusted:
            return
        held = self.holding(process)
        own = (record for record in records if isinstance(record, Vote))
        unknown = [v for v in own if self.is_own(process, v) and v.subject not in held.votes]
        for record in records:
            self._hold(process, record)
        for vote in unknown:
            self.ballots.add(vote.subject, vote.signer, vote.signature)
            # A leader's vote is written before its block, and a torn write may keep it alone. It
            # counts for nothing then: the block was sent to nobody, so nobody can vote for it.
            if not self._proposes(vote) or self._has_body(held, vote.subject):
                self._judge_vote(process, held, vote.subject)

    def _proposes(self, vote: Vote) -> bool:
        subject = vote.subject
        return int(subject.kind) == NOTARIZE and vote.signer == self.leader(spot_of(subject))

    @staticmethod
    def _has_body(held: Holdings, subject: Subject) -> bool:
        return (spot_of(subject), subject.block_hash) in held.bodies

    def synced(self, process: Process, records: list[bytes]) -> None:
        """Take in what is durable now, then judge the votes among it."""
        decoded = [decode_record(raw) for raw in records]
        for record in decoded:
            kind, view, text = name_record(record)
            if isinstance(record, Vote) and not self.is_own(process, record):
                kind, text = "keeps", f"{text} of {record.signer}"  # Evidence, and no vote of it.
            process.tell(kind, view, text)
        if not process.trusted:
            return
        held = self.holding(process)
        fresh = [subject for record in decoded if (subject := self._new_vote(process, record))]
        for record in decoded:
            self._hold(process, record)
        for subject in fresh:
            self._judge_vote(process, held, subject)

    def _new_vote(self, process: Process, record: Record) -> Subject | None:
        if not isinstance(record, Vote) or not self.is_own(process, record):
            return None
        subject = record.subject
        if subject in self.holding(process).votes:
            raise Breach("I1", f"v{process.place} signed {_name(subject)} a second time")
        self.ballots.add(subject, record.signer, record.signature)
        return subject

    def _hold(self, process: Process, record: Record) -> None:
        held = self.holding(process)
        match record:
            case Vote(subject=subject, signer=signer):
                if self.is_own(process, record):
                    held.votes.add(subject)
                elif int(subject.kind) == NOTARIZE:
                    seen = held.foreign.setdefault((spot_of(subject), signer), set())
                    seen.add(subject.block_hash)
            case Certificate(subject=subject):
                self._hold_certificate(held, record)
            case Proposal():
                about = record.vote.subject
                held.bodies[spot_of(about), about.block_hash] = record

    def _hold_certificate(self, held: Holdings, certificate: Certificate) -> None:
        subject = certificate.subject
        self._judge_certificate(certificate)
        held.certificates[spot_of(subject), int(subject.kind)] = subject
        if int(subject.kind) == FINALIZE:
            held.final_spot = max(held.final_spot, spot_of(subject))

    def _judge_certificate(self, certificate: Certificate) -> None:
        """A certificate that an honest node keeps is one that votes could make."""
        for member, signature in certificate.votes:
            self.ballots.add(certificate.subject, member, signature)
        members = [member for member, _ in certificate.votes]
        epoch = certificate.subject.epoch
        seated = {m for m in members if self.committees.key(epoch, m) is not None}
        stake = self.committees.stake(epoch, seated)
        enough = self.committees.is_quorum(epoch, stake)
        genuine = all(
            self.ballots.is_genuine(certificate.subject, member, signature)
            for member, signature in certificate.votes
        )
        if not enough or not genuine or len(set(members)) != len(members):
            raise Breach(
                "I6",
                f"a node keeps a certificate of {_name(certificate.subject)} "
                f"that {stake} of {self.committees.of(epoch).total} signed",
            )

    # Votes.

    def _judge_vote(self, process: Process, held: Holdings, subject: Subject) -> None:
        kind = int(subject.kind)
        if kind in (NOTARIZE, NULLIFY):
            if spot_of(subject) < held.current:
                raise Breach("I3", f"v{process.place} went back: {_name(subject)}")
            held.current = spot_of(subject)
        if kind == NULLIFY or self._tolerates_forks:
            return
        body = held.bodies.get((spot_of(subject), subject.block_hash))
        law = "I4" if kind == FINALIZE else "I5"
        if body is None:
            raise Breach(law, f"v{process.place} signed {_name(subject)} without a durable body")
        if why := self.chronicle.judge(body):
            raise Breach(law, f"v{process.place} signed {_name(subject)}, invalid: {why}")
        if kind == FINALIZE:
            leader = self.leader(spot_of(subject))
            if len(held.foreign.get((spot_of(subject), leader), ())) > 1:
                what = f"v{process.place} signed {_name(subject)}, and knows that its leader lied"
                raise Breach("R5", what)
            if not self._holds_notarization(process, held, spot_of(subject), subject.block_hash):
                raise Breach("I4", f"v{process.place} signed {_name(subject)}, not notarized")
        else:
            self._judge_parent(process, held, subject, body)
            if (dates := self.chronicle.dates(subject.block_hash)) is not None:
                self.block_times.judge_vote(process, *dates)

    def _holds_notarization(
        self, process: Process, held: Holdings, at: int, block_hash: Hash
    ) -> bool:
        """Find what proves a block notarized, or the durable votes that it follows from.

        After a restart two votes may be enough: one's own, and the leader's in its proposal.
        """
        proofs = (held.certificates.get((at, kind)) for kind in (NOTARIZE, FINALIZE))
        if any(proof is not None and proof.block_hash == block_hash for proof in proofs):
            return True
        body = held.bodies.get((at, block_hash))
        if body is None:
            return False
        voters, epoch = {body.vote.signer}, body.vote.subject.epoch
        seat = self.committees.seat(epoch, process.member)
        if seat is not None and body.vote.subject in held.votes:
            voters.add(seat)
        return self.committees.is_quorum(epoch, self.committees.stake(epoch, voters))

    def _judge_parent(
        self, process: Process, held: Holdings, subject: Subject, body: Proposal
    ) -> None:
        """I5: the leader's block, on a notarized parent, every view between them nullified."""
        where = f"v{process.place} signed {_name(subject)}"
        if body.vote.signer != self.leader(spot_of(subject)):
            raise Breach("I5", f"{where}, which v{body.vote.signer} proposed out of turn")
        parent = (spot(subject.epoch, subject.parent_view), body.parent_hash)
        if parent[0] < held.final_spot < spot_of(subject) and parent != held.floor:
            below = name_spot(held.final_spot)
            raise Breach("I5", f"{where} on view {subject.parent_view}, below final view {below}")
        if parent != held.floor and not self._holds_notarization(process, held, *parent):
            raise Breach("I5", f"{where} on {short(parent[1])}, not notarized")
        for at in range(parent[0] + 1, spot_of(subject)):
            if (at, NULLIFY) not in held.certificates:
                what = f"{where}, skipping view {name_spot(at)}, not nullified there"
                raise Breach("I5", what)

    # What is said.

    def saying(self, process: Process, message: Message) -> None:
        """I2: what bears a node's own vote leaves only when the vote is durable."""
        match message:
            case Vote():
                votes = [message]
            case Proposal(vote=vote):
                votes = [vote]
            case _:
                votes = []
        if not process.trusted:
            self._note(message, votes)
            return
        for vote in votes:
            if self.is_own(process, vote) and vote.subject not in self.holding(process).votes:
                what = f"v{process.place} sent {_name(vote.subject)} before it was durable"
                raise Breach("I2", what)

    def _note(self, message: Message, votes: Sequence[Vote]) -> None:
        """Count what liars sign: I6 and the evidence are over all signed votes."""
        for vote in votes:
            self.ballots.add(vote.subject, vote.signer, vote.signature)
        carried = [message] if isinstance(message, Certificate) else []
        if isinstance(message, Proposal):
            carried += [c for c in (message.parent, *message.nullifications) if c is not None]
        for certificate in carried:
            for member, signature in certificate.votes:
                self.ballots.add(certificate.subject, member, signature)

    # What is stored and blamed.

    def committed(self, process: Process, steps: tuple[Finalized, ...]) -> None:
        """I7 and I8, and the proof that comes with the last block."""
        if not process.trusted:
            return
        last = steps[-1]
        certificate = decode(last.finalization, Certificate, CERTIFICATE_BYTES_MAX)
        self._judge_certificate(certificate)
        if certificate.subject.block_hash != last.block.header.hash():
            raise Breach("I7", f"v{process.place} stored a block under another's finalization")
        for step in steps:
            self.chronicle.commit(process.place, step)
            self.block_times.judge_final(step.block.header)
            block_hash = step.block.header.hash()
            self.committed_ms.setdefault(block_hash, process.env.world.now_ms)
        held = self.holding(process)
        header = last.block.header
        at = spot(header.epoch, header.view)
        if header.height % self.topology.epoch_blocks == 0:
            at = spot(header.epoch + 1, 0)  # The next epoch begins on its predecessor's last block.
        held.floor = (at, header.hash())
        held.final_spot = max(held.final_spot, at)

    def warned(self, process: Process, warning: node_effects.Warn) -> None:
        """I9: the honest don't blame the honest."""
        blamed = warning.peer
        if process.trusted and blamed is not None and blamed in self.ballots.honest:
            raise Breach("I9", f"v{process.place} blames honest v{blamed}: {warning.text}")

    # Every step.

    def handled(self, process: Process) -> None:
        """I3 and I10, and that the ledger is where consensus thinks it is."""
        machine = process.machine
        if machine is None or not process.trusted:
            return
        self.block_times.saw(process)
        held, engine = self.holding(process), machine.engine
        head = process.store.head()
        assert head is not None
        final = spot(engine.epoch, engine.finalized_view)
        seen = (spot(engine.epoch, engine.view), final, head.height)
        if any(now < before for now, before in zip(seen, held.seen, strict=True)):
            raise Breach("I3", f"v{process.place} went back from {held.seen} to {seen}")
        if seen != held.seen:
            held.seen = seen
            floor = spot(engine.epoch, engine.floor.block.view)
            if floor != held.floor[0] or engine.floor.block.hash != head.hash:
                what = f"v{process.place} stores view {name_spot(held.floor[0])} as final, "
                raise Breach("I3", what + f"and consensus stands on {name_spot(floor)}")
        held.steps += 1
        if held.steps % MEMORY_STRIDE == 0:
            self._measure(process)

    def _measure(self, process: Process) -> None:
        """I10: memory follows the distance from floor to view, never what peers send."""
        assert process.machine is not None
        known = process.machine.engine.snapshot()
        kept, open_views = known.memory, known.view - known.floor.block.view
        votes = 3 * len(self.topology.keys)
        for what, count, most in (
            ("rounds", kept.rounds, open_views + ROUNDS_BESIDE_MAX),
            ("blocks", kept.bodies, 2 * open_views + NODES_BESIDE_MAX),
            ("leaders' proposals", kept.pending_proposals, open_views + ROUNDS_BESIDE_MAX),
            ("votes of one view", kept.votes_a_view_max, votes),
            ("subjects of one view", kept.subjects_a_view_max, votes),
            ("views in its guard", kept.signed_views, open_views + 1),
        ):
            if count > most:
                raise Breach("I10", f"v{process.place} keeps {count} {what}, more than {most}")


def spot_of(subject: Subject) -> int:
    """Say where a vote belongs, as one number."""
    return spot(subject.epoch, subject.view)


def _name(subject: Subject) -> str:
    block = "" if int(subject.kind) == NULLIFY else f" of {short(subject.block_hash)}"
    return f"{subject.kind.name.lower()}{block} in view {name_spot(spot_of(subject))}"
