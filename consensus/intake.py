"""Messages from other members: what is let in, and what is answered (spec §1.6, §1.8).

Everything here is decoded but not trusted. A message is dropped silently if it is merely late or
early; it raises a `PeerFault` if no honest member could have sent it.
"""

from consensus import silence
from consensus.certifying import count_vote, learn
from consensus.errors import BadCertificate, BadProposal, BadVoteSignature, WrongSender
from consensus.justify import check_structure, justify_anew
from consensus.messages import (
    Certificate,
    FetchCertificates,
    FetchProposal,
    FetchView,
    Message,
    Proposal,
    ViewReport,
    Vote,
)
from consensus.params import (
    ANSWER_BYTES,
    ANSWERS_MAX,
    CERTIFICATES_FETCHED_MAX,
    PROPOSAL_COST,
    PROPOSALS_KEPT,
    VIEWS_KEPT,
)
from consensus.quorum import check_subject, is_genuine
from consensus.sharing import bring_up_to_date
from consensus.state import State
from consensus.tree import BlockStatus, block_of, parent_of
from consensus.types import GENESIS_VIEW, BlockRef
from consensus.view import certified_block
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def take_message(s: State, sender: Member, message: Message) -> None:
    """Let a message in; raise a `PeerFault` that is the sender's."""
    if sender == s.me:
        mine = isinstance(message, Vote) and message.signer == s.me
        if isinstance(message, Vote) and mine and is_genuine(s.committee, s.chain_id, message):
            silence.note_own(s, message.subject)  # From a twin: one never hears oneself.
        return
    peer = s.peers[sender]
    peer.heard_ms, peer.heard_view = s.now_ms, s.view
    if isinstance(message, Vote | Proposal):
        peer.spoke_ms, peer.spoke_view = s.now_ms, s.view
    match message:
        case Vote():
            take_vote(s, sender, message)
        case Certificate():
            _note_entered(s, sender, View(message.subject.view + 1))
            learn(s, message, sender)
        case Proposal():
            take_proposal(s, sender, message)
        case FetchProposal():
            answer_proposal(s, sender, message)
        case FetchCertificates():
            answer_certificates(s, sender, message)
        case FetchView():
            if _may_answer(s, sender, 1):
                silence.answer(s, sender, message)
        case ViewReport():
            take_report(s, sender, message)


def take_report(s: State, sender: Member, report: ViewReport) -> None:
    """Learn from an answer of another, if this validator asked since it may not vote."""
    if s.silence is None or report.epoch != s.epoch:
        return
    if report.highest is not None:
        if report.highest.subject.epoch != s.epoch:
            raise BadCertificate("it shows its view by another epoch's certificate")
        learn(s, report.highest, sender)
    silence.take_report(s, sender, report)


def _note_entered(s: State, sender: Member, view: View) -> None:
    """Note a view that a member claims to be in; a lie costs only the liar."""
    s.peers[sender].entered = max(s.peers[sender].entered, view)


def take_vote(s: State, sender: Member, vote: Vote) -> None:
    """Admit a vote for a view near the current one, from its signer alone."""
    subject = vote.subject
    if sender != vote.signer:
        raise WrongSender(f"it sent a vote of member {vote.signer}")
    check_subject(subject)
    if subject.epoch != s.epoch:
        return
    past_it = subject.kind is VoteKind.FINALIZE  # It holds the view's notarization, so has left.
    _note_entered(s, sender, View(subject.view + past_it))
    if subject.kind is VoteKind.NULLIFY and subject.view < s.view - 1:
        bring_up_to_date(s, sender)
    if s.finalized_view - VIEWS_KEPT <= subject.view <= s.view + 1:
        count_vote(s, vote, verified=False)


def take_proposal(s: State, sender: Member, proposal: Proposal) -> None:
    """Admit a leader's proposal, or one that was asked for."""
    check_structure(proposal)
    block, vote = block_of(proposal), proposal.vote
    if vote.subject.epoch != s.epoch or block.view <= s.floor.block.view:
        return
    if vote.signer != s.schedule.leader(block.view):
        raise WrongSender(f"member {vote.signer} does not lead view {block.view}")
    wanted = s.fetcher.has_asked(FetchProposal(block.view, block.hash), sender)
    if not wanted and (sender != vote.signer or _is_settled(s, proposal)):
        return
    if not is_genuine(s.committee, s.chain_id, vote):
        raise BadVoteSignature("its proposal bears a wrong signature")
    parent, first = parent_of(proposal), s.floor.block
    if parent.view == first.view == GENESIS_VIEW and parent != first:
        raise BadProposal("it builds on another first block than the epoch's")
    if wanted:
        # The body is taken before the nullifications are looked at. Others may have notarized the
        # block without looking at them, and then nobody could hand the body on. No rule relies on
        # a nullification that isn't held.
        if proposal.parent is not None:
            learn(s, proposal.parent, sender)
        _plant(s, sender, proposal)
    _absorb(s, sender, proposal)
    if sender == vote.signer:
        _take_from_leader(s, sender, proposal)


