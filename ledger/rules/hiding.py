"""Hiding: flow of which a flow meter's total tells nothing, so that it has no fate (spec §20.2).

A total that is told in another unit, or falls, or whose journal is lost, says nothing of what
flowed meanwhile. Nothing of that counts; but whoever could do so again and again would hide milk
that was never hot. So a device that breaks its word a third time within 30 days is stopped.
"""

import itertools

from ledger.primitives.hashing import ZERO_HASH
from ledger.rules.windows import DevicePart, ShownReading, flow_unit_after, flow_value
from ledger.state.lines import Line
from ledger.types.evidence import Instrument
from ledger.types.reading import Unit
from ledger.types.window import WindowClaim


def breaks_chain(line: Line, claim: WindowClaim, part: DevicePart) -> bool:
    """Tell whether a window shows that a device lost its journal, or its total began anew.

    A device that is stopped already is none the worse for it.
    """
    if part.device.stopped_ms <= claim.to_ms:
        return False
    # A journal that is lost is seen again until something is shown after it.
    lost = part.last is not None and part.claimed.broken
    return lost or (part.instrument is Instrument.FLOW_METER and _began_anew(line, claim, part))


def hides_flow(line: Line, claim: WindowClaim, flow: DevicePart) -> bool:
    """Tell whether milk may have flowed in a window that has no fate in it."""
    unknown = flow.key != line.flow_device
    return unknown or flow.claimed.broken or _began_anew(line, claim, flow)


def stands(
    line: Line, claim: WindowClaim, flow: DevicePart | None
) -> tuple[bytes, int, Unit | None]:
    """Give which flow meter's total stands where at a window's end, in what: zeros if nobody knows.

    So it is of one that never showed anything, and where what is shown last is no measurement, or
    only of what came after in another unit. Of one of which nothing new is shown up to then it
    stands where it stood.
    """
    if flow is None:
        return line.flow_device, line.flow_value, line.flow_unit
    shown, end = flow.samples_by(claim.to_ms), flow.end
    if not shown and flow.key == line.flow_device and (end is None or flow.is_measurement(end)):
        return line.flow_device, line.flow_value, line.flow_unit
    if end is None or not shown or not flow.measures(end):
        return ZERO_HASH, 0, None
    return flow.key, flow_value(line, flow, claim.to_ms), flow_unit_after(flow)


def _began_anew(line: Line, claim: WindowClaim, flow: DevicePart) -> bool:
    """Tell whether a flow meter's total is shown to begin anew by a window's end.

    What was before the last break was counted with it.
    """
    past = flow.tip.breaks_ms if flow.tip else ()
    since_ms = max(past, default=0) if flow.is_linked else claim.from_ms
    known = flow.key == line.flow_device
    lost = known and stands(line, claim, flow)[0] == ZERO_HASH
    return lost or any(
        _fell(shown, since_ms, claim.to_ms)
        if flow.is_measurement(shown)
        else shown.reading.last_ms > since_ms and (flow.measures(shown) or shown is flow.worst)
        for shown in flow.shown()
    )


def _fell(shown: ShownReading, since_ms: int, to_ms: int) -> bool:
    """Tell whether a total fell after a time, and up to another."""
    return any(
        value < was and since_ms < at_ms <= to_ms
        for (_, was), (at_ms, value) in itertools.pairwise(shown.samples())
    )
