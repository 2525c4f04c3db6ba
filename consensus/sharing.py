"""Handing certificates on to those who need them (rule R7, spec §1.4).

They go at once to the next leader, and soon to members that have shown no sign of them or show that
they lack them. They never go from all to all, which would cost the square of the committee.
"""

from consensus.inactivity import is_inactive
from consensus.messages import Certificate
from consensus.state import State
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def push(s: State, certificate: Certificate) -> None:
    """Hand a certificate formed here to the next leader at once: it waits for it to build (R7)."""
    next_leader = s.schedule.leader(View(certificate.subject.view + 1))
    if s.me is not None and next_leader != s.me:
        s.send(next_leader, certificate)


def share_due_ms(s: State) -> int | None:
    """Give when the newest certificates ought to be with all others by themselves."""
    return s.timers.share_ms


def share(s: State) -> None:
    """Hand the newest certificates to those who show no sign of having them (R7)."""
    if s.highest is None or not s.is_due(share_due_ms(s)):
        return
    s.timers.share_ms = None
    if s.me is None:
        return
    final = s.finalization
    finalizers = s.round(s.finalized_view).tally.voters(VoteKind.FINALIZE) if final else set()
    for member, peer in s.peers.items():
        if is_inactive(s, peer.heard_ms, peer.heard_view):
            continue
        if peer.entered < s.timers.share_view:
            s.send(member, s.highest)
        if final is not None and final != s.highest and member not in finalizers:
            s.send(member, final)


def bring_up_to_date(s: State, member: Member) -> None:
    """Send a member the newest certificates, at most once a delta."""
    peer = s.peers[member]
    last_ms = peer.caught_up_ms
    if s.me is None or (last_ms is not None and s.now_ms < last_ms + s.params.delta_ms):
        return
    peer.caught_up_ms = s.now_ms
    if s.finalization is not None:
        s.send(member, s.finalization)
    if s.highest is not None and s.highest != s.finalization:
        s.send(member, s.highest)