def _plant(s: State, sender: Member, proposal: Proposal) -> bool:
    """Keep a body if its parent is the floor, or known to be notarized under just this hash.

    A vote names its parent's view and not its hash. A body on a parent that isn't here could never
    be checked, and would keep the true body out of its place in the tree.
    """
    block, parent, floor = block_of(proposal), parent_of(proposal), s.floor.block
    known = s.rounds.get(block.view)
    certificate = known.notarization if known is not None and known.block == block else None
    if certificate is not None and certificate.subject.parent_view != parent.view:
        return False
    proof = s.notarized_at(parent.view) if parent.view > floor.view else None
    if parent != floor and (proof is None or certified_block(proof) != parent):
        return False
    node = s.tree.get(block)
    if node is not None and node.standing is BlockStatus.INVALID:
        s.tree.drop(block)  # Who asks for it anew knows that others found it valid.
    s.tree.add(proposal, sender)
    return True


def _is_settled(s: State, proposal: Proposal) -> bool:
    """Tell whether a leader's message adds nothing: known already, or its guilt is."""
    known = s.rounds.get(proposal.vote.subject.view)
    if known is None:
        return False
    return proposal.vote.signer in known.reported or known.proposal == proposal


def _absorb(s: State, sender: Member, proposal: Proposal) -> None:
    """Learn the certificates that came along; they may open the proposal's view (R1)."""
    for certificate in (proposal.parent, *proposal.nullifications):
        if certificate is not None:
            learn(s, certificate, sender)


def _take_from_leader(s: State, sender: Member, proposal: Proposal) -> None:
    """Keep the first proposal of a view that is near; a second one is proof against its leader."""
    block, vote = block_of(proposal), proposal.vote
    entered = s.view if s.highest is None else max(s.view, s.highest.subject.view + 1)
    if block.view > entered + 1:
        return
    _note_entered(s, sender, block.view)
    known = s.round(block.view)
    if known.proposal is None and block.view >= s.view - PROPOSALS_KEPT:
        if _plant(s, sender, proposal):
            known.proposal, known.proposed_ms = proposal, s.now_ms
        else:
            known.refused = True  # spec §1.4 R3: it can never be voted for, so R4.
        known.note_block(block)
    count_vote(s, vote, verified=True)


def _may_answer(s: State, member: Member, cost: int) -> bool:
    """Spend from the answers that a member gets within a delta."""
    peer = s.peers[member]
    if s.now_ms >= peer.window_ms + s.params.delta_ms:
        peer.window_ms, peer.answers = s.now_ms, 0
    peer.answers += cost
    return peer.answers <= ANSWERS_MAX


def _cost_of(proposal: Proposal) -> int:
    """Weigh a proposal in certificates: what it takes to send it, and what comes with it."""
    return PROPOSAL_COST + len(proposal.payload) // ANSWER_BYTES


def answer_proposal(s: State, sender: Member, request: FetchProposal) -> None:
    """Send a proposal from memory, or what shows the asker that it is too late for it."""
    node = s.tree.get(BlockRef(request.view, request.block_hash))
    # An unchecked body may be a lie under a true hash, and we would be blamed for handing it on.
    if node is None or node.standing is not BlockStatus.VALID:
        if request.view <= s.finalized_view:
            bring_up_to_date(s, sender)
    elif _may_answer(s, sender, _cost_of(node.proposal)):
        shown = justify_anew(s, node.proposal)
        if shown is not None:
            s.send(sender, shown)


def answer_certificates(s: State, sender: Member, request: FetchCertificates) -> None:
    """Send what is held of a range of views, and the finalization if that is past it."""
    if request.first <= s.finalized_view:
        bring_up_to_date(s, sender)
    last = min(request.last, request.first + CERTIFICATES_FETCHED_MAX - 1)
    for view in range(request.first, last + 1):
        known = s.rounds.get(View(view))
        for certificate in known.certificates.values() if known else ():
            if _may_answer(s, sender, 1):
                s.send(sender, certificate)
