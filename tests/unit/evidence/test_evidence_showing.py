"""What of a device is shown to the chain: the envelope that speaks most against what counts."""

from itertools import pairwise

import pytest

from ledger.evidence.spans import merge
from ledger.types.evidence import Instrument
from tests.support.evidence.rig import START_MS, LineRig, good_value
from tests.support.evidence.windows import but, claim_all

FLOW, HOLD, OUTLET = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
)


@pytest.mark.parametrize(
    ("kind", "worse", "better"),
    [(HOLD, 73_500, 80_000), (OUTLET, 3_500, 1_000), (FLOW, 0, 0)],
)
def test_the_worst_of_what_counts_is_shown(kind: Instrument, worse: int, better: int) -> None:
    """Shown for long enough that no other envelope is as good, or as bad, in itself."""

    def value(at_ms: int) -> int | None:
        if kind is FLOW:
            # Slow from 30 s on and fast from 50 s on, within the line's limit.
            slow = max(0, min(at_ms, 40_000) - 30_000) // 2
            fast = max(0, min(at_ms, 60_000) - 50_000) // 2
            return good_value(FLOW, at_ms) - slow + fast
        return better if at_ms == 35_000 else worse if at_ms == 55_000 else None

    rig = LineRig()
    rig.run(140, value=but(kind, value))
    claim = claim_all(rig)
    assert claim.lost_steps == 0
    [shown] = [each.worst for each in claim.devices if each.device == rig.of(kind).public]
    reading = shown.reading()
    assert reading.t0_ms <= START_MS + 55_000 <= reading.last_ms


def test_where_a_total_fell_is_shown_before_what_is_bad() -> None:
    rig = LineRig()
    rig.run(120, value=but(FLOW, lambda at_ms: at_ms % 45_000))
    [shown] = [each for each in claim_all(rig).devices if each.device == rig.of(FLOW).public]
    assert shown.worst is not None
    values = [value for _, value in shown.worst.reading().samples]
    assert (44_000, 0) in pairwise(values)


def test_a_span_within_another_leaves_it_whole() -> None:
    assert merge([(0, 10), (2, 5), (10, 12), (13, 14)]) == [(0, 12), (13, 14)]
