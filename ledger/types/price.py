"""Bodies of the price and subsidy families: what milk costs, and what the state adds to it.

A price is in millionths of a ringgit a litre.
"""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.scalars import Counter

MicroRinggit = Annotated[int, Meta(ge=0, le=10**12)]


class FeedPrice(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="feed_price"):
    """Say what a litre costs, once a round. The sender is an authorized feeder."""

    round: Counter
    value: MicroRinggit


class FundSubsidy(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="fund_subsidy"
):
    """Put units into the pool that pays farmers; waiting claims are paid first."""

    units: WireUnits


class SetSubsidy(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="set_subsidy"
):
    """Set what the state adds a litre, and how much a farm may get a month.

    The sender holds the treasury's role.
    """

    rate: MicroRinggit
    month_units_max: WireUnits


PriceBody = FeedPrice | FundSubsidy | SetSubsidy
"""What a transaction of this family carries."""
