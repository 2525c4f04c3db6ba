"""A herd: which cow is milked next, how much she gives, and what a meter says of it. Seeded.

A cow gives about as much each time; herds differ. Volumes are whole millilitres, as a milk meter
with temperature compensation counts them.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from iot_minting.device.live import LiveDevice

YIELD_ML: Final = (6_000, 18_000)
"""What a cow gives at one of two milkings a day: 12 to 36 litres daily, tropical crossbred."""
SPREAD: Final = 0.12
SAMPLES: Final = 10
METER_IDLE_S: Final = 10.0
"""How long a meter is silent where nobody milks; a device is never silent for a minute."""


@dataclass(slots=True)
class Herd:
    """Cows in the order of their milking; `milk` gives the next one's yield."""

    cows: int
    random: Random
    _usual_ml: list[int] = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        """Give every cow her usual yield."""
        assert self.cows > 0
        self._usual_ml = [self.random.randint(*YIELD_ML) for _ in range(self.cows)]

    def milk(self) -> int:
        """Milk the next cow; give millilitres."""
        usual = self._usual_ml[self._next % self.cows]
        self._next += 1
        low, high = YIELD_ML
        return min(high, max(low, round(self.random.gauss(usual, usual * SPREAD))))

    def pause_s(self, mean_s: float) -> float:
        """Tell how long until the next cow stands in the parlour."""
        return self.random.uniform(0.6, 1.4) * mean_s


def milking_curve(total: int, amount: int, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Give a totalizer's samples over one milking: quick at first, slower to the end.

    The first sample is the total before, the last exactly the total after.
    """
    assert end_ms > start_ms
    steps = SAMPLES - 1
    samples = []
    for step in range(SAMPLES):
        done = 1 - (steps - step) ** 2 / steps**2  # Falls off as the udder empties.
        value = total + (amount if step == steps else int(amount * done))
        samples.append((start_ms + (end_ms - start_ms) * step // steps, value))
    return samples


def say_idle(meter: LiveDevice, now_ms: int) -> None:
    """Let a meter repeat its total if it has been silent for long."""
    if now_ms - meter.last_ms >= METER_IDLE_S * 1_000:
        meter.record([(now_ms, meter.value)])
