"""Votes and certificates that can't stand beside each other (spec §4.3, §4.4).

Two votes of one member that exclude each other prove its guilt. Two certificates that do so, or
two final blocks on different branches, prove that a third of the stake lied: that is a fork, and
all that is left to do is to raise the alarm and to name the culprits.
"""

from collections.abc import Sequence
from typing import Final

from consensus.effects import Forked, Misbehaviour
from consensus.messages import Certificate, Subject, Vote
from consensus.quorum import is_genuine
from consensus.state import State
from consensus.view import Round
from consensus.votes import are_exclusive
from ledger.primitives.votes import VoteKind

FORGED: Final = "its vote bears a wrong signature"


def accuse_of_equivocation(s: State, known: Round, earlier: Vote, later: Vote) -> None:
    """Report two votes that exclude each other, once a signer and view (spec §4.3).

    The later one is known to be genuine. The earlier one came from its signer, but may be forged.
    """
    signer = later.signer
    if signer in known.reported or signer == s.me:
        return
    if not is_genuine(s.committee, s.chain_id, earlier):
        s.accuse(Misbehaviour(signer, FORGED, None))
        return
    known.reported.add(signer)
    # Durable, so that a restart forgets neither the proof nor what it forbids.
    s.persist(known.view, earlier)
    s.persist(known.view, later)
    s.accuse(Misbehaviour(signer, "it signed two votes that exclude each other", (earlier, later)))
    both_notarize = earlier.subject.kind is later.subject.kind is VoteKind.NOTARIZE
    if both_notarize and signer == s.schedule.leader(known.view):
        known.note_equivocation()


def find_rivals(s: State, subject: Subject) -> list[Certificate]:
    """Find certificates of the view that can't stand beside this one unless a third lies."""
    known = s.rounds.get(subject.view)
    held = list(known.certificates.values()) if known else []
    if s.floor.finalization is not None and s.floor.block.view == subject.view:
        held.append(s.floor.finalization)
    return [c for c in held if are_exclusive(c.subject, subject)]


def tell_fork(s: State, held: Sequence[Certificate], other: Certificate) -> None:
    """Raise the alarm over certificates, and accuse who signed both of one view (spec §4.4)."""
    view, theirs = other.subject.view, dict(other.votes)
    s.forks.add(view)
    culprits = {member for mine in held for member, _ in mine.votes} & theirs.keys()
    s.effects.append(Forked(held[0], other, tuple(sorted(culprits))))
    for mine in (certificate for certificate in held if certificate.subject.view == view):
        for member, signature in mine.votes:
            if member in theirs:
                one = Vote(mine.subject, member, signature)
                two = Vote(other.subject, member, theirs[member])
                accuse_of_equivocation(s, s.round(view), one, two)


def watch_for_fork(s: State) -> bool:
    """Raise the alarm if a final block's certified ancestry passes beside the floor.

    It looks at certificates alone, since a body that was never checked may name any parent.
    """
    final, floor = s.finalization, s.floor
    if final is None or floor.finalization is None or final.subject.view <= floor.block.view:
        return False
    lowest = final
    while lowest.subject.parent_view > floor.block.view:
        below = s.notarized_at(lowest.subject.parent_view)
        if below is None:
            return False
        lowest = below
    is_beside = lowest.subject.parent_view < floor.block.view
    if not is_beside or final.subject.view in s.forks:
        return False
    tell_fork(s, [floor.finalization], final)
    return True
