"""The judge: what became of each step of a flow meter's total within a window.

A step, from one sample of the flow meter to the next, counts if all that watch the line saw it good
from end to end: each device of the line that was ever heard has samples from before it to after it,
none further apart than `WATCH_GAP_MS`, all within the limits, the device in force. Milk that was
cold for more than that with the valve forward voids `COLD_VOID_MS` on either side of it.

What a step is depends only on samples within `MARGIN_MS` of it. So where a claim is cut changes
nothing, and what a claimant may still choose (to wait, to cut, to call a device silent, to claim
less) never adds a drop.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.evidence.limits import DIVERTED, WATCHERS, Limits
from ledger.evidence.spans import Spans, clip, covers, intersect, merge, subtract
from ledger.evidence.tracks import Track
from ledger.params import (
    BATCH_HOLD_MS,
    COLD_VOID_MS,
    HOUR_MS,
    MARGIN_MS,
    WATCH_GAP_MS,
    Parameters,
)
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.measure import exact_volume
from ledger.state.lines import FOR_EVER_MS, Line
from ledger.types.evidence import HeatProcess, Instrument


@dataclass(frozen=True, slots=True)
class Watch:
    """A device's part in a window: its samples, and when they may serve.

    - `from_ms`, `until_ms`: when it stands on the line.
    - `force`: when it is calibrated and not stopped.
    - `linked`: it spoke before this window's readings, so no silence of its own is excused.
    - `silent`: it is not heard past the window, so what it would say next is unknown.
    """

    track: Track
    from_ms: int
    until_ms: int
    force: Spans
    linked: bool
    silent: bool

    def duty(self) -> tuple[int, int]:
        """Give the time in which it must see all that counts; none before it is first heard."""
        times = self.track.times
        first_ms = 0 if self.linked else (times[0] if times else FOR_EVER_MS)
        return max(self.from_ms, first_ms), self.until_ms

    def serving(self) -> Spans:
        """Give when what it shows may serve."""
        served = clip(self.force, self.from_ms, self.until_ms)
        return clip(served, 0, self.track.heard_ms - MARGIN_MS) if self.silent else served


@dataclass(frozen=True, slots=True)
class Step:
    """A pair of the flow meter's samples, what its total rose between, and what became of it."""

    from_ms: int
    to_ms: int
    rise: int
    counts: bool
    diverted: bool
    still: bool
    """No gauge of the line fell: it may have been cleaning."""


def judge_steps(
    line: Line, rules: Parameters, limits: Limits, watches: Sequence[Watch], flow: Watch
) -> list[Step]:
    """Judge every pair of the flow meter's samples, in order."""
    places = {
        kind: [each for each in watches if each.track.instrument is kind]
        for kind in (*WATCHERS, Instrument.TANK_GAUGE)
    }
    diverted = _all_diverted(places[Instrument.DIVERSION_VALVE])
    good = {kind: [_good_spans(each, limits) for each in places[kind]] for kind in WATCHERS}
    if line.process is HeatProcess.BATCH:
        _keep_drains(line, rules, limits, places, good, flow)
    else:
        _void_cold(places[Instrument.HOLD_THERMOMETER], good, limits, diverted)
    level = [_level_spans(each) for each in places[Instrument.TANK_GAUGE]]
    serving, near = flow.serving(), _flow_near(flow.track, line, rules)
    steps = []
    for (begin, end, rise), sound in zip(_pairs(flow.track), near, strict=True):
        counts = (
            sound
            and begin < end
            and covers(serving, begin, end)
            and all(_watched(places[kind], good[kind], begin, end) for kind in WATCHERS)
        )
        steps.append(
            Step(
                begin,
                end,
                rise,
                counts,
                not counts and covers(diverted, begin, end),
                bool(level) and all(covers(spans, begin, end) for spans in level),
            )
        )
    return steps


def _pairs(track: Track) -> Iterable[tuple[int, int, int]]:
    """List (from, to, rise): a total that fell was reset, and counts from its first sample."""
    times, values = track.times, track.values
    for i in range(1, len(times)):
        yield times[i - 1], times[i], max(0, values[i] - values[i - 1])


def _watched(devices: Sequence[Watch], good: Sequence[Spans], begin: int, end: int) -> bool:
    """Tell whether a place saw a time good: every device on duty did, and there is one."""
    seen = False
    for device, spans in zip(devices, good, strict=True):
        on_ms, off_ms = device.duty()
        if begin < off_ms and end > on_ms:
            if not covers(spans, begin, end):
                return False
            seen = True
    return seen


def _sample_spans(watch: Watch, good: Sequence[bool]) -> Spans:
    """Give the times between neighbouring samples that are both good, and near each other.

    Of samples at one time, one that is bad speaks for all.
    """
    times, joined = watch.track.times, watch.track.joined
    bad = {time_ms for time_ms, sound in zip(times, good, strict=True) if not sound}
    return merge(
        (times[i - 1], times[i])
        for i in range(1, len(times))
        if joined[i]
        and times[i] - times[i - 1] <= WATCH_GAP_MS
        and times[i - 1] not in bad
        and times[i] not in bad
    )


