"""Intervals: what a window's counted litres rest on, as far as three envelopes a device show it.

They stand in order within the window; in each, every place of the line was watched by devices in
force, every sample that is shown is good, and no more flowed than the line may carry. What the
flow meter's total rose has one fate each step (spec §20.2).
"""

import itertools
from fractions import Fraction
from math import floor
from typing import Final

from ledger.errors.evidence import WrongProcess
from ledger.errors.window import (
    BadIntervals,
    BadReading,
    BadSample,
    IntervalTooFast,
    TamperedReading,
    UnwatchedInterval,
    WindowOverFlow,
    WrongFates,
)
from ledger.evidence.limits import WATCHERS, Limits, limits_of, longest_gap_ms
from ledger.heat_rules import UHT_KINDS
from ledger.params import HOUR_MS, MARGIN_MS, Parameters
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.measure import exact_volume
from ledger.rules.rises import least_rise, most_counted
from ledger.rules.windows import DevicePart, ShownReading, flow_unit
from ledger.state.lines import Line
from ledger.state.records import in_force
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.reading import Unit
from ledger.types.window import Interval, WindowClaim

_GAUGE: Final = Instrument.TANK_GAUGE
_PLACES: Final = (Instrument.FLOW_METER, *WATCHERS)


def check_intervals(
    rules: Parameters, line: Line, claim: WindowClaim, parts: list[DevicePart]
) -> None:
    """Raise unless every counted interval holds, as far as it is shown."""
    _check_order(claim)
    if not claim.intervals:
        return
    if line.process is HeatProcess.BATCH and claim.kind in UHT_KINDS:
        raise WrongProcess(
            kind=claim.kind, process=line.process, flow_max_l_per_h=line.flow_max_l_per_h
        )
    limits = limits_of(rules, claim.kind, line.process)
    for interval in claim.intervals:
        for kind in (*_PLACES, _GAUGE):
            placed = [part for part in parts if part.instrument is kind]
            judged = kind is not Instrument.HOLD_THERMOMETER or (
                line.process is HeatProcess.CONTINUOUS
            )
            _check_watched(kind, placed, interval, judged=judged)
            for part in placed if judged else ():
                _check_samples(part, interval, limits)


def check_flow(rules: Parameters, line: Line, claim: WindowClaim, flow: DevicePart | None) -> None:
    """Raise unless the steps have their fates, and the counted ones are no more than may flow."""
    unit = flow_unit(flow) if flow else None
    if flow is None or unit is None:
        # Nobody can say what a step is: nothing flowed that may count.
        if claim.counted_steps:
            raise WindowOverFlow(units=claim.counted_steps, counted=0)
    else:
        for index, interval in enumerate(claim.intervals):
            _check_rate(rules, line, index, interval, unit)
            for shown in flow.shown():
                _check_steps(flow, shown, index, interval)
    if flow is not None:
        _check_fates(line, claim, flow)
    counted = volume_of(rules, unit, claim.counted_steps)
    if claim.units > counted:
        raise WindowOverFlow(units=claim.units, counted=counted)


def volume_of(rules: Parameters, unit: Unit | None, steps: int) -> int:
    """Give what steps of a flow meter are in units, floored."""
    return 0 if unit is None else floor(exact_volume(unit, steps, rules.density_mg_per_l))


def _check_order(claim: WindowClaim) -> None:
    edges = [claim.from_ms]
    for index, interval in enumerate(claim.intervals):
        if not edges[-1] <= interval.from_ms < interval.to_ms <= claim.to_ms:
            raise BadIntervals(index=index, why="it is not in order, or not in the window")
        edges.append(interval.to_ms)
    total = sum(interval.steps for interval in claim.intervals)
    if total != claim.counted_steps:
        raise BadIntervals(index=len(claim.intervals), why=f"they sum to {total} counted steps")


def _duty(part: DevicePart) -> tuple[int, int] | None:
    """Give when a device must see all that counts; None if it was never heard."""
    shown = part.shown()
    if part.tip is None and not shown:
        return None
    # It was heard by then; before that, nobody can see here whether it was. What a window was done
    # with lies before the next.
    heard_ms = part.tip.time_ms if part.tip else shown[0].first_ms
    return max(part.entry.from_ms, heard_ms), part.entry.until_ms


