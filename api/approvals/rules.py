"""Who may let what happen, and when: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.access.roles import Role
from api.approvals.model import Approval, ApprovalKind, ApprovalState, Decision

DAY_MS: Final = 86_400_000
LIVES_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """By whose leave, and how long after the wish at the earliest."""

    approvers: frozenset[Role]
    waits_ms: int = 0


OFFICERS: Final = frozenset({Role.UNION_OFFICER, Role.ADMIN})

RULES: Final[Mapping[ApprovalKind, ApprovalRule]] = {
    ApprovalKind.ROLE_GRANT: ApprovalRule(approvers=OFFICERS | {Role.MANAGER}),
    ApprovalKind.WALLET_REBIND: ApprovalRule(approvers=OFFICERS, waits_ms=DAY_MS),
    ApprovalKind.PAYOUT_CHANGE: ApprovalRule(approvers=OFFICERS | {Role.FINANCE}, waits_ms=DAY_MS),
    ApprovalKind.REFUND: ApprovalRule(approvers=OFFICERS | {Role.MANAGER, Role.FINANCE}),
    ApprovalKind.LOYALTY_ADJUSTMENT: ApprovalRule(approvers=OFFICERS | {Role.MANAGER}),
    ApprovalKind.TOP_UP: ApprovalRule(approvers=OFFICERS),
    ApprovalKind.CASH_OUT: ApprovalRule(approvers=OFFICERS | {Role.FINANCE}),
    ApprovalKind.BUDGET: ApprovalRule(approvers=OFFICERS),
    ApprovalKind.PRODUCT_PRICE: ApprovalRule(approvers=OFFICERS | {Role.MANAGER, Role.FINANCE}),
}

_DECIDABLE: Final[Mapping[tuple[ApprovalState, Decision], ApprovalState]] = {
    (ApprovalState.PENDING, Decision.APPROVE): ApprovalState.APPROVED,
    (ApprovalState.PENDING, Decision.REJECT): ApprovalState.REJECTED,
    (ApprovalState.APPROVED, Decision.REJECT): ApprovalState.REJECTED,
}


def standing_of(approval: Approval, now_ms: int) -> ApprovalState:
    """Tell where a wish stands now: one that nobody has answered expires by itself."""
    if approval.state is ApprovalState.PENDING and now_ms >= approval.expires_ms:
        return ApprovalState.EXPIRED
    return approval.state


def next_state(approval: Approval, verdict: Decision, now_ms: int) -> ApprovalState | None:
    """Give the state after a verdict; None if there is nothing to decide any more."""
    return _DECIDABLE.get((standing_of(approval, now_ms), verdict))


def may_decide(
    approval: Approval, user_id: str, roles: Mapping[Role, str], verdict: Decision
) -> str:
    """Say why a person may not give a verdict; empty if they may.

    To approve takes somebody else than who wished for it, and than whom it favours. To reject
    takes a role alone, or being the person whom it is about. A role counts at the whole union, or
    at the merchant that the wish is about; an admin's counts everywhere.
    """
    about_them = user_id == approval.subject_id
    if verdict is Decision.REJECT and about_them:
        return ""
    places = {approval.union_id, approval.merchant_id}
    held = {role for role, place in roles.items() if place in places or role is Role.ADMIN}
    if not held & RULES[approval.kind].approvers:
        return "none of your roles may decide this"
    if verdict is Decision.REJECT:
        return ""
    if user_id == approval.requested_by:
        return "you have asked for it yourself: somebody else decides"
    return "it is about yourself: somebody else decides" if about_them else ""


def is_ripe(approval: Approval, now_ms: int) -> bool:
    """Tell whether an approved wish may be carried out."""
    return approval.state is ApprovalState.APPROVED and now_ms >= approval.not_before_ms
