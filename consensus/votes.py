"""The votes of one view: one a signer and kind, counted by subject, verified late (spec §1.6).

A signature costs a hundred times what a dictionary entry costs, so votes wait unverified until,
together with the verified ones, they could make a quorum. Then they are verified together, and
those that fail are dropped. The first vote of a signer and kind stands for ever: a later one
can't replace it, it can only prove an equivocation. So the memory of a view is three votes for
each member, whatever peers send.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from consensus.messages import Certificate, Subject, Vote
from consensus.quorum import assemble, stake_of
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Signature, verify_many
from ledger.primitives.votes import VoteKind

_KINDS: Final = tuple(VoteKind)


def are_exclusive(one: Subject, other: Subject) -> bool:
    """Tell whether signing both makes a member slashable (spec §4.3).

    Within a view: two blocks notarized, two finalized, one finalized beside another notarized,
    and a finalize beside a nullify. Notarize and nullify together are legal.
    """
    if (one.epoch, one.view) != (other.epoch, other.view):
        return False
    kinds = {one.kind, other.kind}
    if len(kinds) == 1:
        return one != other
    if kinds == {VoteKind.NULLIFY, VoteKind.FINALIZE}:
        return True
    if kinds == {VoteKind.NOTARIZE, VoteKind.FINALIZE}:
        return (one.parent_view, one.block_hash) != (other.parent_view, other.block_hash)
    return False


class VoteAdmission(Enum):
    """What became of a vote that was offered."""

    COUNTED = "counted"
    REPEATED = "repeated"
    """The same again: its sender has not seen what came of it."""
    CONFLICTING = "conflicting"
    """Another subject than this signer's first vote of the kind: not counted."""


@dataclass(slots=True)
class Tally:
    """The votes of one view."""

    committee: Committee
    chain_id: Hash
    first: dict[tuple[VoteKind, Member], Vote] = field(default_factory=dict)
    _verified: dict[Subject, dict[Member, Signature]] = field(default_factory=dict)
    _pending: dict[Subject, dict[Member, Signature]] = field(default_factory=dict)

    def admit(self, vote: Vote, *, verified: bool) -> VoteAdmission:
        """Take a vote in, once a signer and kind."""
        slot = (vote.subject.kind, vote.signer)
        if slot in self.first:
            same = self.first[slot].subject == vote.subject
            return VoteAdmission.REPEATED if same else VoteAdmission.CONFLICTING
        self.first[slot] = vote
        pool = self._verified if verified else self._pending
        pool.setdefault(vote.subject, {})[vote.signer] = vote.signature
        return VoteAdmission.COUNTED

    @property
    def subjects(self) -> int:
        """Count what votes are counted for, verified or not."""
        return len(self._verified.keys() | self._pending.keys())

    def rival(self, vote: Vote) -> Vote | None:
        """Find an earlier vote of the signer that may not stand beside this one."""
        for kind in _KINDS:
            earlier = self.first.get((kind, vote.signer))
            if earlier is not None and are_exclusive(earlier.subject, vote.subject):
                return earlier
        return None

    def certify(self, subject: Subject) -> tuple[Certificate | None, list[Member]]:
        """Make the subject's certificate if its votes allow; name those who signed wrongly.

        No signature is looked at before all votes in hand, if genuine, would reach the quorum.
        """
        pending = self._pending.get(subject, {})
        verified = self._verified.setdefault(subject, {})
        if stake_of(self.committee, pending.keys() | verified.keys()) < self.committee.quorum:
            return None, []
        forgers = self._verify(subject)
        return assemble(self.committee, subject, verified), forgers

    def _verify(self, subject: Subject) -> list[Member]:
        """Move the pending votes that verify; drop the others, which keep their spent slot."""
        pending = self._pending.pop(subject, {})
        text = subject.signing_bytes(self.chain_id)
        claims = [(self.committee.seats[m].key, text, sig) for m, sig in pending.items()]
        forgers = []
        for (member, signature), good in zip(pending.items(), verify_many(claims), strict=True):
            if good:
                self._verified[subject][member] = signature
            else:
                forgers.append(member)
        return forgers

    def voters(self, kind: VoteKind) -> set[Member]:
        """Name those whose vote of this kind is in hand."""
        return {signer for voted, signer in self.first if voted is kind}

    def active(self) -> set[Member]:
        """Name those who voted on the view at all."""
        return {signer for _, signer in self.first}
