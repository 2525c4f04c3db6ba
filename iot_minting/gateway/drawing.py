"""Drawing: which of a window's counted intervals the tank has milk for (spec §8).

Pure. The chain draws each interval's milk from what was metered before the interval began, behind a
vat before its hold did; oldest first, none older than the law lets milk become. Where milk ran out
in the middle of an interval and more was metered meanwhile, the interval is parted there: so what
counts is the same for any cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.evidence import JudgedWindow
from ledger.types.window import Interval


@dataclass(frozen=True, slots=True)
class TankMilk:
    """A portion of milk in the tank: from when to when it was metered, and what is left of it."""

    first_ms: int
    last_ms: int
    units: int


class Drawing:
    """Draws a window's milk from a tank. `missing_units` is what counted and had no milk.

    `short_ms` is the sample of the flow meter up to which there was milk for all.
    """

    def __init__(self, tank: Sequence[TankMilk]) -> None:
        self._tank = tank
        self.missing_units = self.short_ms = 0

    def choose(self, window: JudgedWindow) -> list[Interval]:
        """Give the intervals of a window, or the parts of them, that the tank has milk for."""
        if not any(step.counts for step in window.steps):
            return []  # Nobody may know in which unit its flow meter tells what does not count.
        draw = _Draw(window, self._tank)
        for step in window.steps:
            if step.counts:
                draw.take(step.from_ms, step.to_ms, step.rise)
            else:
                draw.close()
        draw.close()
        counted = sum(each.steps for each in draw.chosen)
        whole = sum(step.rise for step in window.steps if step.counts)
        self.missing_units = window.units(whole) - window.units(counted)
        self.short_ms = draw.short_ms
        return draw.chosen


class _Draw:
    """One pass over a window's steps."""

    def __init__(self, window: JudgedWindow, tank: Sequence[TankMilk]) -> None:
        self._window = window
        oldest_ms = window.to_ms - window.facts.rules.collection_age_ms_max
        fresh = [milk for milk in tank if milk.first_ms >= oldest_ms]
        self._milk = sorted(fresh, key=lambda milk: (milk.last_ms, milk.first_ms))
        self._left = [milk.units for milk in self._milk]
        self._counted = self._drawn = 0
        # Where a step is no whole unit, the chain may round an interval up by one.
        self._slack = 0 if window.units(1) * 10**6 == window.units(10**6) else 1
        self._open: Interval | None = None
        self._budget = 0
        self.short_ms = 0
        self.chosen: list[Interval] = []

    def take(self, from_ms: int, to_ms: int, rise: int) -> None:
        """Count a step, or as much of it as there is milk for."""
        if self._open is not None and self._open.to_ms != from_ms:
            self.close()
        if self._open is not None and self._need(self._open.steps + rise) > self._budget:
            self.close()
        if self._open is None:
            self._budget = self._held(self._window.metered_by(from_ms)) - self._slack
            self._open = Interval(from_ms, from_ms, 0)
        begun = self._open
        steps = begun.steps + rise
        if self._need(steps) <= self._budget:
            self._open = Interval(begun.from_ms, to_ms, steps)
            return
        self.short_ms = self.short_ms or from_ms
        self._open = Interval(begun.from_ms, to_ms, self._most(begun.steps, steps))
        self.close()

    def close(self) -> None:
        """End the open interval, and take its milk out of the tank."""
        begun, self._open = self._open, None
        if begun is None or not begun.steps:
            return
        need = self._need(begun.steps)
        self.chosen.append(begun)
        self._counted += begun.steps
        self._drawn += need
        before_ms = self._window.metered_by(begun.from_ms)
        for place, milk in enumerate(self._milk):
            if milk.last_ms > before_ms or not need:
                break
            part = min(need, self._left[place])
            self._left[place] -= part
            need -= part

    def _need(self, steps: int) -> int:
        """Give the milk that so many further steps take: a lot is floored once, over its sum."""
        return self._window.units(self._counted + steps) - self._drawn

    def _held(self, before_ms: int) -> int:
        pairs = zip(self._milk, self._left, strict=True)
        return sum(left for milk, left in pairs if milk.last_ms <= before_ms)

    def _most(self, low: int, high: int) -> int:
        """Give the most steps that the budget has milk for."""
        while low < high:
            middle = (low + high + 1) // 2
            if self._need(middle) <= self._budget:
                low = middle
            else:
                high = middle - 1
        return low
