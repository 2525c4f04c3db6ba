"""A union and a merchant of it: plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """A dairy union: its office opens accounts, and helps whoever can't log in."""

    id: str
    name: str
    office: str = ""
    telephone: str = ""
    email: str = ""
    hours: str = ""
    developer_contact: str = ""
    """Who answers for the app itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantProfile:
    """A shop of a union. `payout` is paid by customers, `operating` pays refunds and coupons."""

    id: str
    union_id: str
    name: str
    payout: bytes
    operating: bytes | None
    time_zone: str
    created_ms: int
