"""Approvals in JSON: what waits for a second person, and which of them are listed."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.approvals.model import ApprovalKind, ApprovalState
from api.http.pages import PageQuery
from api.http.scalars import TimeText, UlidText


class ApprovalCard(msgspec.Struct, frozen=True, rename="camel"):
    """A wish as events show it. Who wished for what stands in the approval."""

    id: UlidText
    kind: ApprovalKind
    subject_id: Annotated[UlidText, Meta(description="The person or merchant that it is about.")]
    state: ApprovalState


class ApprovalView(msgspec.Struct, frozen=True, rename="camel"):
    """What somebody has asked for, and who lets it happen."""

    id: UlidText
    union_id: UlidText
    kind: ApprovalKind
    subject_id: UlidText
    merchant_id: UlidText | None
    wish: Annotated[dict[str, str], Meta(description="What would be so.")]
    state: ApprovalState
    requested_by: UlidText
    requested_at: TimeText
    not_before: Annotated[TimeText, Meta(description="It happens no earlier, once approved.")]
    expires_at: TimeText
    decided_by: UlidText | None
    decided_at: TimeText | None
    failure: Annotated[str, Meta(description="The code of why it failed, or nothing.")]


class ApprovalsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which approvals; an admin may name another union."""

    state: ApprovalState | UnsetType = UNSET
    union_id: UlidText | UnsetType = UNSET


class DecisionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Of which union the approval is, if it is not one's own: for admins."""

    union_id: UlidText | UnsetType = UNSET
