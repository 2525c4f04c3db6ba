"""Alerts in JSON: what has to be looked after, which are listed, who looks after them."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.alerts.model import Alert, AlertKind, AlertState
from api.alerts.rules import WORDS
from api.amounts import format_time
from api.http.pages import PageQuery
from api.http.scalars import TimeText, UlidText


class AlertView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What has to be looked after, and who does."""

    id: UlidText
    merchant_id: Annotated[UlidText | None, Meta(description="Null for what is the union's.")]
    kind: AlertKind
    subject: Annotated[
        str,
        Meta(
            description="The id of what it is about: the merchant or union whose signer is silent, "
            "a webhook endpoint, a product, a flag."
        ),
    ]
    state: AlertState
    text: str
    text_ms: str
    raised_at: TimeText
    acknowledged_by: UlidText | None
    acknowledged_at: TimeText | None
    over_at: Annotated[TimeText | None, Meta(description="When it was found mended.")]


class AlertsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which alerts are listed."""

    state: AlertState | UnsetType = UNSET
    kind: AlertKind | UnsetType = UNSET


def alert_view(alert: Alert) -> AlertView:
    """Present an alert."""
    english, malay = WORDS[alert.kind]
    return AlertView(
        id=alert.id,
        merchant_id=alert.merchant_id or None,
        kind=alert.kind,
        subject=alert.subject,
        state=alert.state,
        text=english,
        text_ms=malay,
        raised_at=format_time(alert.raised_ms),
        acknowledged_by=alert.acknowledged_by or None,
        acknowledged_at=(
            None if alert.acknowledged_ms is None else format_time(alert.acknowledged_ms)
        ),
        over_at=None if alert.over_ms is None else format_time(alert.over_ms),
    )
