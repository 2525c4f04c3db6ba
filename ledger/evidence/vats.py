"""Vats: milk that is heated where it stands, and then drains (spec ledger §7.4)."""

from collections.abc import Mapping, Sequence

from ledger.evidence.flowing import pairs_of
from ledger.evidence.spans import Spans, intersect, merge
from ledger.evidence.watching import Watch
from ledger.params import BATCH_HOLD_MS, Parameters
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
    hour, with nothing flowing; it ends when a gauge rises, or before more than the vat's litres
    have drained. A hold and its drain stand in one window.
    """
    holds = good[Instrument.HOLD_THERMOMETER]
    stirred = [pair for pair in pairs_of(flow.track) if pair[2]]
    held = _held_spans(places[Instrument.HOLD_THERMOMETER], holds)
    drains = []
    for number, (begin, _) in enumerate(held):
        ready_ms = begin + BATCH_HOLD_MS
        if any(first < ready_ms and last > begin for first, last, _ in stirred):
            continue
        next_ms = held[number + 1][0] if number + 1 < len(held) else FOR_EVER_MS
        stop_ms = min(next_ms, _filled_ms(places[Instrument.TANK_GAUGE], begin))
        if stop_ms > ready_ms:
            drains.append((ready_ms, _drained_by(line, rules, stirred, flow, ready_ms, stop_ms)))
    kept = merge(drain for drain in drains if drain[1] > drain[0])
    holds[:] = [kept for _ in holds]


def _held_spans(thermometers: Sequence[Watch], good: Sequence[Spans]) -> Spans:
    """Give the times, each of half an hour at least, in which all of a vat was hot enough."""
    on_duty = [
        spans
        for watch, spans in zip(thermometers, good, strict=True)
        if watch.linked or watch.track.times
    ]
    hot = on_duty[0] if on_duty else []
    for spans in on_duty[1:]:
        hot = intersect(hot, spans)
    return [(begin, end) for begin, end in hot if end - begin >= BATCH_HOLD_MS]


def _filled_ms(gauges: Sequence[Watch], since_ms: int) -> int:
    """Give when a gauge first rises after a time; at once, if there is no gauge to see it."""
    if not gauges:
        return since_ms
    rises = [
        track.times[i - 1]
        for track in (each.track for each in gauges)
        for i in range(1, len(track.times))
        if track.values[i] > track.values[i - 1] and track.times[i - 1] >= since_ms
    ]
    return min(rises, default=FOR_EVER_MS)


def _drained_by(
    line: Line,
    rules: Parameters,
    pairs: Sequence[tuple[int, int, int]],
    flow: Watch,
    ready_ms: int,
    stop_ms: int,
) -> int:
    """Give until when a drain stays within the vat's litres."""
    if flow.track.unit is None:
        return ready_ms
    drained, until_ms = 0, ready_ms
    for first, last, rise in pairs:
        if first < ready_ms:
            continue
        drained += rise
        over = exact_volume(flow.track.unit, drained, rules.density_mg_per_l) > line.vat_units
        if last > stop_ms or over:
            break
        until_ms = last
    return until_ms
