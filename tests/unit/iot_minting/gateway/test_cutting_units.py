"""A gateway ends a window where its flow meter is set to another unit."""

import pytest

from iot_minting.gateway.cutting import CutWindow, LineNow, WindowRules, cut_window
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.pieces import Piece
from ledger.evidence import check_window
from ledger.params import HOUR_MS
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import Unit
from tests.support.evidence.rig import START_MS, LineRig, good_value

MINUTE, FLOW = 60_000, Instrument.FLOW_METER
PLENTY = (TankMilk(START_MS - HOUR_MS, START_MS, 10**12),)


def drain(rig, rules):
    """Claim window after window; give the claims, which honest attestors sign."""
    claims = []
    while True:
        pieces = {key: [Piece.of(each, 0) for each in new] for key, new in rig.bundle().items()}
        found = cut_window(LineNow(rig.facts, pieces, PLENTY, {}, 0), rules)
        if not isinstance(found, CutWindow):
            return claims
        check_window(rig.facts, found.claim, found.bundle)
        claims.append(found.claim)
        rig.accept(found.claim)


@pytest.mark.parametrize("carried", [True, False])
@pytest.mark.parametrize("set_s", [20, 130, 200])
@pytest.mark.parametrize("window_ms", [MINUTE, 5 * MINUTE])
def test_a_window_ends_where_its_meter_was_set_to_another_unit(window_ms, set_s, carried):
    """However long windows are: what flows in the step between the units has no fate, no more.

    Nor does the step count that ended with the sample which it told again in the other unit.
    """
    rig, end_s = LineRig(), 400
    rig.run(set_s)
    flow = rig.of(FLOW)
    flow.unit = Unit.MICROLITRE
    if not carried:
        flow.carried = None
    begin_ms = (set_s + 1) * 1_000

    def value(kind, at_ms):
        return at_ms * 1_000 if kind is FLOW else good_value(kind, at_ms)

    rig.run(end_s - set_s - 1, begin_ms=begin_ms, value=value)
    claims = drain(rig, WindowRules(MilkKind.WHOLE, window_ms, MINUTE, MINUTE, 10_000))
    assert begin_ms in {each.to_ms - START_MS for each in claims}
    through_ms = rig.line.through_ms - START_MS
    lost_ms = 1_000 if carried else 0
    assert sum(each.units for each in claims) == (through_ms - 1_000 - lost_ms) * 1_000
    assert sum(each.lost_steps for each in claims) == lost_ms


@pytest.mark.parametrize("measured_s", [0, 100])
def test_a_meter_that_measures_nothing_in_a_window_counts_nothing_and_ends_no_gateway(measured_s):
    """It was set to what no flow meter tells: the line goes on, without its litres."""
    rig, end_s = LineRig(), 400
    if measured_s:
        rig.run(measured_s)
    flow = rig.of(FLOW)
    flow.unit, flow.carried = Unit.FLAG, None
    rig.run(end_s - measured_s - 1, begin_ms=(measured_s + 1) * 1_000)
    claims = drain(rig, WindowRules(MilkKind.WHOLE, MINUTE, MINUTE, MINUTE, 10_000))
    assert sum(each.units for each in claims) <= measured_s * 1_000_000
    assert all(each.units == 0 for each in claims if each.from_ms > START_MS + measured_s * 1_000)