def _good_spans(watch: Watch, limits: Limits) -> Spans:
    instrument = watch.track.instrument
    good = [limits.allow(instrument, value) for value in watch.track.values]
    return intersect(_sample_spans(watch, good), watch.serving())


def _all_diverted(valves: Sequence[Watch]) -> Spans:
    """Give when every valve that is on duty shows that it does not send milk forward."""
    parts = [
        intersect(
            _sample_spans(each, [value == DIVERTED for value in each.track.values]), each.serving()
        )
        for each in valves
        if each.linked or each.track.times
    ]
    if not parts:
        return []
    shared = parts[0]
    for spans in parts[1:]:
        shared = intersect(shared, spans)
    return shared


def _void_cold(
    holds: Sequence[Watch], good: Mapping[Instrument, list[Spans]], limits: Limits, diverted: Spans
) -> None:
    """Take from every hold thermometer's good time what stands too near to cold milk."""
    voids: Spans = []
    for hold in holds:
        for begin, end in subtract(_cold_spans(hold, limits), diverted):
            if end - begin > WATCH_GAP_MS:
                voids.append((begin - COLD_VOID_MS, end + COLD_VOID_MS))
    if voids:
        holes = merge(sorted(voids))
        kept = good[Instrument.HOLD_THERMOMETER]
        kept[:] = [subtract(spans, holes) for spans in kept]


def _cold_spans(hold: Watch, limits: Limits) -> Spans:
    times, joined = hold.track.times, hold.track.joined
    cold = [not limits.allow(Instrument.HOLD_THERMOMETER, value) for value in hold.track.values]
    spans = merge(
        (times[i - 1], times[i])
        for i in range(1, len(times))
        if (cold[i - 1] or cold[i]) and joined[i] and times[i] - times[i - 1] <= WATCH_GAP_MS
    )
    return clip(spans, hold.from_ms, hold.until_ms)


def _level_spans(gauge: Watch) -> Spans:
    """Give when a gauge is watched and does not fall."""
    track = gauge.track
    return merge(
        (track.times[i - 1], track.times[i])
        for i in range(1, len(track.times))
        if track.joined[i] and track.values[i] >= track.values[i - 1]
    )


def _flow_near(track: Track, line: Line, rules: Parameters) -> list[bool]:
    """Tell of each pair whether the flow meter is good itself: near samples, no reset, not fast.

    Over any stretch it may rise by the limit times the time, and one step of its own. What goes
    beyond voids the stretch from where it began to run ahead.
    """
    times, values = track.times, track.values
    near = [
        track.joined[i]
        and values[i] >= values[i - 1] >= 0
        and times[i] - times[i - 1] <= WATCH_GAP_MS
        for i in range(1, len(times))
    ]
    if line.process is HeatProcess.CONTINUOUS and track.unit is not None:
        _void_fast(track, line, rules, near)
    return near


def _void_fast(track: Track, line: Line, rules: Parameters, near: list[bool]) -> None:
    assert track.unit is not None
    a_step = exact_volume(track.unit, 1, rules.density_mg_per_l) * HOUR_MS
    per_ms = line.flow_max_l_per_h * UNITS_PER_BILL
    ahead, begun = Fraction(0), 1
    for i in range(1, len(track.times)):
        rise = max(0, track.values[i] - track.values[i - 1])
        if ahead == 0:
            begun = i
        ahead += rise * a_step - per_ms * (track.times[i] - track.times[i - 1])
        if ahead > a_step:
            near[begun - 1 : i] = [False] * (i - begun + 1)
            ahead = Fraction(0)
        ahead = max(ahead, Fraction(0))


def _keep_drains(
    line: Line,
    rules: Parameters,
    limits: Limits,
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
    on_duty = [
        spans
        for watch, spans in zip(places[Instrument.HOLD_THERMOMETER], holds, strict=True)
        if watch.linked or watch.track.times
    ]
    hot = on_duty[0] if on_duty else []
    for spans in on_duty[1:]:
        hot = intersect(hot, spans)
    rises = [
        track.times[i - 1]
        for track in (each.track for each in places[Instrument.TANK_GAUGE])
        for i in range(1, len(track.times))
        if track.values[i] > track.values[i - 1]
    ]
    pairs = [pair for pair in _pairs(flow.track) if pair[2]]
    drains = []
    held = [(begin, end) for begin, end in hot if end - begin >= BATCH_HOLD_MS]
    for number, (begin, _) in enumerate(held):
        ready_ms = begin + BATCH_HOLD_MS
        if any(first < ready_ms and last > begin for first, last, _ in pairs):
            continue
        stop_ms = min((at for at in rises if at >= begin), default=FOR_EVER_MS)
        if number + 1 < len(held):
            stop_ms = min(stop_ms, held[number + 1][0])
        if places[Instrument.TANK_GAUGE] and stop_ms > ready_ms:
            drains.append((ready_ms, _drained_by(line, rules, pairs, flow, ready_ms, stop_ms)))
    kept = merge(drain for drain in drains if drain[1] > drain[0])
    holds[:] = [kept for _ in holds]


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
