"""Vats: milk that is heated where it stands, and then drains (spec ledger §7.4)."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.evidence.flowing import pairs_of
from ledger.evidence.spans import Spans, covers, intersect, merge
from ledger.evidence.watching import Watch
from ledger.params import BASIS_POINTS, BATCH_DRAIN_MS, BATCH_HOLD_MS, Parameters
from ledger.rules.measure import exact_volume
from ledger.state.lines import FOR_EVER_MS, Line
from ledger.types.evidence import Instrument


def keep_drains(
    line: Line,
    rules: Parameters,
    places: Mapping[Instrument, list[Watch]],
    good: Mapping[Instrument, list[Spans]],
    flow: Watch,
) -> None:
    """Let a vat's hold thermometers be good while what it held drains, and at no other time.

    One hold serves one drain: it begins once every thermometer of the vat was good for its half
    hour, with nothing flowing; it ends when a gauge rises, long after the milk was hot, or before
    more has drained than the vat holds or than its gauges fell by. A hold and its drain stand in
    one window.
    """
    holds = good[Instrument.HOLD_THERMOMETER]
    stirred = [pair for pair in pairs_of(flow.track) if pair[2]]
    gauges = places[Instrument.TANK_GAUGE]
    held = _held_spans(places[Instrument.HOLD_THERMOMETER], holds)
    drains = []
    for number, (begin, end) in enumerate(held):
        ready_ms = begin + BATCH_HOLD_MS
        if any(first < ready_ms and last > begin for first, last, _ in stirred):
            continue
        next_ms = held[number + 1][0] if number + 1 < len(held) else FOR_EVER_MS
        stop_ms = min(next_ms, _filled_ms(gauges, begin), end + BATCH_DRAIN_MS)
        if stop_ms > ready_ms:
            left = _Left(line, rules, gauges, ready_ms)
            drains.append((ready_ms, _drained_by(left, stirred, flow, ready_ms, stop_ms)))
    kept = merge(drain for drain in drains if drain[1] > drain[0])
    holds[:] = [kept for _ in holds]


def _held_spans(thermometers: Sequence[Watch], good: Sequence[Spans]) -> Spans:
    """Give the times, each of half an hour at least, in which all of a vat was hot enough."""
    on_duty = [spans for watch, spans in zip(thermometers, good, strict=True) if watch.spoke]
    hot = on_duty[0] if on_duty else []
    for spans in on_duty[1:]:
        hot = intersect(hot, spans)
    return [(begin, end) for begin, end in hot if end - begin >= BATCH_HOLD_MS]


def _filled_ms(gauges: Sequence[Watch], since_ms: int) -> int:
    """Give when a gauge first rises after a time."""
    rises = [
        track.times[i - 1]
        for track in (each.track for each in gauges)
        for i in range(1, len(track.times))
        if track.values[i] > track.values[i - 1] and track.times[i - 1] >= since_ms
    ]
    return min(rises, default=FOR_EVER_MS)


@dataclass(frozen=True, slots=True)
class _Left:
    """What may have left a vat since it was ready to drain."""

    line: Line
    rules: Parameters
    gauges: Sequence[Watch]
    ready_ms: int

    def allows(self, drained: Fraction, at_ms: int) -> bool:
        """Tell whether every gauge on duty fell by as much, by when it was next read; one must."""
        on_duty = [each for each in self.gauges if each.spoke]
        most_bp = BASIS_POINTS + self.rules.agreement_bp
        return bool(on_duty) and all(
            drained * BASIS_POINTS <= self._fell(each, at_ms) * most_bp for each in on_duty
        )

    def _fell(self, gauge: Watch, at_ms: int) -> Fraction:
        """Give how far a gauge fell, and a step of it; nothing where it may not serve."""
        track = gauge.track
        full = bisect_right(track.times, self.ready_ms) - 1
        after = bisect_left(track.times, at_ms)
        unseen = track.unit is None or full < 0 or after >= len(track.times)
        if unseen or not covers(gauge.serving(), self.ready_ms, at_ms):
            return Fraction(0)
        assert track.unit is not None
        steps = track.values[full] - track.values[after] + 1
        return exact_volume(track.unit, steps, self.rules.density_mg_per_l)


def _drained_by(
    left: _Left, pairs: Sequence[tuple[int, int, int]], flow: Watch, ready_ms: int, stop_ms: int
) -> int:
    """Give until when a drain stays within the vat's litres, and its gauges saw it go."""
    if flow.track.unit is None:
        return ready_ms
    drained, until_ms = 0, ready_ms
    for first, last, rise in pairs:
        if first < ready_ms:
            continue
        drained += rise
        volume = exact_volume(flow.track.unit, drained, left.rules.density_mg_per_l)
        if last > stop_ms or volume > left.line.vat_units:
            break
        if left.allows(volume, last):
            until_ms = last
    return until_ms
