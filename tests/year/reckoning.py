"""The reckoning: what truly flowed as good milk, what was minted, and what the rest was near to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ledger.types.window import WindowClaim
from tests.year.devices import Device
from tests.year.plant import Plant

NEAR_MS: Final = 40_000
"""So near to an event, what is lost is put down to it."""


@dataclass
class Reckoning:
    """Sums over all windows that the chain took, in millilitres."""

    plant: Plant
    true_ml: float = 0.0
    counted_ml: int = 0
    minted_units: int = 0
    false_ml: float = 0.0
    """Counted, and not truly good: what instruments could not see."""
    cleaned_ml: int = 0
    diverted_ml: int = 0
    lost_ml: int = 0
    windows: int = 0
    lost: Counter = field(default_factory=Counter)
    delay_ms: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def lost_ppm(self) -> float:
        """Give what did not count, of a million litres that were good and are claimed."""
        return 1e6 * sum(self.lost.values()) / self.true_ml if self.true_ml else 0.0

    def take(self, claim: WindowClaim, flow: Device, from_ms: int, now_ms: int) -> None:
        """Reckon a window that the chain took."""
        true = flow.true_ms
        begin = true.get(from_ms, from_ms)
        end = true.get(claim.to_ms, claim.to_ms)
        good = self.plant.good_ml
        self.windows += 1
        self.minted_units += claim.units
        self.counted_ml += claim.counted_steps
        self.cleaned_ml += claim.cleaning_steps
        self.diverted_ml += claim.diverted_steps
        self.lost_ml += claim.lost_steps
        self.true_ml += good(end) - good(begin)
        if claim.units:
            self.delay_ms = max(self.delay_ms, now_ms - claim.to_ms)
        at = begin
        for interval in claim.intervals:
            since, until = true[interval.from_ms], true[interval.to_ms]
            self._gap(at, since)
            inside = good(until) - good(since)
            self.false_ml += max(0.0, interval.steps - inside)
            short = inside - interval.steps
            if short > 1:
                self.lost["not all of an interval"] += short
            at = until
        self._gap(at, end)
        for stamp in [each for each in true if each < claim.to_ms]:
            del true[stamp]

    def _gap(self, begin: int, end: int) -> None:
        missed = self.plant.good_ml(end) - self.plant.good_ml(begin)
        if missed <= 0:
            return
        near = [
            (max(0, from_ms - end, begin - to_ms), name)
            for from_ms, to_ms, name in self.plant.events
            if from_ms - NEAR_MS < end and begin < to_ms + NEAR_MS
        ]
        name = min(near, key=lambda each: each[0])[1] if near else "unexplained"
        self.lost[name] += missed
        if name == "unexplained":
            self.told.append(f"{begin}..{end}: {missed:.0f} mL")
