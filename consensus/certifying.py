"""From votes to certificates to the next view (rules R1, R6, R7).

A certificate comes about in two ways, by counting votes and by receiving it, and is held in one:
`hold`. Rules that follow from it are applied afterwards, when the engine settles.
"""

from collections.abc import Sequence
from typing import Final

from consensus.effects import Forked, Offence
from consensus.errors import BadSignature
from consensus.messages import Certificate, Subject, Vote, VoteKind
from consensus.params import PROPOSALS_KEPT, SKIP_VIEWS
from consensus.quorum import is_genuine, verify_certificate
from consensus.silence import note_certificate
from consensus.state import State
from consensus.tree import Standing, parent_of
from consensus.types import Member, View
from consensus.view import Round, certified_block
from consensus.votes import Admission, are_exclusive

FORGED: Final = "its vote bears a wrong signature"


def count_vote(s: State, vote: Vote, *, verified: bool) -> None:
    """Count a vote, prove its signer's equivocation if it is one, certify at quorum."""
    known = s.round(vote.subject.view)
    admission = known.tally.admit(vote, verified=verified)
    if admission is Admission.REPEATED:
        # Nobody repeats a vote whose outcome it knows.
        if vote.signer != s.me and s.is_over(vote.subject.view):
            bring_up_to_date(s, vote.signer)
        return
    if (earlier := known.tally.rival(vote)) is not None:
        if not (verified or is_genuine(s.committee, s.chain_id, vote)):
            raise BadSignature(FORGED)
        accuse_of_equivocation(s, known, earlier, vote)
    if admission is Admission.COUNTED and vote.subject.kind not in known.certificates:
        certificate, forgers = known.tally.certify(vote.subject)
        for forger in forgers:
            s.accuse(Offence(forger, FORGED, None))
        if certificate is not None:
            if rivals := find_rivals(s, certificate.subject):
                tell_fork(s, rivals, certificate)
            hold(s, certificate)
            push(s, certificate)


def accuse_of_equivocation(s: State, known: Round, earlier: Vote, later: Vote) -> None:
    """Report two votes that exclude each other, once a signer and view (spec §4.3).

    The later one is known to be genuine. The earlier one came from its signer, but may be forged.
    """
    signer = later.signer
    if signer in known.reported or signer == s.me:
        return
    if not is_genuine(s.committee, s.chain_id, earlier):
        s.accuse(Offence(signer, FORGED, None))
        return
    known.reported.add(signer)
    # Durable, so that a restart forgets neither the proof nor what it forbids.
    s.persist(known.view, earlier)
    s.persist(known.view, later)
    s.accuse(Offence(signer, "it signed two votes that exclude each other", (earlier, later)))
    both_notarize = earlier.subject.kind is later.subject.kind is VoteKind.NOTARIZE
    if both_notarize and signer == s.schedule.leader(known.view):
        known.note_equivocation()


def learn(s: State, certificate: Certificate, source: Member) -> None:
    """Take in a certificate from another; raise `BadCertificate` if it proves nothing."""
    subject = certificate.subject
    if subject.epoch != s.epoch:
        return
    known = s.rounds.get(subject.view)
    is_held = known is not None and subject.kind in known.certificates
    is_old = is_held or subject.view <= s.floor.block.view
    rivals = [] if subject.view in s.forks else find_rivals(s, subject)
    if is_old and not rivals:
        return
    verify_certificate(s.committee, s.chain_id, certificate)
    if rivals:
        tell_fork(s, rivals, certificate)
    if is_old:
        note_certificate(s, certificate)
    else:
        hold(s, certificate, source)


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


def hold(s: State, certificate: Certificate, source: Member | None = None) -> None:
    """Keep a verified certificate, durably, and note what it changes."""
    subject = certificate.subject
    known = s.round(subject.view)
    known.certificates[subject.kind] = certificate
    s.persist(subject.view, certificate)
    for member, signature in certificate.votes:
        vote = Vote(subject, member, signature)
        if (earlier := known.tally.rival(vote)) is not None:
            accuse_of_equivocation(s, known, earlier, vote)
    note_certificate(s, certificate)
    s.touched.add(subject.view)
    if s.highest is None or subject.view > s.highest.subject.view:
        s.highest = certificate
    if subject.kind is VoteKind.FINALIZE and subject.view > s.finalized_view:
        s.finalization, s.finalization_source = certificate, source
        s.timers.standstill_ms = None
    if subject.kind is not VoteKind.NULLIFY:
        _override(s, known, certificate)


def _override(s: State, known: Round, certificate: Certificate) -> None:
    """Let a certified block stand above what the leader sent here (R6), and move the tip."""
    block = certified_block(certificate)
    known.note_block(block)
    node = s.tree.get(block)
    if node is not None and parent_of(node.proposal).view != certificate.subject.parent_view:
        known.note_equivocation()
        s.tree.drop(block)
    elif node is not None and node.standing is Standing.INVALID:
        # Others found this block valid, so the body that came with its hash was not its body.
        s.tree.drop(block)
    elif node is not None and node.standing is Standing.VALID:
        s.make_durable(node)  # spec §1.7: it was not certified when it was found valid.
    if known.view > s.tip:
        s.tip, s.tip_ms = known.view, s.now_ms
        s.block_ms = s.now_ms if known.proposed_ms is None else known.proposed_ms


def enter(s: State) -> bool:
    """Enter the view after the highest certificate's (R1). Forward only."""
    if s.highest is None or s.highest.subject.view < s.view:
        return False
    s.view = View(s.highest.subject.view + 1)
    s.building = None
    forget_uncertified(s)
    s.timers.entered_ms = s.now_ms
    s.timers.armed_ms = s.timers.retry_ms = None
    if s.timers.share_ms is None:
        s.timers.share_ms, s.timers.share_view = s.now_ms + s.params.delta_ms // 2, s.view
    return True


def forget_uncertified(s: State) -> None:
    """Drop bodies of old views that nobody vouched for: leaders could fill the memory with them."""
    for block, node in list(s.tree.nodes.items()):
        known = s.rounds.get(block.view)
        certified = known is not None and known.block == block
        if block.view < s.view - PROPOSALS_KEPT and not node.durable and not certified:
            s.tree.drop(block)
            if known is not None:
                known.proposal = None


def push(s: State, certificate: Certificate) -> None:
    """Hand a certificate formed here to the next leader at once: it waits for it to build (R7)."""
    next_leader = s.schedule.leader(View(certificate.subject.view + 1))
    if s.me is not None and next_leader != s.me:
        s.send(next_leader, certificate)


def share(s: State) -> bool:
    """Hand the newest certificates to those who show no sign of having them (R7)."""
    timers = s.timers
    if timers.share_ms is None or s.now_ms < timers.share_ms or s.highest is None:
        return False
    timers.share_ms = None
    if s.me is None:
        return True
    final = s.finalization
    finalizers = s.round(s.finalized_view).tally.voters(VoteKind.FINALIZE) if final else set()
    for member, peer in s.peers.items():
        if is_away(s, peer.heard_ms, peer.heard_view):
            continue
        if peer.entered < timers.share_view:
            s.send(member, s.highest)
        if final is not None and final != s.highest and member not in finalizers:
            s.send(member, final)
    return True


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


def is_away(s: State, last_ms: int, last_view: View) -> bool:
    """Tell whether a last sign of a member is long past, in time and in views (R9)."""
    return s.now_ms - last_ms >= s.params.skip_ms and s.view - last_view >= SKIP_VIEWS
