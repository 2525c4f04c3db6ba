"""Webhooks in words: where events go, and how far each delivery has come. No database here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

ENDPOINTS_MAX: Final = 16
"""How many endpoints a merchant has at most."""
OVERLAP_MS: Final = 24 * 3_600_000
"""How long a secret still signs after it was exchanged."""
KEPT_MS: Final = 30 * 86_400_000
"""How long what became of a delivery can be read."""


FARES_WELL: Final[Mapping[str, object]] = MappingProxyType(
    {"failures": 0, "failing_since_ms": None, "rest_until_ms": 0}
)
"""How an endpoint fares of which nothing bad is known."""


class EndpointState(StrEnum):
    """Whether an endpoint gets events."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledWhy(StrEnum):
    """Who or what disabled an endpoint."""

    MERCHANT = "merchant"
    FAILING = "failing"
    """It took nothing for three days."""
    GONE = "gone"
    """It answered 410."""


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SecretSeen:
    """A secret in force, as far as it is shown; `until_ms` is when it stops signing."""

    public_key: str
    created_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that a merchant's events go to. No kinds are all kinds."""

    id: str
    merchant_id: str
    url: str
    description: str
    kinds: tuple[str, ...]
    state: EndpointState
    disabled_why: str
    failing_since_ms: int | None
    created_ms: int
    secrets: tuple[SecretSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the status that came back, or a code that says why none did."""

    at_ms: int
    took_ms: int
    status: int | None
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to an endpoint."""

    endpoint_id: str
    merchant_id: str
    seq: int
    kind: str
    state: DeliveryState
    tries: int
    next_ms: int
    created_ms: int
    ended_ms: int | None

    @property
    def id(self) -> str:
        """Give its name."""
        return f"{self.endpoint_id}-{self.seq}"
