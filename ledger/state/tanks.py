"""Records of raw milk: tanks, the portions in them by hour, and how far each meter is used.

A portion is what one meter counted in one go. It stands in the hour of its last sample, so that
milk is found in order of metering without reading a tank whole.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.keys import PublicKey, WireAddress, WirePublicKey
from ledger.primitives.scalars import Counter, Height, Millis

PORTIONS_MAX: Final = 256
"""The most portions of one hour in one tank."""
HOURS_MAX: Final = 200
"""The most hours whose milk stands in one tank: more than milk is kept."""
GAPS_MAX: Final = 8
"""The most stretches of a meter that later collections passed over, and that are open yet."""
OWED_MAX: Final = 8
"""The most times apart of which a tank's rise awaits its collections."""
DEBTS_MAX: Final = 8
"""The most debts of a tank that are kept apart."""

NO_DEVICE: Final = PublicKey(bytes(32))
"""Stands for no device: a tank whose gauge was never read."""


class Portion(Struct, frozen=True, array_like=True):
    """Milk of one farm, counted by one meter between two samples; what is left of it."""

    farm: WireAddress
    device: WirePublicKey
    first_ms: Millis
    last_ms: Millis
    units: WireUnits

    @property
    def order(self) -> tuple[int, int, bytes, bytes]:
        """Give where it stands among portions: in order of metering."""
        return self.last_ms, self.first_ms, self.device, self.farm


class TankHour(Struct, frozen=True, array_like=True):
    """A tank's portions whose last sample lies in one hour, in order of metering."""

    portions: Annotated[tuple[Portion, ...], Meta(min_length=1, max_length=PORTIONS_MAX)]


class MilkTank(Struct, frozen=True, array_like=True):
    """An MMU's tank of raw milk: all that came in is held yet, or has one of five fates.

    - `collected_units` came from meters, `arrived_units` from other tanks.
    - It was drawn for windows that count, lost (by flow that did not count, or written off),
      lapsed by age, void (its device was stopped, or a regulator condemned it), or moved on.
    - `hours` names the hours of which it holds milk, ascending.
    - `debts` are (time, units) that flow took and the tank did not hold, ascending: milk that was
      metered up to that time pays them as it comes in.
    - The gauge's last level (at `gauge_ms`), and of its day (since 1970 in UTC) what was seen to
      come in, what flowed out and how far both are from what the level did. `gauge_credit_units`
      came in by the chain's account and were not seen to rise yet, `gauge_due_units` left by it and
      were not seen to fall; `gauge_pending_units` flowed out since that level. `gauge_owed` are
      (time, units) of the drift that rose, ascending: milk that is collected late may explain it.
      `gauge_before_units` came in or flowed out on a day before; by `gauge_slack_units` the day's
      account may have begun wrong, since other lines had claimed up to other times.

    A tank that a line draws from before anything came in has no name yet.
    """

    mmu: WireAddress
    plant: str
    name: str
    height: Height
    collected_units: WireUnits = Units(0)
    arrived_units: WireUnits = Units(0)
    drawn_units: WireUnits = Units(0)
    lost_units: WireUnits = Units(0)
    lapsed_units: WireUnits = Units(0)
    void_units: WireUnits = Units(0)
    moved_units: WireUnits = Units(0)
    hours: Annotated[tuple[Counter, ...], Meta(max_length=HOURS_MAX)] = ()
    debts: Annotated[tuple[tuple[Millis, WireUnits], ...], Meta(max_length=DEBTS_MAX)] = ()
    gauge_device: WirePublicKey = NO_DEVICE
    gauge_value_units: WireUnits = Units(0)
    gauge_day: Counter = 0
    gauge_in_units: WireUnits = Units(0)
    gauge_out_units: WireUnits = Units(0)
    gauge_drift_units: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] = 0
    gauge_credit_units: WireUnits = Units(0)
    gauge_due_units: WireUnits = Units(0)
    gauge_pending_units: WireUnits = Units(0)
    gauge_ms: Millis = 0
    gauge_owed: Annotated[tuple[tuple[Millis, WireUnits], ...], Meta(max_length=OWED_MAX)] = ()
    gauge_before_units: WireUnits = Units(0)
    gauge_slack_units: WireUnits = Units(0)

    @property
    def gone_units(self) -> int:
        """Give what came in and is not held any more."""
        return (
            self.drawn_units
            + self.lost_units
            + self.lapsed_units
            + self.void_units
            + self.moved_units
        )

    @property
    def held_units(self) -> int:
        """Give what stands in the tank: what its portions sum to."""
        return self.collected_units + self.arrived_units - self.gone_units


class MeterPoint(Struct, frozen=True, array_like=True, order=True):
    """A sample of a meter's total, in order of number; `reset` if the total fell just before it."""

    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    time_ms: Millis
    value: Annotated[int, Meta(ge=0, le=2**53)]
    reset: bool = False


class MeterGap(Struct, frozen=True, array_like=True):
    """A stretch of a meter that collections passed over; None is its beginning."""

    since: MeterPoint | None
    until: MeterPoint


class MeterUse(Struct, frozen=True, array_like=True):
    """How far a meter's total was collected, and the gaps before that, in order."""

    through: MeterPoint
    gaps: Annotated[tuple[MeterGap, ...], Meta(max_length=GAPS_MAX)] = ()
