"""Flow: what a flow meter's total rose between its samples, and where it ran too fast.

And where it is told in another unit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ledger.evidence.terms import WindowTerms
from ledger.evidence.tracks import Track
from ledger.params import HOUR_MS, WATCH_GAP_MS, Parameters
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.instruments import measured_unit
from ledger.rules.measure import exact_volume
from ledger.state.lines import Line
from ledger.types.evidence import HeatProcess


def pairs_of(track: Track) -> Iterable[tuple[int, int, int]]:
    """List (from, to, rise): a total that fell was reset, and counts from its first sample."""
    times, values = track.times, track.values
    for i in range(1, len(times)):
        yield times[i - 1], times[i], max(0, values[i] - values[i - 1])


@dataclass(frozen=True, slots=True)
class Totals:
    """How far a total rose since its first sample, by each."""

    times: Sequence[int]
    sums: Sequence[int]

    @classmethod
    def of(cls, track: Track) -> "Totals":
        """Sum what a flow meter's total rose."""
        rises = (rise for _, _, rise in pairs_of(track))
        return cls(track.times, list(accumulate(rises, initial=0)))

    def at(self, place: int) -> int:
        """Give the sum at a sample."""
        return self.sums[place]

    def by(self, at_ms: int) -> int:
        """Give the sum of the steps that ended by a time."""
        return self.sums[max(0, bisect_right(self.times, at_ms) - 1)]

    def beyond(self, at_ms: int) -> int:
        """Give the sum of the steps that began before a time."""
        return self.sums[min(len(self.sums) - 1, bisect_left(self.times, at_ms))]


def told_otherwise(flow: Track, terms: WindowTerms) -> int | None:
    """Give the place of the first envelope in a window that measures in another unit than it."""
    begun = flow.places[terms.known] + 1 if flow.times and terms.hidden is None else 0
    end = flow.shown_at(terms.to_ms)
    for place in range(begun, 0 if end is None else end + 1):
        if measured_unit(flow.instrument, flow.shown[place].reading) not in {None, flow.unit}:
            return place
    return None


def near_pairs(track: Track, line: Line, rules: Parameters) -> list[bool]:
    """Tell of each pair whether the flow meter is good itself: near samples, no reset, not fast.

    Over any stretch it may rise by the limit times the time, and one step of its own. What goes
    beyond voids the stretch from where it began to run ahead.
    """
    times, values = track.times, track.values
    near = [
        track.joined[i] and values[i] >= values[i - 1] and times[i] - times[i - 1] <= WATCH_GAP_MS
        for i in range(1, len(times))
    ]
    if line.process is HeatProcess.CONTINUOUS and track.unit is not None:
        _void_fast(track, line, rules, near)
    return near


def _void_fast(track: Track, line: Line, rules: Parameters, near: list[bool]) -> None:
    assert track.unit is not None
    exact = exact_volume(track.unit, 1, rules.density_mg_per_l) * HOUR_MS
    # Counted in parts of a unit that make a step of the meter whole: exact, and fast.
    a_step = exact.numerator
    per_ms = line.flow_max_l_per_h * UNITS_PER_BILL * exact.denominator
    ahead, begun = 0, 1
    for i in range(1, len(track.times)):
        rise = max(0, track.values[i] - track.values[i - 1])
        if ahead == 0:
            begun = i
        ahead += rise * a_step - per_ms * (track.times[i] - track.times[i - 1])
        if ahead > a_step:
            near[begun - 1 : i] = [False] * (i - begun + 1)
            ahead = 0
        ahead = max(ahead, 0)
