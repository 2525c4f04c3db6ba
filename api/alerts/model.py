"""An alert in words. It says that something stands still or goes wrong; it changes nothing itself.

open          acknowledge   acknowledged   somebody looks after it
open          mended        over
acknowledged  mended        over
"""

from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """What may have to be looked after: one query each, in `api.alerts.facts`."""

    SIGNER_SILENT = "signer_silent"
    """Something waits for a signature, and nobody who signs has asked for work for a minute."""
    WEBHOOK_DISABLED = "webhook_disabled"
    """An endpoint takes nothing any more and was disabled."""
    PRICE_BELOW_MILK = "price_below_milk"
    """A product costs less than the milk in it, so nobody can order it."""
    FLAG_OPEN = "flag_open"
    """Something looks odd, and nobody has decided what it is."""


class AlertState(StrEnum):
    """Whether it stands, and whether somebody looks after it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


class AlertEvent(StrEnum):
    """What may happen to an alert."""

    ACKNOWLEDGE = "acknowledge"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class FoundTrouble:
    """What was found: of a union, at a merchant or at none, about something with an id."""

    union_id: str
    merchant_id: str
    kind: AlertKind
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A trouble that was found, and what became of it."""

    union_id: str
    id: str
    merchant_id: str
    kind: AlertKind
    subject: str
    state: AlertState
    raised_ms: int
    acknowledged_by: str
    acknowledged_ms: int | None
    over_ms: int | None
