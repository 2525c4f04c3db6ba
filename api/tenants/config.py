"""Unions and merchants that a configuration knows from the start."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.flags.opening import parse_hours
from api.tenants.zones import TIME_ZONE_USUAL, is_time_zone


class UnionConfig(BaseModel):
    """A dairy union known from the start: whom its people turn to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    office: Annotated[str, Field(max_length=200)] = ""
    telephone: Annotated[str, Field(max_length=40)] = ""
    email: Annotated[str, Field(max_length=120)] = ""
    hours: Annotated[str, Field(max_length=120)] = ""
    developer_contact: Annotated[str, Field(max_length=120)] = ""
    float_address: Annotated[str, Field(max_length=90)] = ""
    """The account that pays top-ups and welcomes; its signer holds the key. Empty for none."""


class MerchantConfig(BaseModel):
    """A merchant known from the start, with the digests of its first API keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    payout_address: Annotated[str, Field(min_length=8, max_length=90)]
    operating_address: Annotated[str, Field(max_length=90)] = ""
    """The account that pays refunds and coupons; its signer holds the key. Empty for none."""
    opens: str = ""
    """When it opens and closes, such as 07:00 and 19:30; empty if it is never shut."""
    closes: str = ""
    time_zone: Annotated[str, Field(max_length=40)] = TIME_ZONE_USUAL
    """What a new merchant begins with. One that is known keeps its own: its office changes that."""
    key_digests: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = ()
    union: Annotated[str, Field(max_length=80)] = ""
    """The name of its union; empty for the first."""

    @model_validator(mode="after")
    def _hours_are_read(self) -> "MerchantConfig":
        """Refuse what is no time of a day now, rather than to think a shop shut."""
        parse_hours(self.opens, self.closes)
        if not is_time_zone(self.time_zone):
            raise ValueError(f"time_zone: {self.time_zone!r} is not known here")
        return self


def check_once(names: Sequence[str]) -> None:
    """Raise `ValueError` for a name that is listed twice."""
    if len(set(names)) != len(names):
        raise ValueError(f"listed twice in {list(names)}")


def check_tenants(unions: Sequence[UnionConfig], merchants: Sequence[MerchantConfig]) -> None:
    """Raise `ValueError` for a name that is listed twice, and for a merchant without an office."""
    names = [union.name for union in unions]
    check_once(names)
    check_once([merchant.name for merchant in merchants])
    for merchant in merchants:
        if merchant.union and merchant.union not in names:
            raise ValueError(f"{merchant.name}: there is no union {merchant.union!r}")
