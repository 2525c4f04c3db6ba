"""From votes to certificates to the next view (rules R1, R6).

A validator gets a certificate in two ways, by counting votes or from another; `hold` keeps it in
both. Rules that follow from it are applied afterwards, when the engine settles.
"""

from consensus.effects import Misbehaviour
from consensus.errors import BadVoteSignature
from consensus.forks import FORGED, accuse_of_equivocation, find_rivals, tell_fork
from consensus.messages import Certificate, Vote
from consensus.params import PROPOSALS_KEPT
from consensus.quorum import is_genuine, verify_certificate
from consensus.sharing import bring_up_to_date, push
from consensus.silence import note_certificate
from consensus.state import State
from consensus.tree import BlockStatus, parent_of
from consensus.view import Round, certified_block
from consensus.votes import VoteAdmission
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def count_vote(s: State, vote: Vote, *, verified: bool) -> None:
    """Count a vote, prove its signer's equivocation if it is one, certify at quorum."""
    known = s.round(vote.subject.view)
    admission = known.tally.admit(vote, verified=verified)
    if admission is VoteAdmission.REPEATED:
        # Nobody repeats a vote whose outcome it knows.
        if vote.signer != s.me and s.is_over(vote.subject.view):
            bring_up_to_date(s, vote.signer)
        return
    if (earlier := known.tally.rival(vote)) is not None:
        if not (verified or is_genuine(s.committee, s.chain_id, vote)):
            raise BadVoteSignature(FORGED)
        accuse_of_equivocation(s, known, earlier, vote)
    if admission is VoteAdmission.COUNTED and vote.subject.kind not in known.certificates:
        certificate, forgers = known.tally.certify(vote.subject)
        for forger in forgers:
            s.accuse(Misbehaviour(forger, FORGED, None))
        if certificate is not None:
            if rivals := find_rivals(s, certificate.subject):
                tell_fork(s, rivals, certificate)
            hold(s, certificate)
            push(s, certificate)


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
    s.note_highest(certificate, source)
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
    elif node is not None and node.standing is BlockStatus.INVALID:
        # Others found this block valid, so the body that came with its hash was not its body.
        s.tree.drop(block)
    elif node is not None and node.standing is BlockStatus.VALID:
        s.make_durable(node)  # spec §1.7: it was not certified when it was found valid.
    s.tip.rise(known.view, s.now_ms, known.proposed_ms)


def enter(s: State) -> bool:
    """Enter the view after the highest certificate's (R1). Forward only."""
    if s.highest is None or s.highest.subject.view < s.view:
        return False
    s.view = View(s.highest.subject.view + 1)
    s.building = None
    forget_uncertified(s)
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
