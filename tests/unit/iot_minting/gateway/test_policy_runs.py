"""Which runs the policy cuts, how much each is, and that no milk is minted twice."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_minting.gateway.claims import build_claim, run_id
from iot_minting.gateway.policy import COLLECTIONS_MAX, IDLE_MS, CutRun, Dropped, MintingPolicy
from ledger.rules.measure import exact_volume
from ledger.types.evidence import Instrument
from ledger.types.reading import Unit
from tests.support.ledger.dairy import Dairy
from tests.support.minting.milk_line import START_MS, MilkLine

LITRE = 1_000_000


def cut(decisions):
    return [d for d in decisions if isinstance(d, CutRun)]


def lost(decisions):
    return [d.reason for d in decisions if isinstance(d, Dropped) and d.reason != "idle"]


def litres(line, run):
    return build_claim(run, line.rules).units / LITRE


def test_a_run_is_exactly_what_was_collected():
    line = MilkLine()
    for farm, amount in ((0, 12_345), (1, 8_001), (0, 9_999), (2, 1)):
        line.milk(farm, amount)
    line.pasteurize(30_346_000)
    (run,) = cut(line.step())
    assert build_claim(run, line.rules).units == 30_346_000
    assert len(run.collections) == 3
    assert line.step(60_000) == []
    assert line.policy.tank_units() == {("plant-1", "line-1"): 0}


def test_milk_metered_after_the_start_of_a_run_belongs_to_the_next():
    line = MilkLine()
    line.milk(0, 10_000)
    ticks = line.ticks(10 * LITRE)
    line.play(ticks)
    line.milk(1, 7_000)
    (first,) = cut(line.step())
    assert litres(line, first) == 10
    line.pasteurize(7 * LITRE)
    (second,) = cut(line.step())
    assert litres(line, second) == 7
    assert run_id(first) != run_id(second)


def test_a_run_waits_for_milk_that_is_metered_late_and_then_gets_by():
    line = MilkLine(grace_ms=5_000)
    line.milk(0, 6_000)
    line.pasteurize(10 * LITRE)
    assert line.step() == []
    assert line.step(4_000) == []
    (run,) = cut(line.step(2_000))
    assert litres(line, run) == 6


def test_flow_without_any_milk_is_lost_not_minted():
    line = MilkLine(grace_ms=1_000)
    line.pasteurize(10 * LITRE)
    decisions = line.step(2_000)
    assert cut(decisions) == []
    assert lost(decisions) == ["flow_without_milk"]


def bend(line, kind, value, at=1):
    """Play a run in which one instrument shows something else in one tick."""
    line.milk(0, 40_000)
    ticks = line.ticks(40 * LITRE, 4_000)
    samples = ticks[at].readings[kind]
    ticks[at].readings[kind] = [(ms, value) for ms, _ in samples]
    line.play(ticks)
    return line.step(30_000)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Instrument.HOLD_THERMOMETER, 73_299),
        (Instrument.OUTLET_THERMOMETER, 4_001),
        (Instrument.DIVERSION_VALVE, 0),
    ],
)
def test_flow_that_was_not_pasteurized_is_cut_out(kind, value):
    line = MilkLine(grace_ms=1_000)
    runs = cut(bend(line, kind, value))
    total = sum(build_claim(run, line.rules).units for run in runs)
    # One of eight ticks is diverted; the milk of the whole was one meter's single envelope.
    assert 0 < total <= 35 * LITRE


def test_the_limits_themselves_are_good_enough():
    line = MilkLine()
    line.milk(0, 5_000)
    ticks = line.ticks(5 * LITRE)
    for tick in ticks:
        for kind, value in (
            (Instrument.HOLD_THERMOMETER, 73_300),
            (Instrument.OUTLET_THERMOMETER, 4_000),
        ):
            tick.readings[kind] = [(ms, value) for ms, _ in tick.readings[kind]]
    line.play(ticks)
    (run,) = cut(line.step())
    assert litres(line, run) == 5


def test_a_silent_thermometer_is_waited_for_and_then_the_flow_is_diverted():
    line = MilkLine(grace_ms=3_000)
    line.milk(0, 5_000)
    ticks = line.ticks(5 * LITRE)
    for tick in ticks:
        del tick.readings[Instrument.HOLD_THERMOMETER]
    line.play(ticks)
    assert line.step(1_000) == []
    decisions = line.step(5_000)
    assert cut(decisions) == []
    assert set(lost(decisions)) == {"diverted"}


def test_a_tank_that_disagrees_with_the_flow_loses_the_run():
    line = MilkLine()
    line.milk(0, 5_000)
    ticks = line.ticks(5 * LITRE)
    for tick in ticks:
        gauge = tick.readings[Instrument.TANK_GAUGE]
        tick.readings[Instrument.TANK_GAUGE] = [(ms, value // 2) for ms, value in gauge]
    line.play(ticks)
    assert lost(line.step()) == ["flow_against_tank"]


def test_a_run_ends_when_flow_falls_silent():
    line = MilkLine()
    line.milk(0, 5_000)
    line.play(line.ticks(5 * LITRE), close=False)
    assert line.step() == []
    (run,) = cut(line.step(IDLE_MS))
    assert litres(line, run) == 5


def test_a_long_run_is_sealed_in_parts():
    line = MilkLine(run_ms_max=2_000, grace_ms=500)
    line.milk(0, 3_000)
    line.milk(1, 3_000)
    line.milk(2, 3_000)
    line.pasteurize(9 * LITRE, 6_000)
    runs = cut(line.step(5_000))
    assert len(runs) > 1
    assert sum(build_claim(run, line.rules).units for run in runs) <= 9 * LITRE


def test_more_meters_than_a_claim_holds_make_more_lots():
    line = MilkLine(dairy=Dairy(farms=20, attestors=1), grace_ms=500)
    for farm in range(20):
        line.milk(farm, 2_000)
    line.pasteurize(40 * LITRE, 5_000)
    runs = cut(line.step(2_000))
    assert len(runs) == 2
    assert all(len(run.collections) <= COLLECTIONS_MAX for run in runs)
    total = sum(build_claim(run, line.rules).units for run in runs)
    assert 39 * LITRE <= total <= 40 * LITRE


def test_milk_older_than_the_law_allows_is_not_minted():
    line = MilkLine(grace_ms=500)
    line.milk(0, 5_000)
    line.now_ms = START_MS + 72 * 3_600_000 + 10_000
    line.milk(1, 2_000)
    line.pasteurize(7 * LITRE)
    decisions = line.step(1_000)
    assert "too_old" in lost(decisions)
    (run,) = cut(decisions)
    assert litres(line, run) == 2


def test_a_meter_that_reboots_is_shown_by_a_range_for_each_boot():
    line = MilkLine()
    line.milk(0, 5_000)
    line.meters[0].reboot()
    line.milk(0, 4_000)
    line.pasteurize(9 * LITRE)
    (run,) = cut(line.step())
    assert [len(pieces) for pieces in run.collections] == [1, 1]
    assert litres(line, run) == 9


def test_a_policy_that_restarts_in_the_middle_decides_the_same():
    line = MilkLine()
    pieces = [line.milk(0, 5_000), line.milk(1, 6_000)]
    accept = line.accept

    def keep(*arguments, **changes):
        pieces.append(accept(*arguments, **changes))
        return pieces[-1]

    line.accept = keep
    line.pasteurize(11 * LITRE)
    again = MintingPolicy(line.rules, START_MS)
    for piece in pieces:
        again.observe(piece)
    (run,), (same,) = cut(line.step()), cut(again.step(line.now_ms))
    assert build_claim(run, line.rules) == build_claim(same, line.rules)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9_000)), min_size=1, max_size=6),
        min_size=1,
        max_size=4,
    ),
    st.integers(-200_000, 200_000),
    st.sampled_from([Unit.MILLILITRE, Unit.CENTIPOUND, Unit.GRAM]),
)
def test_never_more_is_minted_than_flowed_nor_than_was_metered(batches, error, unit):
    line = MilkLine(meter_unit=unit, grace_ms=500)
    density = line.rules.law.density_mg_per_l
    metered, flowed, minted, used = Fraction(0), 0, 0, set()
    for batch in batches:
        volume = Fraction(0)
        for farm, amount in batch:
            line.milk(farm, amount)
            volume += exact_volume(unit, amount, density)
        metered += volume
        units = max(0, floor(volume) + error)
        if units == 0:
            continue
        flowed += units
        line.pasteurize(units)
        for run in cut(line.step(1_000)):
            minted += build_claim(run, line.rules).units
            pieces = [(p.device, p.boot, p.seq) for p in run.pieces()]
            assert len(set(pieces)) == len(pieces)
            assert used.isdisjoint(pieces)
            used.update(pieces)
    assert minted <= flowed
    assert minted <= metered
    if error == 0:
        assert minted == flowed


def flows_for_six_seconds(line, hold_times):
    """Two long envelopes of flow, watched by all but a hold thermometer that speaks at times."""
    line.milk(0, 10_000)
    start_ms = line.now_ms + 20
    for first, last in ((0, 3_000), (3_000, 6_000)):
        total = [(start_ms + at, 5_000 * LITRE * at // 3_000_000) for at in (first, last)]
        line.accept(line.line[Instrument.FLOW_METER], total)
    for kind, value in ((Instrument.OUTLET_THERMOMETER, 3_000), (Instrument.DIVERSION_VALVE, 1)):
        line.accept(line.line[kind], [(start_ms + at, value) for at in range(0, 6_001, 1_500)])
    for times in hold_times:
        samples = [(start_ms + at, 75_000) for at in times]
        line.accept(line.line[Instrument.HOLD_THERMOMETER], samples)
    line.accept(line.line[Instrument.DIVERSION_VALVE], [(start_ms + 6_020, 0)])
    return line.step()


def test_a_thermometer_that_is_silent_between_two_envelopes_of_flow_loses_the_run():
    watched = flows_for_six_seconds(MilkLine(), [(0, 1_200, 2_900), (4_800, 6_000)])
    assert len(cut(watched)) == 1
    silent = flows_for_six_seconds(MilkLine(), [(0, 1_200), (4_800, 6_000)])
    assert (cut(silent), lost(silent)) == ([], ["unwatched"])
