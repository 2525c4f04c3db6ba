"""Rises: how far a flow meter's total rose in a window, as far as three envelopes show it (§20.2).

What it is seen to rise is the least that has a fate: a fall between two envelopes that are not
shown, or among those that measure nothing, is seen by nobody here. And it is the most that counts,
unless what is shown says that the total may have begun anew. What is diverted or lost beyond it
takes milk from nobody but its MMU: whether it flowed is the attestors' word.
"""

import itertools

from ledger.rules.windows import DevicePart, flow_value
from ledger.state.lines import Line
from ledger.types.window import STEPS_MAX, WindowClaim


def least_rise(line: Line, claim: WindowClaim, flow: DevicePart) -> int:
    """Give how far a window's total rose at least, in steps.

    Of another meter than before, and after a lost journal, only all readings tell.
    """
    return min(_seen_rise(line, claim, flow)[0], STEPS_MAX) if _goes_on(line, flow) else 0


def most_counted(line: Line, claim: WindowClaim, flow: DevicePart) -> int:
    """Give how many steps may count in a window.

    After a restart the total may have been reset in between, and where it is seen to fall, it may
    have fallen more often: of those only all readings tell.
    """
    rise, whole = _seen_rise(line, claim, flow)
    restarted = flow.end and flow.tip and flow.end.number[0] != flow.tip.boot
    return rise if _goes_on(line, flow) and whole and not restarted else STEPS_MAX


def _goes_on(line: Line, flow: DevicePart) -> bool:
    """Tell whether the total goes on from where the line's last window left it."""
    return flow.key == line.flow_device and not flow.claimed.broken


def _seen_rise(line: Line, claim: WindowClaim, flow: DevicePart) -> tuple[int, bool]:
    """Give how far the total rose at least, by what is shown, and whether it never fell.

    A total that fell was reset, and counts from its first sample after.
    """
    at, rise, whole = line.flow_value, 0, True
    value = flow_value(line, flow, claim.to_ms)
    measured = [each for each in flow.shown() if flow.is_measurement(each)]
    for shown in measured:
        for (_, was), (until_ms, fell) in itertools.pairwise(shown.samples()):
            if fell < was:
                whole = False
                if claim.from_ms < until_ms <= claim.to_ms:
                    rise, at = rise + max(0, was - at), fell
    if flow.end and not flow.is_measurement(flow.end):
        # Nobody sees here where the total stands.
        return rise, False
    # What measures nothing may hide a fall.
    seen = len(measured) == len(flow.shown())
    return rise + max(0, value - at), seen and whole and value >= at
