"""What makes a parent a lawful one (rules R2 and R3, spec §1.4).

A block may build on a notarized view p if every view between p and its own is nullified. Then no
block between them can ever be final beside it. Both sides of a proposal, the leader that makes it
and the voters that judge it, use the same functions over the certificates they hold.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from consensus.errors import BadCertificate, BadProposal
from consensus.messages import NULLIFICATIONS_INLINE_MAX, Certificate, Proposal
from consensus.params import CERTIFICATES_FETCHED_MAX
from consensus.quorum import check_subject, verify_certificate
from consensus.state import State
from consensus.tree import parent_of
from consensus.types import GENESIS_VIEW, BlockRef
from consensus.view import certified_block
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


@dataclass(frozen=True, slots=True)
class Gap:
    """Views of which a certificate is missing here."""

    first: View
    last: View


def choose_parent(s: State) -> BlockRef | Gap:
    """Find the highest block that the current view may build on, or what hides it (R2)."""
    view = View(s.view - 1)
    while view > s.floor.block.view:
        known = s.rounds.get(view)
        if known is not None and known.block is not None:
            return known.block
        if not s.is_nullified(view):
            return _gap_down_from(s, view)
        view = View(view - 1)
    return s.floor.block


def find_gap(s: State, proposal: Proposal) -> Gap | None:
    """Find the highest views that the proposal skips without a nullification held here."""
    subject = proposal.vote.subject
    for view in range(subject.view - 1, subject.parent_view, -1):
        if not s.is_nullified(View(view)):
            return _gap_down_from(s, View(view))
    return None


def _gap_down_from(s: State, last: View) -> Gap:
    """Widen a missing view downwards, as far as one request may ask."""
    lowest = max(s.floor.block.view + 1, last - CERTIFICATES_FETCHED_MAX + 1)
    first = last
    while first > lowest and not s.is_over(View(first - 1)):
        first = View(first - 1)
    return Gap(first, last)


def has_lawful_parent(s: State, proposal: Proposal) -> bool:
    """Tell whether the parent is known to be notarized, and not below what is final (R3)."""
    parent = parent_of(proposal)
    if parent.view < s.finalized_view:
        return False
    if parent.view == s.floor.block.view:
        return parent == s.floor.block
    notarization = s.notarized_at(parent.view)
    return notarization is not None and certified_block(notarization) == parent


def skips_final(s: State, proposal: Proposal) -> bool:
    """Tell whether the proposal leaves out a view that is final: it can never be lawful."""
    return proposal.vote.subject.parent_view < s.finalized_view < proposal.vote.subject.view


def justification(s: State, parent: BlockRef) -> tuple[Certificate | None, tuple[Certificate, ...]]:
    """Gather what proves the parent lawful for the current view: the newest 32 go inline."""
    lowest = max(parent.view + 1, s.view - NULLIFICATIONS_INLINE_MAX)
    between = (s.rounds[View(view)] for view in range(lowest, s.view))
    nullifications = tuple(known.certificates[VoteKind.NULLIFY] for known in between)
    return s.notarized_at(parent.view), nullifications


def justify_anew(s: State, proposal: Proposal) -> Proposal | None:
    """Put certificates held here in the place of those that came along; None if there are none.

    A certificate of a kind that is held already is not looked at, so what came may be junk, and
    who hands junk on is blamed for it.
    """
    about, parent = proposal.vote.subject, parent_of(proposal)
    held = s.notarized_at(parent.view)
    if held is None or certified_block(held) != parent:
        held = proposal.parent
        try:
            if held is not None:
                verify_certificate(s.committee, s.chain_id, held)
        except BadCertificate:
            return None
    lowest = max(parent.view + 1, about.view - NULLIFICATIONS_INLINE_MAX)
    known = (s.rounds.get(View(view)) for view in range(lowest, about.view))
    certificates = (one.certificates.get(VoteKind.NULLIFY) for one in known if one is not None)
    return replace(proposal, parent=held, nullifications=tuple(filter(None, certificates)))


def check_structure(proposal: Proposal) -> None:
    """Raise `BadProposal` unless the proposal's parts speak of the same things."""
    subject = proposal.vote.subject
    if subject.kind is not VoteKind.NOTARIZE:
        raise BadProposal("a proposal is signed by a notarize vote")
    check_subject(subject)
    came_along = (proposal.parent, *proposal.nullifications)
    if any(one is not None and one.subject.epoch != subject.epoch for one in came_along):
        raise BadProposal("its certificates are of another epoch")
    if (proposal.parent is None) != (subject.parent_view == GENESIS_VIEW):
        raise BadProposal("every parent but genesis comes with its certificate")
    if proposal.parent is not None:
        about = proposal.parent.subject
        if about.kind is VoteKind.NULLIFY or certified_block(proposal.parent) != parent_of(
            proposal
        ):
            raise BadProposal("the parent's certificate is about another block")
    views = [certificate.subject.view for certificate in proposal.nullifications]
    kinds = {certificate.subject.kind for certificate in proposal.nullifications}
    between = all(subject.parent_view < view < subject.view for view in views)
    if kinds - {VoteKind.NULLIFY} or views != sorted(set(views)) or not between:
        raise BadProposal("nullifications ascend strictly between parent and block")
