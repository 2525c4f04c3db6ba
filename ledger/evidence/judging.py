"""The judge: what became of each step of a flow meter's total within a window.

A step, from one sample of the flow meter to the next, counts if all that watch the line saw it good
from end to end: each device of the line that was ever heard has samples from before it to after it,
none further apart than `WATCH_GAP_MS`, all within the limits, the device in force. A tank's gauge
on duty must be heard too, once in `GAUGE_GAP_MS`, whatever it shows. Milk that was
cold for more than that with the valve forward, by whatever clock within `CLOCKS_MS`, voids
`COLD_VOID_MS` on either side of it.

What a step is depends only on samples within `MARGIN_MS` of it, and on those that stand next to it,
which a window has at hand. So where a claim is cut changes
nothing, and what a claimant may still choose (to wait, to cut, to call a device silent, to claim
less) never adds a drop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.evidence.flowing import near_pairs, pairs_of
from ledger.evidence.holding import Drain
from ledger.evidence.limits import DIVERTED, WATCHERS, Limits, longest_gap_ms
from ledger.evidence.spans import Spans, clip, covers, intersect, merge, subtract
from ledger.evidence.terms import WindowTerms
from ledger.evidence.vats import keep_drains
from ledger.evidence.watching import Watch, all_see
from ledger.params import (
    BASIS_POINTS,
    CLOCKS_MS,
    COLD_VOID_MS,
    HOUR_MS,
    WATCH_GAP_MS,
    Parameters,
)
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.measure import exact_volume
from ledger.state.lines import Line
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.vat import VatState


@dataclass(frozen=True, slots=True)
class Step:
    """A pair of the flow meter's samples, what its total rose between, and what became of it."""

    from_ms: int
    to_ms: int
    rise: int
    counts: bool
    diverted: bool
    still: bool
    """Every gauge on duty, if there is one, is known not to have fallen."""

    @property
    def cleans(self) -> bool:
        """Tell whether it may have been cleaning: it neither counts nor flows back."""
        return self.still and not self.counts and not self.diverted


def judge_steps(
    terms: WindowTerms, watches: Sequence[Watch], flow: Watch
) -> tuple[list[Step], VatState | None, Sequence[Drain]]:
    """Judge every pair of the flow meter's samples, in order.

    Give what is left of a vat's hold, too, and its drains.
    """
    line, rules, limits = terms.line, terms.rules, terms.limits
    vat: VatState | None = None
    drains: Sequence[Drain] = ()
    places = {
        kind: [each for each in watches if each.track.instrument is kind]
        for kind in (*WATCHERS, Instrument.TANK_GAUGE)
    }
    valves, gauges = places[Instrument.DIVERSION_VALVE], places[Instrument.TANK_GAUGE]
    diverted = all_see(valves, [_diverted_spans(each) for each in valves])
    level = all_see(gauges, [_level_spans(each, line, rules) for each in gauges])
    good = {kind: [_good_spans(each, limits) for each in places[kind]] for kind in places}
    if line.process is HeatProcess.BATCH:
        vat, drains = keep_drains(terms, places, good, flow)
    else:
        _void_cold(places[Instrument.HOLD_THERMOMETER], good, limits, diverted)
    serving, near = flow.serving(), near_pairs(flow.track, line, rules)
    steps = []
    for (begin, end, rise), sound in zip(pairs_of(flow.track), near, strict=True):
        counts = (
            sound
            and begin < end
            and covers(serving, begin, end)
            and all(_watched(places[kind], good[kind], begin, end) for kind in WATCHERS)
            and _heard(gauges, good[Instrument.TANK_GAUGE], begin, end)
        )
        flowed_back = not counts and covers(diverted, begin, end)
        steps.append(Step(begin, end, rise, counts, flowed_back, covers(level, begin, end)))
    return steps, vat, drains


def _watched(devices: Sequence[Watch], good: Sequence[Spans], begin: int, end: int) -> bool:
    """Tell whether a place saw a time good: every device on duty did, and there is one."""
    seen = any(_on_duty(device, begin, end) for device in devices)
    return seen and _heard(devices, good, begin, end)


