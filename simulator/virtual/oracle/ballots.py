"""Every vote that anyone signed, and what follows from all of them together (I1, I6, I9).

Written apart from the product: stake is summed here, signing bytes are packed here, and what
excludes what is stated here again, from the specification's text. A vote names its signer by its
seat in the vote's epoch; the guilty and the honest are named by their place in the topology.
"""

from dataclasses import dataclass, field
from struct import pack
from typing import Final

from consensus.messages import Subject
from ledger.primitives import keys
from ledger.primitives.committee import Member
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.committees import Committees
from simulator.virtual.phrases import short
from simulator.virtual.trace import name_spot, spot

NOTARIZE: Final = 1
NULLIFY: Final = 2
FINALIZE: Final = 3

Round = tuple[int, int]
"""Epoch and view."""


def exclude_each_other(one: Subject, other: Subject) -> bool:
    """Tell whether nobody honest signs both, given that they are of one epoch and view.

    Two hashes notarized; two hashes finalized; nullify and finalize; notarize c and finalize c'.
    """
    kinds = {int(one.kind), int(other.kind)}
    if kinds in ({NULLIFY}, {NOTARIZE, NULLIFY}):
        return False
    if kinds == {NULLIFY, FINALIZE}:
        return True
    return (one.block_hash, one.parent_view) != (other.block_hash, other.parent_view)


def cannot_both_reach(one: Subject, other: Subject) -> bool:
    """Tell whether two quorums in one view break safety (I6)."""
    return exclude_each_other(one, other)


@dataclass(slots=True)
class Ballots:
    """All genuine votes by view."""

    committees: Committees
    honest: set[Member]
    """Those whose exclusive votes are a breach; the others' are noted."""
    stakes: dict[Subject, int] = field(default_factory=dict)
    signers: dict[Subject, set[Member]] = field(default_factory=dict)
    reached: dict[Round, list[Subject]] = field(default_factory=dict)
    guilty: dict[Member, tuple[Subject, Subject]] = field(default_factory=dict)
    _of_member: dict[tuple[int, int, Member], list[Subject]] = field(default_factory=dict)
    forks: list[str] = field(default_factory=list)
    tolerates_forks: bool = False
    """A coalition that may fork is at work: note forks instead of raising."""

    def is_genuine(self, subject: Subject, member: Member, signature: bytes) -> bool:
        """Verify a vote over bytes that are packed here, not by the product."""
        public = self.committees.key(subject.epoch, member)
        if public is None:
            return False
        text = b"BILLCOIN/vote/1" + self.committees.topology.chain_id
        text += pack(">BQQQ", subject.kind, subject.epoch, subject.view, subject.parent_view)
        return keys.verify(public, text + subject.block_hash, keys.Signature(signature))

    def add(self, subject: Subject, member: Member, signature: bytes) -> None:
        """Count a vote if it is genuine and new; raise a `Breach` for what it completes."""
        signers = self.signers.setdefault(subject, set())
        if member in signers or not self.is_genuine(subject, member, signature):
            return
        signers.add(member)
        self._judge_member(subject, member)
        before = self.stakes.get(subject, 0)
        after = self.stakes[subject] = before + self.committees.stake(subject.epoch, {member})
        if not self._is_quorum(subject, before) and self._is_quorum(subject, after):
            self._judge_quorum(subject)

    def _is_quorum(self, subject: Subject, stake: int) -> bool:
        return self.committees.is_quorum(subject.epoch, stake)

    def _judge_member(self, subject: Subject, member: Member) -> None:
        """I1 and I9: nobody honest signs what excludes what it signed before."""
        earlier = self._of_member.setdefault((subject.epoch, subject.view, member), [])
        place = self.committees.place(subject.epoch, member)
        for other in earlier:
            if exclude_each_other(other, subject):
                if place in self.honest:
                    what = f"v{place} is honest and signed {_name(other)} and {_name(subject)}"
                    raise Breach("I1", what)
                self.guilty.setdefault(place, (other, subject))
        earlier.append(subject)

    def _judge_quorum(self, subject: Subject) -> None:
        """I6: in one view, what reached a quorum agrees."""
        others = self.reached.setdefault((subject.epoch, subject.view), [])
        for other in others:
            if cannot_both_reach(other, subject):
                what = f"quorums signed both {_name(other)} and {_name(subject)}"
                if not self.tolerates_forks:
                    raise Breach("I6", what)
                self.forks.append(what)
        others.append(subject)

    def has_quorum(self, subject: Subject) -> bool:
        """Tell whether the votes on a subject are of more than two thirds of all stake."""
        return self._is_quorum(subject, self.stakes.get(subject, 0))

    def is_skipped(self, epoch: int, view: int) -> bool:
        """Tell whether a quorum nullified a view."""
        return any(int(s.kind) == NULLIFY for s in self.reached.get((epoch, view), ()))

    def is_certified(self, epoch: int, view: int, block_hash: bytes) -> bool:
        """Tell whether a quorum notarized or finalized this block in a view."""
        reached = self.reached.get((epoch, view), ())
        return any(s.block_hash == block_hash and int(s.kind) != NULLIFY for s in reached)


def _name(subject: Subject) -> str:
    block = "" if int(subject.kind) == NULLIFY else f" of {short(subject.block_hash)}"
    where = name_spot(spot(subject.epoch, subject.view))
    return f"{subject.kind.name.lower()}{block} in view {where}"
