"""Limits: which sample of an instrument lets milk count (spec ledger §7.4, `params`).

A limit carries the probe's uncertainty at its temperature. What no working probe shows in milk is
no sample at all: a broken one must not read as cold enough.
"""

from dataclasses import dataclass
from typing import Final

from ledger.params import GAUGE_GAP_MS, WATCH_GAP_MS, Parameters
from ledger.types.evidence import HeatProcess, Instrument, MilkKind

PHYSICAL_LEAST_MDEGC: Final = -2_000
"""Colder than -2 degrees C milk is frozen, and no line pumps it."""
PHYSICAL_MOST_MDEGC: Final = 160_000
FORWARD: Final = 1
DIVERTED: Final = 0

WATCHERS: Final = (
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)
"""Places that must watch all milk that counts."""


def longest_gap_ms(instrument: Instrument) -> int:
    """Give how long an instrument may be silent while milk counts."""
    return GAUGE_GAP_MS if instrument is Instrument.TANK_GAUGE else WATCH_GAP_MS


@dataclass(frozen=True, slots=True)
class Limits:
    """The least and the most that each watcher may show, in its own unit."""

    hold: tuple[int, int]
    outlet: tuple[int, int]

    def allow(self, instrument: Instrument, value: int) -> bool:
        """Tell whether milk may count while an instrument shows this."""
        match instrument:
            case Instrument.HOLD_THERMOMETER:
                return self.hold[0] <= value <= self.hold[1]
            case Instrument.OUTLET_THERMOMETER:
                return self.outlet[0] <= value <= self.outlet[1]
            case Instrument.DIVERSION_VALVE:
                return value == FORWARD
            case _:
                return True


def limits_of(rules: Parameters, kind: MilkKind, process: HeatProcess) -> Limits:
    """Give the limits of a kind of milk in a process."""
    most = rules.vat_most_mdegc if process is HeatProcess.BATCH else PHYSICAL_MOST_MDEGC
    return Limits(
        hold=(rules.hold_mdegc(kind, process), most),
        outlet=(PHYSICAL_LEAST_MDEGC, rules.outlet_most_mdegc),
    )
