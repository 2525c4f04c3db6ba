"""Records of price, subsidy, market, mandates and pending changes of the law."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Counter, Millis
from ledger.state.records import ATTESTORS_MAX
from ledger.types.mandate import PriceMode
from ledger.types.market import ServiceKind
from ledger.types.price import MicroRinggit

CHANGES_MAX: Final = 32
"""The most changes of parameters that may wait at once."""
PRICE_HOURS_MAX: Final = 25
"""The hours that a span of 24 hours may touch."""


class PriceHour(Struct, frozen=True, array_like=True):
    """The least and the greatest price of an hour in which it was set, the one before included."""

    hour: Counter
    low: MicroRinggit
    high: MicroRinggit


class Feed(Struct, frozen=True, array_like=True):
    """What a feeder said, and when."""

    feeder: WireAddress
    value: MicroRinggit
    fed_ms: Millis


class Price(Struct, frozen=True, array_like=True):
    """The price of a litre, 0 before the first, and the feeds of the round that is open.

    `hours` are those of the last 24 hours that bound how it may move, ascending.
    """

    round: Counter = 0
    value: MicroRinggit = 0
    updated_ms: Millis = 0
    hours: Annotated[tuple[PriceHour, ...], Meta(max_length=PRICE_HOURS_MAX)] = ()
    feeds: Annotated[tuple[Feed, ...], Meta(max_length=ATTESTORS_MAX)] = ()


class Subsidy(Struct, frozen=True, array_like=True):
    """The pool: funded - paid lies in its account. Claims `head` to `tail` - 1 wait.

    They are what was claimed and is not paid.
    """

    rate: MicroRinggit = 0
    month_units_max: WireUnits = Units(0)
    funded_units: WireUnits = Units(0)
    paid_units: WireUnits = Units(0)
    head: Counter = 0
    tail: Counter = 0
    claimed_units: WireUnits = Units(0)

    @property
    def pool_units(self) -> int:
        """Give what can be paid now."""
        return self.funded_units - self.paid_units


class SubsidyClaim(Struct, frozen=True, array_like=True):
    """What a farm is owed out of the pool."""

    farm: WireAddress
    units: WireUnits


class FarmMonth(Struct, frozen=True, array_like=True):
    """What a farm claimed in a month of thirty days."""

    month: Counter
    units: WireUnits


class Offer(Struct, frozen=True, array_like=True):
    """A service that can be had: `left` of them."""

    seller: WireAddress
    kind: ServiceKind
    price_units: WireUnits
    left: int
    valid_until_ms: Millis
    terms: WireHash


class Deal(Struct, frozen=True, array_like=True):
    """An accepted offer whose price lies in escrow."""

    offer: WireHash
    buyer: WireAddress
    seller: WireAddress
    units: WireUnits
    accepted_ms: Millis
    disputed: bool


class Mandate(Struct, frozen=True, array_like=True):
    """A standing permission to deduct. `charged_until` counts periods: those below are closed.

    It was last charged at `charged_ms`, in the last of them.
    """

    payer: WireAddress
    merchant: WireAddress
    period_ms: int
    milk_units: WireUnits
    mode: PriceMode
    price: int
    charge_units_max: WireUnits
    total_units_max: WireUnits
    start_ms: Millis
    end_ms: Millis
    charged_units: WireUnits = Units(0)
    charged_until: Counter = 0
    charges: Counter = 0
    charged_ms: Millis = 0


class Change(Struct, frozen=True, array_like=True):
    """A parameter's next value, and from which height on."""

    height: Counter
    key: str
    value: int


class Changes(Struct, frozen=True, array_like=True):
    """All changes that wait, in the order in which they come into force."""

    waiting: Annotated[tuple[Change, ...], Meta(max_length=CHANGES_MAX)]
