"""A plant as it truly is: what flows, how hot, which way, and what stands in the tank.

All times are true milliseconds. Instruments look at it through clocks and steps of their own
(`devices`); nobody else does but the reckoning (`reckoning`), which asks what honestly flowed.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from random import Random
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
LEGAL_MDEGC: Final = 73_000
HOT_MDEGC: Final = 75_500
TRIP_MDEGC: Final = 74_000
"""Below it the valve diverts: above the law's 73.3, so that it has moved before milk is cold."""
COLD_MDEGC: Final = 3_000
AMBIENT_MDEGC: Final = 20_000
FLOW_ML_S: Final = 2_222
"""8,000 litres an hour."""
HEEL_ML: Final = 400_000
"""What stays in the tank when a day's milk is done."""


@dataclass(frozen=True, slots=True)
class Causes:
    """What befalls the plant; how often, where it is a number: events in a hundred days."""

    skew_ms: int = 0
    """How far apart the clocks of two instruments stand at most."""
    dips: int = 0
    chatters: int = 0
    cleaning: bool = False
    exchanges: bool = False
    restarts: int = 0
    idle_restarts: int = 0
    outages: int = 0
    lost_journals: int = 0
    renewals: int = 0
    lapses: int = 0
    late: int = 0
    """Of a hundred milkings, how many meters' readings come hours late."""
    gauge_noise: int = 0
    """By how many of its steps (a litre) the tank's gauge shows too little at times."""


YEAR: Final = Causes(
    skew_ms=5_000,
    dips=50,
    chatters=25,
    cleaning=True,
    exchanges=True,
    restarts=1,
    idle_restarts=5,
    outages=2,
    lost_journals=1,
    renewals=60,
    lapses=2,
    late=5,
    gauge_noise=1,
)
"""What befalls a plant in a year."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of flow: mL a second, temperature from and to, which way; milk or water."""

    from_ms: int
    to_ms: int
    flow: int
    hold: tuple[int, int]
    outlet: int
    forward: bool
    milk: bool

    def hold_at(self, at_ms: int) -> float:
        """Give the temperature in the holding tube."""
        part = (at_ms - self.from_ms) / (self.to_ms - self.from_ms)
        return self.hold[0] + (self.hold[1] - self.hold[0]) * part

    @property
    def good(self) -> bool:
        """Tell whether it is milk that flows hot, cold behind the cooler, and forward."""
        return self.milk and self.forward and min(self.hold) >= LEGAL_MDEGC


@dataclass
class Plant:
    """Segments by time, and running sums at their beginnings; pours into the tank."""

    segments: list[Segment] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)
    goods: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pour_ms: list[int] = field(default_factory=list)
    poured: list[float] = field(default_factory=list)
    events: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, segment: Segment) -> None:
        """Let a segment follow the ones before it."""
        self.segments.append(segment)
        self.starts.append(segment.from_ms)
        total, good, drawn = self.sums
        self.totals.append(total)
        self.goods.append(good)
        self.drawn.append(drawn)
        volume = segment.flow * (segment.to_ms - segment.from_ms) / 1_000
        leaves = segment.milk and segment.forward
        self.sums = (
            total + volume,
            good + volume * segment.good,
            drawn + volume * leaves,
        )

    def at(self, at_ms: int) -> Segment | None:
        """Give the segment of a time; None when nothing flows."""
        place = bisect_right(self.starts, at_ms) - 1
        if place < 0 or self.segments[place].to_ms <= at_ms:
            return None
        return self.segments[place]

    def _sum(self, sums: list[float], which: int, at_ms: float, what: str) -> float:
        place = bisect_right(self.starts, at_ms) - 1
        if place < 0:
            return 0.0
        segment = self.segments[place]
        flows = {
            "all": True,
            "good": segment.good,
            "drawn": segment.milk and segment.forward,
        }[what]
        inside = min(at_ms, segment.to_ms) - segment.from_ms
        return sums[place] + (segment.flow * inside / 1_000 if flows else 0.0)

    def total_ml(self, at_ms: float) -> float:
        """Give all that flowed up to a time."""
        return self._sum(self.totals, 0, at_ms, "all")

    def good_ml(self, at_ms: float) -> float:
        """Give what flowed as good milk up to a time."""
        return self._sum(self.goods, 1, at_ms, "good")

    def pour(self, from_ms: int, volume_ml: float) -> None:
        """Pour a tanker's milk into the tank, within ten minutes."""
        self.pour_ms.append(from_ms)
        self.poured.append(volume_ml)

    def level_ml(self, at_ms: int) -> float:
        """Give what stands in the tank."""
        level = -self._sum(self.drawn, 2, at_ms, "drawn")
        length_ms = 10 * MINUTE_MS
        for begun_ms, volume in zip(self.pour_ms, self.poured, strict=True):
            level += volume * min(1.0, max(0.0, (at_ms - begun_ms) / length_ms))
        return level

    def settle(self, before_ms: int) -> None:
        """Join pours that are over, so that the list stays short."""
        done = [p for p in zip(self.pour_ms, self.poured, strict=True) if p[0] < before_ms]
        if len(done) > 1:
            rest = [p for p in zip(self.pour_ms, self.poured, strict=True) if p[0] >= before_ms]
            joined = [(done[-1][0], sum(p[1] for p in done)), *rest]
            self.pour_ms = [p[0] for p in joined]
            self.poured = [p[1] for p in joined]

    def valve_changes(self, from_ms: int, to_ms: int) -> list[int]:
        """List when the valve moves, between two times."""
        found = []
        low, high = bisect_left(self.starts, from_ms), bisect_left(self.starts, to_ms)
        for place in range(low, high):
            begun = self.segments[place]
            before = self.segments[place - 1] if place else None
            joined = before is not None and before.to_ms == begun.from_ms
            was = before.forward if joined and before is not None else False
            if was != begun.forward:
                found.append(begun.from_ms)
        return found

    def is_active(self, at_ms: int) -> bool:
        """Tell whether something flows within two minutes of a time."""
        near = 2 * MINUTE_MS
        place = bisect_right(self.starts, at_ms + near) - 1
        return place >= 0 and self.segments[place].to_ms + near > at_ms


