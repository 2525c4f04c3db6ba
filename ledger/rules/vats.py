"""Vats: what a window says of its vat's hold, as far as the chain can see it (spec §20.2).

Whether milk was held is the attestors' word. But a hold takes half an hour and drains one vat: so
where all attestors lie, a batch line still gives no more than its vat each half hour, and no hold
that an earlier window left is longer, fuller or less drained than that window said.
"""

from collections.abc import Sequence
from itertools import pairwise

from ledger.errors.window import WrongVat
from ledger.evidence.limits import limits_of
from ledger.params import BATCH_HOLD_MS, Parameters
from ledger.rules.measure import exact_volume
from ledger.rules.windows import DevicePart, flow_unit
from ledger.state.lines import FOR_EVER_MS, Line
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.vat import VatState
from ledger.types.window import Interval, WindowClaim


def check_vat(
    rules: Parameters,
    line: Line,
    claim: WindowClaim,
    parts: Sequence[DevicePart],
    flow: DevicePart | None,
) -> None:
    """Raise unless a window's hold can be, after the one that the line's last window left."""
    if line.process is not HeatProcess.BATCH:
        if claim.vat is not None or claim.holds:
            raise WrongVat(why="no vat stands before this line")
        return
    least_mdegc = limits_of(rules, claim.kind, line.process).hold[0]
    before = _before(line, flow, least_mdegc)
    holds = (claim.to_ms - _begun_ms(claim, before)) // BATCH_HOLD_MS
    _check_holds(line, claim, before)
    _check_counted(rules, line, claim, flow, before, holds)
    if claim.vat is not None:
        _check_times(claim, claim.vat, before, least_mdegc)
        _check_drained(rules, line, claim, claim.vat, flow, before, holds)
        _check_gauges(claim, claim.vat, parts)


def metered_by(line: Line, claim: WindowClaim, interval: Interval) -> int:
    """Give by when an interval's milk was metered: it flowed then, or its vat's hold began."""
    if line.process is not HeatProcess.BATCH:
        return interval.from_ms
    held = [each for each in claim.holds if each + BATCH_HOLD_MS <= interval.from_ms]
    if not held:
        raise WrongVat(why="milk counts before its half hour is over")
    return max(held)


def _before(line: Line, flow: DevicePart | None, least_mdegc: int) -> VatState | None:
    """Give the hold that the last window left, if it may go on: by the same meter, hot enough."""
    before = line.vat
    if before is None or flow is None or flow.key != line.flow_device or flow.claimed.broken:
        return None
    return before if before.least_mdegc >= least_mdegc else None


def _begun_ms(claim: WindowClaim, before: VatState | None) -> int:
    """Give when the first half hour that ends in the window may have begun."""
    if before is None or before.may_drain or not before.still_ms:
        return claim.from_ms
    return before.still_ms


def _may_begin(claim: WindowClaim, before: VatState | None, since_ms: int) -> bool:
    """Tell whether a hold may have begun then: in the window, or as the last one told."""
    if before is None or since_ms >= claim.from_ms:
        return claim.from_ms <= since_ms
    return since_ms in {before.since_ms, before.still_ms}


def _check_holds(line: Line, claim: WindowClaim, before: VatState | None) -> None:
    """Raise unless milk drained from holds, each of which may have begun when it is said."""
    for since_ms in claim.holds:
        if not _may_begin(claim, before, since_ms):
            raise WrongVat(why="a hold begins before anyone said so")
    if any(one >= other for one, other in pairwise(claim.holds)):
        raise WrongVat(why="its holds are not in order")
    for interval in claim.intervals:
        metered_by(line, claim, interval)


def _check_counted(
    rules: Parameters,
    line: Line,
    claim: WindowClaim,
    flow: DevicePart | None,
    before: VatState | None,
    holds: int,
) -> None:
    """Raise if milk counts before it can have been held, or more than what was held."""
    unit = flow_unit(flow) if flow else None
    if not claim.intervals or unit is None:
        return
    ready = before is not None and before.may_drain
    drained_steps = claim.counted_steps + (before.drained_steps if before and ready else 0)
    volume = exact_volume(unit, drained_steps, rules.density_mg_per_l)
    if volume > line.vat_units * (holds + ready):
        raise WrongVat(why="more counts than the vat held")


def _check_times(
    claim: WindowClaim, vat: VatState, before: VatState | None, least_mdegc: int
) -> None:
    if vat.least_mdegc != least_mdegc:
        raise WrongVat(why="it was judged by another temperature")
    if max(vat.still_ms, vat.hot_ms) > claim.to_ms or not (vat.still_ms or vat.may_drain):
        raise WrongVat(why="it is no hold, or one of another time")
    if vat.may_drain != (vat.since_ms > 0):
        raise WrongVat(why="nobody says since when nothing came into it")
    late_ms = claim.to_ms - BATCH_HOLD_MS
    if vat.may_drain and not (vat.since_ms <= late_ms and _may_begin(claim, before, vat.since_ms)):
        raise WrongVat(why="what it holds was not held for half an hour")
    older = before is not None and vat.still_ms == before.still_ms
    if vat.still_ms and vat.still_ms < claim.from_ms and not older:
        raise WrongVat(why="its half hour begins before anyone said so")


def _check_drained(
    rules: Parameters,
    line: Line,
    claim: WindowClaim,
    vat: VatState,
    flow: DevicePart | None,
    before: VatState | None,
    holds: int,
) -> None:
    """Raise unless all that flowed is told of a hold that goes on, and no more than there was."""
    steps = claim.counted_steps + claim.diverted_steps + claim.cleaning_steps + claim.lost_steps
    goes_on = before is not None and before.may_drain
    if not vat.may_drain:
        if vat.drained_steps:
            raise WrongVat(why="something drained that was not held")
        return
    if not holds and not goes_on:
        raise WrongVat(why="its half hour is not over")
    most = steps + (before.drained_steps if before and goes_on else 0)
    if vat.drained_steps > most or (not holds and vat.drained_steps < most):
        raise WrongVat(why=f"{vat.drained_steps} steps drained, {most} flowed")
    unit = flow_unit(flow) if flow else None
    if unit is None:
        return
    if exact_volume(unit, vat.drained_steps, rules.density_mg_per_l) > line.vat_units:
        raise WrongVat(why="more drained than the vat holds")


def _check_gauges(claim: WindowClaim, vat: VatState, parts: Sequence[DevicePart]) -> None:
    """Raise unless its gauges stand on the line, and none that should be heard is silent."""
    gauges = [part for part in parts if part.instrument is Instrument.TANK_GAUGE]
    names = [each.device for each in vat.gauges]
    if not set(names) <= {part.key for part in gauges if not part.claimed.silent}:
        raise WrongVat(why="no gauge of the line tells of it")
    if any(one >= other for one, other in pairwise(names)):
        raise WrongVat(why="its gauges are not in order")
    for part in gauges:
        told_ms = [each.first_ms for each in part.shown()]
        # Of a new one the tip may tell what it said later than this window ends.
        told_ms += [part.tip.time_ms] if part.tip else []
        heard = min(told_ms, default=FOR_EVER_MS) <= claim.to_ms
        if heard and part.claimed.silent and part.entry.until_ms > claim.to_ms:
            raise WrongVat(why="nobody saw its level")