def _check_watched(
    kind: Instrument, placed: list[DevicePart], interval: Interval, *, judged: bool
) -> None:
    """Raise unless devices in force saw all of an interval; of those judged none was silent."""
    unseen = UnwatchedInterval(kind=kind, from_ms=interval.from_ms, to_ms=interval.to_ms)
    # A line needs no gauge; but one that was ever heard is heard.
    spans = [(interval.from_ms, interval.to_ms)] if kind is _GAUGE else []
    for part in placed:
        if (duty := _duty(part)) is None:
            continue
        begin, end = max(duty[0], interval.from_ms), min(duty[1], interval.to_ms)
        if begin < end:
            silent = judged and part.claimed.silent
            heard_ms = part.heard_ms - MARGIN_MS if silent else end
            if end > heard_ms or not in_force(part.device, begin, end):
                raise unseen
        spans.append((part.entry.from_ms, part.entry.until_ms))
    seen_ms = interval.from_ms
    for begin, end in sorted(spans):
        if begin <= seen_ms:
            seen_ms = max(seen_ms, end)
    if seen_ms < interval.to_ms:
        raise unseen


def _check_samples(part: DevicePart, interval: Interval, limits: Limits) -> None:
    """Raise for a sample, or a silence, that is shown within an interval and is not good."""
    begin = max(interval.from_ms, part.entry.from_ms)
    end = min(interval.to_ms, part.entry.until_ms)
    for shown in part.shown():
        if begin >= end or shown.first_ms >= end or shown.reading.last_ms <= begin:
            continue
        if shown.reading.tamper:
            boot, seq = shown.number
            raise TamperedReading(device=part.key.hex(), boot=boot, seq=seq, to_ms=end)
        if not part.is_measurement(shown):
            raise BadReading(device=part.key.hex(), why="it is no measurement of its instrument")
        for (since_ms, was), (until_ms, value) in itertools.pairwise(shown.samples()):
            if since_ms >= end or until_ms <= begin:
                continue
            if until_ms - since_ms > longest_gap_ms(part.instrument):
                raise UnwatchedInterval(kind=part.instrument, from_ms=since_ms, to_ms=until_ms)
            for at_ms, measured in ((since_ms, was), (until_ms, value)):
                if not limits.allow(part.instrument, measured):
                    raise BadSample(device=part.key.hex(), value=measured, at_ms=at_ms)


def _most(rules: Parameters, line: Line, unit: Unit, span_ms: int) -> Fraction:
    """Give the most that may flow in a time: by the line's limit and a step, or a vat."""
    if line.process is HeatProcess.BATCH:
        return Fraction(line.vat_units)
    a_step = exact_volume(unit, 1, rules.density_mg_per_l)
    return Fraction(line.flow_max_l_per_h * UNITS_PER_BILL * span_ms, HOUR_MS) + a_step


def _check_rate(rules: Parameters, line: Line, index: int, interval: Interval, unit: Unit) -> None:
    units = exact_volume(unit, interval.steps, rules.density_mg_per_l)
    most = _most(rules, line, unit, interval.to_ms - interval.from_ms)
    if units > most:
        raise IntervalTooFast(index=index, units=floor(units), most=floor(most))


def _check_steps(flow: DevicePart, shown: ShownReading, index: int, interval: Interval) -> None:
    """Raise unless an interval begins and ends with samples, and rises by what they tell.

    No step in which the total fell counts, nor one that takes no time: an interval ends before it.
    """
    if not flow.is_measurement(shown):
        return
    samples = shown.samples()
    times = {at_ms for at_ms, _ in samples}
    edges = [
        edge
        for edge in (interval.from_ms, interval.to_ms)
        if shown.first_ms <= edge <= shown.reading.last_ms
    ]
    if not times.issuperset(edges):
        raise BadIntervals(index=index, why="it is not from sample to sample of the flow meter")
    rises = [
        value - was
        for (since_ms, was), (until_ms, value) in itertools.pairwise(samples)
        if since_ms < interval.to_ms and until_ms > interval.from_ms
    ]
    if any(each < 0 for each in rises):
        raise BadIntervals(index=index, why="the total fell in it")
    if len(edges) == 2 and interval.steps > sum(rises):
        raise BadIntervals(index=index, why=f"{sum(rises)} steps flowed")


def _check_fates(line: Line, claim: WindowClaim, flow: DevicePart) -> None:
    """Raise unless all that the total is seen to rise has a fate, and no more counts than that."""
    steps = claim.counted_steps + claim.diverted_steps + claim.cleaning_steps + claim.lost_steps
    rise = least_rise(line, claim, flow)
    if steps < rise:
        raise WrongFates(steps=steps, rise=rise)
    most = most_counted(line, claim, flow)
    if claim.counted_steps > most:
        raise WrongFates(steps=claim.counted_steps, rise=most)