class DayPlan:
    """Plans days of a plant: production, dips and chatter of the valve in it, and cleaning."""

    def __init__(self, plant: Plant, causes: Causes, rng: Random) -> None:
        self.plant, self.causes, self.rng = plant, causes, rng
        self._at = 0

    def flow(self, seconds: float, hold: tuple[int, int], *, forward: bool, **more: object) -> None:
        """Let milk, or what is said, flow on from here."""
        to_ms = self._at + round(seconds * 1_000)
        parts = {"flow": FLOW_ML_S, "outlet": COLD_MDEGC, "milk": True} | more
        self.plant.add(Segment(self._at, to_ms, hold=hold, forward=forward, **parts))
        self._at = to_ms

    def day(self, day_ms: int, begin_ms: int) -> tuple[int, int]:
        """Plan a day's production from a time on; give when it begins and ends."""
        self._at = begin_ms
        self.flow(360, (AMBIENT_MDEGC, HOT_MDEGC), forward=False)
        self.flow(10, (HOT_MDEGC, HOT_MDEGC), forward=False)
        stock_ml = self.plant.level_ml(self._at) - HEEL_ML
        seconds = int(stock_ml / FLOW_ML_S)
        troubles = [
            name
            for name, often in (("dip", self.causes.dips), ("chatter", self.causes.chatters))
            for _ in range(self._times(often))
        ]
        self.rng.shuffle(troubles)
        parts = len(troubles) + 1
        for number in range(parts):
            self.flow(max(60, seconds / parts), (HOT_MDEGC, HOT_MDEGC), forward=True)
            if number < len(troubles):
                begun_ms = self._at
                getattr(self, f"_{troubles[number]}")()
                self.plant.events.append((begun_ms, self._at, troubles[number]))
        ended_ms = self._at
        # The pump stands before the valve moves.
        self.flow(5, (HOT_MDEGC, HOT_MDEGC), forward=True, flow=0)
        self.flow(120, (HOT_MDEGC, 60_000), forward=False, flow=0)
        self.plant.events.append((begin_ms, begin_ms + 380_000, "start"))
        self.plant.events.append((ended_ms - 5_000, ended_ms + 5_000, "end"))
        if self.causes.cleaning:
            self._clean()
        return begin_ms, ended_ms

    def _times(self, often: int) -> int:
        whole, part = divmod(often, 100)
        return whole + (self.rng.random() * 100 < part)

    def _dip(self) -> None:
        """Fall by half a degree a second to 72.5 and rise again; the valve has moved in time."""
        low, half = 72_500, 500
        trip_s = (HOT_MDEGC - TRIP_MDEGC) / half + 0.5
        tripped = round(HOT_MDEGC - trip_s * half)
        self.flow(trip_s, (HOT_MDEGC, tripped), forward=True)
        self.flow((tripped - low) / half, (tripped, low), forward=False)
        self.flow(8, (low, low), forward=False)
        self.flow((HOT_MDEGC - low) / half, (low, HOT_MDEGC), forward=False)
        self.flow(3, (HOT_MDEGC, HOT_MDEGC), forward=False)

    def _chatter(self) -> None:
        """Move the valve to and fro, with milk hot all the while."""
        for seconds, forward in (
            (0.4, False),
            (0.7, True),
            (0.3, False),
            (1.1, True),
            (0.5, False),
        ):
            self.flow(seconds, (HOT_MDEGC, HOT_MDEGC), forward=forward)

    def _clean(self) -> None:
        """Clean the line: rinse, lye, acid, rinse; water through the meter, the tank stands."""
        self._at += 20 * MINUTE_MS
        begun_ms = self._at
        for seconds, hold, outlet, forward in (
            (240, 18_000, 16_000, True),
            (480, 75_000, 70_000, False),
            (60, 75_000, 70_000, True),
            (420, 65_000, 60_000, True),
            (300, 18_000, 15_000, True),
        ):
            self.flow(seconds, (hold, hold), forward=forward, flow=2_500, outlet=outlet, milk=False)
        self.plant.events.append((begun_ms, self._at, "cleaning"))
