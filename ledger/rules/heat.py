"""Heat: what a run's instruments show of how its milk was treated (spec §7.4).

In continuous flow the milk is hot enough in the holding tube for as long as it takes to pass
through, which is long enough up to the line's flow limit. In a batch it stands hot enough in a vat
for 30 minutes, and then drains. Either way the outlet is cold and the valve is forward while it
flows, and every instrument watches without a gap. These rules see the first, the worst and the last
reading of each instrument; attestors see them all.
"""

from collections.abc import Iterable
from typing import Final

from ledger.errors.evidence import (
    Diverted,
    ShortHold,
    TooCold,
    TooFast,
    TooHot,
    TooWarm,
    Unwatched,
    WrongProcess,
)
from ledger.heat_rules import UHT_KINDS
from ledger.params import BATCH_HOLD_MS, HOUR_MS, WATCH_GAP_MS, Parameters
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.rules.evidence import Shown
from ledger.rules.measure import exact_volume
from ledger.types.evidence import HeatProcess, Instrument, RunClaim

Line = list[tuple[Instrument, Shown]]

_FORWARD: Final = 1


def stands_behind_vat(flow_max_l_per_h: int) -> bool:
    """Tell whether a flow meter was admitted behind a vat: then its line has no flow limit."""
    return flow_max_l_per_h == 0


def check_heat(rules: Parameters, claim: RunClaim, line: Line) -> None:
    """Raise unless what is shown of a line says that its milk was pasteurized."""
    [flow] = (shown for kind, shown in line if kind is Instrument.FLOW_METER)
    batch, flow_max = claim.process is HeatProcess.BATCH, flow.flow_max_l_per_h
    # What is asked of the heat follows from what the regulator admitted, not from the claim's word.
    if batch != stands_behind_vat(flow_max) or (batch and claim.kind in UHT_KINDS):
        raise WrongProcess(kind=claim.kind, process=claim.process, flow_max_l_per_h=flow_max)
    for kind, shown in line:
        match kind:
            case Instrument.HOLD_THERMOMETER:
                least, got = rules.hold_mdegc(claim.kind, claim.process), min(shown.values())
                if got < least:
                    raise TooCold(got_mdegc=got, least_mdegc=least)
                if claim.process is HeatProcess.BATCH:
                    _check_vat(rules, shown, flow)
            case Instrument.OUTLET_THERMOMETER:
                if (got := max(shown.values())) > rules.cooling_mdegc:
                    raise TooWarm(got_mdegc=got, most_mdegc=rules.cooling_mdegc)
            case Instrument.DIVERSION_VALVE:
                if any(value != _FORWARD for value in shown.values()):
                    raise Diverted(device=shown.device.hex())
    watches = [Instrument.OUTLET_THERMOMETER, Instrument.DIVERSION_VALVE]
    if claim.process is HeatProcess.CONTINUOUS:
        _check_flow(rules, flow)
        watches.append(Instrument.HOLD_THERMOMETER)
    for watch in watches:
        _check_watched(watch, [shown for kind, shown in line if kind is watch], flow)


def _check_flow(rules: Parameters, flow: Shown) -> None:
    """Raise unless the milk took its time, within every reading shown and over the whole run."""
    for rise, span_ms in flow.rises():
        units = exact_volume(flow.unit, rise, rules.density_mg_per_l)
        if units * HOUR_MS > flow.flow_max_l_per_h * UNITS_PER_BILL * span_ms:
            raise TooFast(
                device=flow.device.hex(),
                units=int(units),
                span_ms=span_ms,
                most_l_per_h=flow.flow_max_l_per_h,
            )


def _check_vat(rules: Parameters, hold: Shown, flow: Shown) -> None:
    """Raise unless a vat was hot for its time, and not too hot, before any of it flowed."""
    if (hottest := max(hold.values())) > rules.vat_most_mdegc:
        raise TooHot(got_mdegc=hottest, most_mdegc=rules.vat_most_mdegc)
    got_ms = min(hold.last_ms, flow.first_ms) - hold.first_ms
    if got_ms < BATCH_HOLD_MS:
        raise ShortHold(device=hold.device.hex(), got_ms=max(0, got_ms), least_ms=BATCH_HOLD_MS)


def _check_watched(kind: Instrument, watching: Iterable[Shown], flow: Shown) -> None:
    """Raise unless instruments of a kind, one after another, saw all of the flow."""
    seen_ms = flow.first_ms
    for shown in sorted(watching, key=lambda each: (each.first_ms, each.last_ms)):
        if shown.first_ms <= seen_ms + WATCH_GAP_MS:
            seen_ms = max(seen_ms, shown.last_ms)
    if seen_ms + WATCH_GAP_MS < flow.last_ms:
        raise Unwatched(kind=kind, from_ms=seen_ms, to_ms=flow.last_ms)
