"""Holding: a vat's hold and its drain as a machine that is told, in order of time, what happens.

It stands hot and still (`still_ms`) for half an hour; from then on what was held may drain, until a
level rises, nobody sees the level, more would have drained than the vat holds, or four hours have
passed since it was hot. Then the half hour begins anew.

Invariant: what it is at a time rests on what was told of that time and before. Only where a drain
ends within the last step of a gauge is told by the gauge's next level.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from ledger.evidence.draining import Draining
from ledger.evidence.watching import Watch
from ledger.params import BATCH_DRAIN_MS, BATCH_HOLD_MS
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.keys import PublicKey
from ledger.state.lines import FOR_EVER_MS
from ledger.types.vat import GaugeLow, VatState


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest of a gauge since a hold began: its level, and that with all that had drained."""

    level: int
    whole: int


Lows = dict[PublicKey, Low]


@dataclass(slots=True)
class Drain:
    """When what was held may drain: from the end of its half hour until something ends it.

    `base` is where the flow's sum stood then; `lows` are its gauges' since the hold began, at
    `since_ms`.
    """

    base: int
    lows: Lows
    since_ms: int
    from_ms: int
    until_ms: int = FOR_EVER_MS


class HeldVat:
    """A vat, as far as it was told what happened to it.

    - `gauges`: by key, those of its line.
    - `from_ms`: where its window begins.
    - `known`: the place of the flow's sample up to which earlier windows counted.
    """

    def __init__(
        self,
        scale: Draining,
        gauges: Mapping[PublicKey, Watch],
        from_ms: int,
        known: int,
    ) -> None:
        self.drains: list[Drain] = []
        self._scale, self._gauges = scale, gauges
        self._sum = self._base = scale.totals.at(known)
        self._levels = {
            key: scale.level(each, each.track.values[place - 1])
            for key, each in gauges.items()
            if (place := bisect_right(each.track.times, from_ms))
            and each.track.times[place - 1] >= each.from_ms
        }
        self._lows = self._at_rest()
        self._drain: Drain | None = None
        self._still_ms: int | None = None
        self._hot_ms: int | None = None
        """Until when it was hot after its half hour; None while it is."""

    def go_on(self, before: VatState, at_ms: int, *, sealed: bool, hot: bool, still: bool) -> None:
        """Begin as an earlier window left it; tell what of that lasts into this one."""
        self._lows = {
            PublicKey(each.device): Low(each.level_units, each.whole_units)
            for each in before.gauges
        }
        if still and before.still_ms:
            self._still_ms = before.still_ms
        if sealed and before.may_drain:
            self._base = self._sum - before.drained_steps
            self._begin_drain(before.since_ms, at_ms)
            if before.hot_ms < at_ms or not hot:
                self._hot_ms = before.hot_ms

    def state(self, at_ms: int, least_mdegc: int) -> VatState | None:
        """Give what a later window must know; None if nothing is held, nor about to be."""
        if not self._lows or (self._drain is None and self._still_ms is None):
            return None
        hot_ms = at_ms if self._hot_ms is None else self._hot_ms
        lows = [
            GaugeLow(key, Units(low.level), Units(min(low.whole, UNITS_MAX)))
            for key, low in sorted(self._lows.items())
        ]
        return VatState(
            least_mdegc=least_mdegc,
            still_ms=self._still_ms or 0,
            hot_ms=hot_ms if self._drain else 0,
            since_ms=self._drain.since_ms if self._drain else 0,
            drained_steps=self._sum - self._base if self._drain else 0,
            gauges=tuple(lows),
        )

    def pass_to(self, at_ms: int) -> None:
        """Let time pass: a half hour may be over, and four hours since it was hot."""
        over_ms = FOR_EVER_MS if self._hot_ms is None else self._hot_ms + BATCH_DRAIN_MS
        if self._drain and over_ms < min(at_ms, self._held_ms()):
            self._end(over_ms)
        held_ms = self._held_ms()
        if held_ms > at_ms:
            return
        if self._drain is None:
            self._begin_drain(held_ms - BATCH_HOLD_MS, held_ms)
        self._hot_ms = None

    def flows(self, place: int) -> None:
        """Take a step of the flow: while it flows nothing is held, nor more than there was."""
        times = self._scale.totals.times
        self._sum = self._scale.totals.at(place)
        if self._drain and not self._scale.fits(self._sum - self._base):
            self._end(times[place - 1])
        self._stir(times[place])

    def hides(self, place: int) -> None:
        """Take a step in which anything may have flowed: the meter was silent, or its total reset.

        How often it was reset nobody knows, so where it stands now tells nothing of the step.
        """
        self._end(self._scale.totals.times[place - 1])
        self.flows(place)

    def reads(self, key: PublicKey, place: int) -> None:
        """Take a gauge's level: neither it, nor it with what drained, may rise."""
        gauge = self._gauges[key]
        at_ms = gauge.track.times[place]
        level = self._levels[key] = self._scale.level(gauge, gauge.track.values[place])
        if not self._lows:
            # What came in before anyone told a level would be no rise.
            self._stir(at_ms)
        before_ms = gauge.track.times[place - 1] if place else 0
        for drain in self.drains:
            if before_ms < drain.until_ms and (low := drain.lows.get(key)):
                until_ms = self._allowed_ms(drain.base, low, gauge, level, (before_ms, at_ms))
                drain.until_ms = min(drain.until_ms, until_ms)
        whole = level + self._scale.left_beyond(self._base, at_ms)
        low = self._lows.get(key, Low(level, whole))
        if self._rises(self._base, low, gauge, level, at_ms):
            self._end(at_ms)
        else:
            self._lows[key] = Low(min(low.level, level), min(low.whole, whole))

    def leaves(self, key: PublicKey, at_ms: int) -> None:
        """A gauge leaves the line: what the vat does under another is another hold's."""
        self._levels.pop(key, None)
        self._end(at_ms)

    def opens(self, at_ms: int) -> None:
        """Nobody sees from now on what comes into the vat."""
        self._still_ms = None
        self._end(at_ms)

    def cools(self, at_ms: int) -> None:
        """It is no longer hot."""
        self._still_ms = None
        if self._drain and self._hot_ms is None:
            self._hot_ms = at_ms

    def is_unseen(self, at_ms: int) -> None:
        """Nobody sees from now on whether it stands still."""
        self._still_ms = None

    def is_still(self, at_ms: int) -> None:
        """It stands hot, and is seen to stand still, from now on."""
        self._still_ms = at_ms
        self._stir(at_ms)

    def _held_ms(self) -> int:
        """Give when the half hour that is under way will be over."""
        return FOR_EVER_MS if self._still_ms is None else self._still_ms + BATCH_HOLD_MS

    def _begin_drain(self, since_ms: int, at_ms: int) -> None:
        self._drain = Drain(self._base, self._lows, since_ms, at_ms)
        self.drains.append(self._drain)

    def _end(self, at_ms: int) -> None:
        """Let nothing drain any more of what was held, and begin the half hour anew."""
        if self._drain:
            self._drain.until_ms = min(self._drain.until_ms, at_ms)
        self._drain = self._hot_ms = None
        self._stir(at_ms)

    def _stir(self, at_ms: int) -> None:
        """Begin the half hour anew; what may drain drains on."""
        if self._still_ms is not None:
            self._still_ms = max(self._still_ms, at_ms)
        if self._drain is None:
            self._base, self._lows = self._sum, self._at_rest()

    def _at_rest(self) -> Lows:
        """Give the lows of a hold that begins now."""
        return {key: Low(level, level) for key, level in self._levels.items()}

    def _rises(self, base: int, low: Low, gauge: Watch, level: int, at_ms: int) -> bool:
        """Tell whether milk came in, by the level after what flowed until a time."""
        unrest = self._scale.unrest(gauge)
        whole = level + self._scale.left_by(base, at_ms)
        return level > low.level + unrest or whole > low.whole + unrest

    def _allowed_ms(
        self, base: int, low: Low, gauge: Watch, level: int, span: tuple[int, int]
    ) -> int:
        """Give until when, in the time before a level is read, it tells of no rise."""
        times, (until_ms, at_ms) = self._scale.totals.times, span
        for place in range(bisect_right(times, until_ms), bisect_right(times, at_ms)):
            if self._rises(base, low, gauge, level, times[place]):
                return until_ms
            until_ms = times[place]
        return FOR_EVER_MS
