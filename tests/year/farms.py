"""Farms of the simulated plant: cows are milked twice a day, a meter counts, a tanker brings it."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from tests.year.plant import HOUR_MS, MINUTE_MS

MILKINGS: Final = ((5 * HOUR_MS, "morning"), (16 * HOUR_MS, "evening"))
MILKING_MS: Final = 40 * MINUTE_MS
MILKING_ML: Final = 1_500_000


@dataclass
class Farm:
    """A farm's milkings: when each began and what it gave."""

    number: int
    begun_ms: list[int] = field(default_factory=list)
    before_ml: list[int] = field(default_factory=list)
    total_ml: int = 0

    def milk(self, at_ms: int, volume_ml: int) -> None:
        """Milk the cows from a time on."""
        self.begun_ms.append(at_ms)
        self.before_ml.append(self.total_ml)
        self.total_ml += volume_ml

    def metered(self, at_ms: int) -> int:
        """Give the meter's total."""
        place = bisect_right(self.begun_ms, at_ms) - 1
        if place < 0:
            return 0
        after = self.before_ml[place + 1] if place + 1 < len(self.before_ml) else self.total_ml
        part = min(1.0, (at_ms - self.begun_ms[place]) / MILKING_MS)
        return self.before_ml[place] + round((after - self.before_ml[place]) * part)

    def is_milking(self, at_ms: int) -> bool:
        """Tell whether cows are milked within two minutes of a time."""
        place = bisect_right(self.begun_ms, at_ms + 2 * MINUTE_MS) - 1
        return place >= 0 and at_ms < self.begun_ms[place] + MILKING_MS + 2 * MINUTE_MS
