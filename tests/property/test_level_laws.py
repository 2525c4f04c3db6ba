"""Laws of levels: the windows of an honest tank are never refused for what its gauge shows.

Milk is poured hours after it was metered, its collections come on the chain up to 36 h after that,
in any order; it flows while it is poured; flow meter and gauge differ by less than agreement
allows, and each level is up to a step off. What the chain does not know yet flows as lost.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS
from ledger.rules.levels import Level, note_level
from ledger.rules.portions import draw, draw_lost, lapse, put, tank_of
from ledger.state.tanks import Portion
from ledger.types.reading import Unit
from tests.support.ledger.dairy import NOW_MS, PLANT, key
from tests.support.ledger.metering import CollectingTown, available

MORNING_MS = NOW_MS // DAY_MS * DAY_MS
LATE_H = 36
MILLILITRE = 1_000


@dataclass(frozen=True)
class Can:
    """Milk that a farm metered; hours later it is poured into the tank, and collected."""

    metered_h: int
    poured_after_h: int
    collected_after_h: int
    litres: int


@dataclass(frozen=True)
class Run:
    """A window: hours since the one before, the part of the tank that flows, what is off."""

    hours: int
    part: Fraction
    steps_off: int


cans = st.lists(
    st.builds(
        Can, st.integers(0, 120), st.integers(0, 24), st.integers(0, LATE_H), st.integers(1, 3_000)
    ),
    max_size=40,
)
runs = st.lists(
    st.builds(
        Run, st.integers(1, 9), st.fractions(0, 1, max_denominator=20), st.sampled_from([-1, 0, 1])
    ),
    min_size=5,
    max_size=40,
)


class HonestTank:
    """A tank, what stands in it, and what the chain knows."""

    def __init__(self, milk: list[Can], off: Fraction) -> None:
        self.town = CollectingTown()
        self.state, self.name = self.town.state, self.town.tank
        self.waiting, self.pouring = list(milk), list(milk)
        self.off, self.stands, self.hour = off, 0, 0
        self.level(0)

    def level(self, steps_off: int, out: int = 0) -> None:
        shown = max(0, self.stands // MILLILITRE + steps_off)
        at_ms = MORNING_MS + self.hour * HOUR_MS
        level = Level(key("tank_gauge").public, Unit.MILLILITRE, shown, at_ms)
        note_level(self.state, self.name, level, out)

    def collect(self, can: Can) -> None:
        units = can.litres * 1_000_000
        held = replace(tank_of(self.state, self.name), mmu=self.town.mmu, plant=PLANT, name="raw")
        held = replace(
            held,
            collected_units=held.collected_units + units,
            gauge_credit_units=held.gauge_credit_units + units,
        )
        at_ms = MORNING_MS + can.metered_h * HOUR_MS
        farm, meter = self.town.address("farm-0"), key("meter-0").public
        put(self.state, self.name, held, [Portion(farm, meter, at_ms, at_ms, units)])
        lapse(self.state, self.name, MORNING_MS + self.hour * HOUR_MS)

    def run(self, run: Run) -> None:
        self.hour += run.hours
        for can in [c for c in self.waiting if c.metered_h + c.collected_after_h <= self.hour]:
            self.waiting.remove(can)
            self.collect(can)
        for can in [c for c in self.pouring if c.metered_h + c.poured_after_h <= self.hour]:
            self.pouring.remove(can)
            self.stands += can.litres * 1_000_000
        out = floor(self.stands * run.part)
        self.stands -= out
        out = floor(out * (1 + self.off))
        before_ms = MORNING_MS + self.hour * HOUR_MS
        known = min(out, available(self.state, self.name, before_ms, before_ms - 3 * DAY_MS))
        draw(self.state, self.name, known, before_ms, before_ms - 3 * DAY_MS)
        draw_lost(self.state, self.name, out - known, before_ms)
        self.level(run.steps_off, out)


@given(cans, runs, st.fractions(Fraction(-1, 101), Fraction(1, 101), max_denominator=2_000))
@settings(max_examples=100, deadline=None)
def test_an_honest_tank_is_never_refused(
    milk: list[Can], windows: list[Run], off: Fraction
) -> None:
    tank = HonestTank(milk, off)
    for window in windows:
        tank.run(window)
