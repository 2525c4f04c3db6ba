"""Approvals as they are shown: from the model to JSON."""

from typing import Final

from api.amounts import format_time
from api.approvals.model import Approval, ApprovalState
from api.approvals.rules import standing_of
from api.approvals.schemas import ApprovalCard, ApprovalView
from api.events.kinds import EventKind
from api.events.outbox import NewEvent

_KINDS: Final = {
    ApprovalState.PENDING: EventKind.APPROVAL_REQUESTED,
    ApprovalState.APPROVED: EventKind.APPROVAL_APPROVED,
    ApprovalState.REJECTED: EventKind.APPROVAL_REJECTED,
    ApprovalState.APPLIED: EventKind.APPROVAL_APPLIED,
    ApprovalState.FAILED: EventKind.APPROVAL_FAILED,
}


def told_of_approval(approval: Approval, at_ms: int) -> NewEvent:
    """Make the event that tells what became of a wish: of its merchant, or else of its union."""
    card = ApprovalCard(approval.id, approval.kind, approval.subject_id, approval.state)
    owner, kind = approval.merchant_id or approval.union_id, _KINDS[approval.state]
    return NewEvent(kind, owner, approval.id, {"approval": card}, at_ms)


def approval_view(approval: Approval, now_ms: int) -> ApprovalView:
    """Show an approval as it stands now."""
    decided_ms = approval.decided_ms
    return ApprovalView(
        id=approval.id,
        union_id=approval.union_id,
        kind=approval.kind,
        subject_id=approval.subject_id,
        merchant_id=approval.merchant_id or None,
        wish=approval.wish,
        state=standing_of(approval, now_ms),
        requested_by=approval.requested_by,
        requested_at=format_time(approval.requested_ms),
        not_before=format_time(approval.not_before_ms),
        expires_at=format_time(approval.expires_ms),
        decided_by=approval.decided_by or None,
        decided_at=None if decided_ms is None else format_time(decided_ms),
        failure=approval.code,
    )