def _heard(devices: Sequence[Watch], good: Sequence[Spans], begin: int, end: int) -> bool:
    """Tell whether every device on duty, if there is one, saw a time good."""
    return all(
        covers(spans, begin, end)
        for device, spans in zip(devices, good, strict=True)
        if _on_duty(device, begin, end)
    )


def _on_duty(device: Watch, begin: int, end: int) -> bool:
    on_ms, off_ms = device.duty()
    return begin < off_ms and end > on_ms


def _sample_spans(watch: Watch, good: Sequence[bool]) -> Spans:
    """Give the times between neighbouring samples that are both good, and near each other.

    Of samples at one time, one that is bad speaks for all.
    """
    times, joined = watch.track.times, watch.track.joined
    longest_ms = longest_gap_ms(watch.track.instrument)
    bad = {time_ms for time_ms, sound in zip(times, good, strict=True) if not sound}
    return merge(
        (times[i - 1], times[i])
        for i in range(1, len(times))
        if joined[i]
        and times[i] - times[i - 1] <= longest_ms
        and times[i - 1] not in bad
        and times[i] not in bad
    )


def _good_spans(watch: Watch, limits: Limits) -> Spans:
    instrument = watch.track.instrument
    good = [limits.allow(instrument, value) for value in watch.track.values]
    return intersect(_sample_spans(watch, good), watch.serving())


def _diverted_spans(valve: Watch) -> Spans:
    """Give when a valve shows that it does not send milk forward."""
    shown = _sample_spans(valve, [value == DIVERTED for value in valve.track.values])
    return intersect(shown, valve.serving())


def _void_cold(
    holds: Sequence[Watch], good: Mapping[Instrument, list[Spans]], limits: Limits, diverted: Spans
) -> None:
    """Take from every hold thermometer's good time what stands too near to cold milk."""
    voids: Spans = []
    excused = _diverted_by_some_clock(diverted)
    for hold in holds:
        for begin, end in subtract(_cold_spans(hold, limits), excused):
            if end - begin > WATCH_GAP_MS:
                voids.append((begin - COLD_VOID_MS, end + COLD_VOID_MS))
    if voids:
        holes = merge(sorted(voids))
        kept = good[Instrument.HOLD_THERMOMETER]
        kept[:] = [subtract(spans, holes) for spans in kept]


def _diverted_by_some_clock(diverted: Spans) -> Spans:
    """Give when milk may have been diverted, by a thermometer's clock up to `CLOCKS_MS` off.

    It is no longer before and after than the valve diverted: one that blinks excuses a blink.
    """
    reaches = [min(end - begin, CLOCKS_MS) for begin, end in diverted]
    return merge(
        sorted(
            (begin - reach, end + reach)
            for (begin, end), reach in zip(diverted, reaches, strict=True)
        )
    )


def _cold_spans(hold: Watch, limits: Limits) -> Spans:
    times, joined = hold.track.times, hold.track.joined
    cold = [not limits.allow(Instrument.HOLD_THERMOMETER, value) for value in hold.track.values]
    spans = merge(
        (times[i - 1], times[i])
        for i in range(1, len(times))
        if (cold[i - 1] or cold[i]) and joined[i] and times[i] - times[i - 1] <= WATCH_GAP_MS
    )
    return clip(spans, hold.from_ms, hold.until_ms)


def _level_spans(gauge: Watch, line: Line, rules: Parameters) -> Spans:
    """Give when a gauge is in force and does not fall, but for its own unrest.

    That is as far as a tank's account lets level and flow differ: a part of what the line may
    carry meanwhile, and a step of each of two levels. What leaves so slowly adds up there.
    """
    track = gauge.track
    if track.unit is None:
        return []
    a_step = exact_volume(track.unit, 1, rules.density_mg_per_l)
    per_ms = Fraction(
        line.flow_max_l_per_h * UNITS_PER_BILL * rules.agreement_bp, HOUR_MS * BASIS_POINTS
    )
    times, values = track.times, track.values
    still = merge(
        (times[i - 1], times[i])
        for i in range(1, len(times))
        if track.joined[i]
        and (values[i - 1] - values[i] - 2) * a_step <= per_ms * (times[i] - times[i - 1])
    )
    return intersect(still, gauge.serving())
