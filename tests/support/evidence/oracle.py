"""An oracle of pasteurized milk, by brute force: what instruments that tell the truth saw.

It knows nothing of windows, links, cuts or claims, and shares no code with the law: it looks at
every pair of the flow meter's samples, and at every sample of everything else, one by one.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ledger.types.evidence import Instrument

Samples = Sequence[tuple[int, int]]
"""Times in milliseconds, and values; in order of time."""

HOT, COOL = (73_300, 160_000), (-2_000, 3_840)
"""Malaysia's limits for whole milk in continuous flow, probes' uncertainty taken off."""
SILENT_MS = 2_000


def _is_good(instrument: Instrument, value: int) -> bool:
    if instrument is Instrument.HOLD_THERMOMETER:
        return HOT[0] <= value <= HOT[1]
    if instrument is Instrument.OUTLET_THERMOMETER:
        return COOL[0] <= value <= COOL[1]
    return value == 1


def _saw(instrument: Instrument, samples: Samples, since_ms: int, until_ms: int) -> bool:
    """Tell whether an instrument saw all of a time, and saw it good."""
    seen_ms = None
    for (one_ms, one), (other_ms, other) in pairwise(samples):
        if other_ms <= since_ms or one_ms >= until_ms:
            continue
        near = other_ms - one_ms <= SILENT_MS
        if not (near and _is_good(instrument, one) and _is_good(instrument, other)):
            return False
        if seen_ms is None and one_ms > since_ms:
            return False
        seen_ms = other_ms
    return seen_ms is not None and seen_ms >= until_ms


def steps_that_are_milk(
    flow: Samples, watching: Mapping[bytes, tuple[Instrument, Samples]], most_l_per_h: int
) -> int:
    """Give how far a total in millilitres rose while all that watched it was good."""
    counted = 0
    for (since_ms, was), (until_ms, now) in pairwise(flow):
        if not 0 < until_ms - since_ms <= SILENT_MS or now < was:
            continue
        if (now - was - 1) * 3_600 > most_l_per_h * (until_ms - since_ms):
            continue
        if all(_saw(kind, seen, since_ms, until_ms) for kind, seen in watching.values()):
            counted += now - was
    return counted
