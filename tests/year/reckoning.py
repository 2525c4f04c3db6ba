"""The reckoning: what truly flowed as good milk, what was minted, and what the rest was near to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ledger.types.window import WindowClaim
from tests.year.devices import Device
from tests.year.plant import Plant

NEAR_MS: Final = 40_000
"""So near to an event, what is lost is put down to it."""
OFF: Final = ("restart", "lost journal")
"""While these last, an instrument is off: what flows then nobody sees, whatever the law."""


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
    most: Counter = field(default_factory=Counter)
    """The most of it at once, by what it was near to."""
    unseen_ml: float = 0.0
    """Of what is lost, what flowed while an instrument was off."""
    short_ml: int = 0
    """Of what is lost, what the tank had no milk for any more."""
    delay_ms: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def lost_ppm(self) -> float:
        """Give what did not count, of a million litres that were good and are claimed."""
        return 1e6 * sum(self.lost.values()) / self.true_ml if self.true_ml else 0.0

    @property
    def by_law_ppm(self) -> float:
        """Give what of it is the law's doing.

        It is not, that nobody saw some, nor that milk which was minted when it was not good yet has
        no second litre once it is: a diverted litre flows back into the tank, and comes again.
        """
        twice_ml = min(self.short_ml, self.false_ml)
        law_ml = sum(self.lost.values()) - self.unseen_ml - twice_ml
        return 1e6 * law_ml / self.true_ml if self.true_ml else 0.0

    def take(
        self, claim: WindowClaim, flow: Device, from_ms: int, now_ms: int, short_ml: int
    ) -> None:
        """Reckon a window that the chain took; `short_ml` counted and had no milk in the tank."""
        true = flow.true_ms
        begin = true.get(from_ms, from_ms)
        end = true.get(claim.to_ms, claim.to_ms)
        good = self.plant.good_ml
        self.windows += 1
        self.short_ml += short_ml
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
        self.most[name] = max(self.most[name], missed)
        self.unseen_ml += self._while_off(begin, end)
        if name == "unexplained":
            self.told.append(f"{begin}..{end}: {missed:.0f} mL")

    def _while_off(self, begin: int, end: int) -> float:
        """Give what of a gap flowed while an instrument was off."""
        good = self.plant.good_ml
        return sum(
            good(min(end, to_ms)) - good(max(begin, from_ms))
            for from_ms, to_ms, name in self.plant.events
            if name in OFF and from_ms < end and begin < to_ms
        )
