"""Every step of a flow meter's total is counted, diverted, cleaning or lost, each once."""

import pytest
from msgspec.structs import replace

from ledger.types.reading import Unit, sign_reading
from ledger.types.window import Interval
from tests.support.ledger.cheating import Cheat, showing
from tests.support.ledger.dairy import key
from tests.support.ledger.window import PLACES, START_MS, Counted, with_device

FLOW, HOLD, _, _ = PLACES


@pytest.fixture
def town():
    return Counted()


def second(town):
    """The next window's claim, whose flow is bound to where the last one ended."""
    assert town.mint(town.claim(60)) == ""
    town.good = town.claim()
    return town.good


def test_no_more_counts_than_the_total_rose(town):
    claim = second(town)
    (whole,) = claim.intervals
    more = replace(whole, steps=whole.steps + 1)
    fields = {"counted_steps": claim.counted_steps + 1, "units": claim.units + 1_000}
    assert town.counting(more, **fields) == "wrong_fates"


@pytest.mark.parametrize("fate", ["diverted_steps", "cleaning_steps", "lost_steps"])
def test_an_attestor_sees_that_each_step_of_the_total_has_one_fate(fate):
    """What is lost beyond it the chain can't tell from a fall that no envelope shows."""
    town = Cheat()
    town.run(140)
    assert town.mint(town.signed(town.claim(60))) == ""
    claim = town.claim()
    more = replace(claim, **{fate: getattr(claim, fate) + 1})
    assert (town.judged(claim), town.judged(more)) == ("", "claim_differs")


def test_no_step_of_the_total_is_left_out(town):
    claim = second(town)
    (whole,) = claim.intervals
    less = replace(whole, steps=whole.steps - 1)
    fields = {"counted_steps": claim.counted_steps - 1, "units": claim.units - 1_000}
    assert town.counting(less, **fields) == "wrong_fates"
    assert town.counting(less, **fields, lost_steps=claim.lost_steps + 1) == ""


def test_after_a_restart_the_total_may_have_been_reset():
    town = Counted()
    second(town)
    town.line.of(FLOW).restart()
    town.run(60, 141)
    claim = town.claim()
    more = replace(claim, lost_steps=claim.lost_steps + 1)
    left = replace(claim.intervals[0], steps=claim.intervals[0].steps - 1)
    less = replace(
        claim,
        intervals=(left, *claim.intervals[1:]),
        counted_steps=claim.counted_steps - 1,
        units=claim.units - 1_000,
    )
    assert town.mint(less) == "wrong_fates"
    assert town.mint(more) == ""


def test_of_a_total_that_fell_only_all_readings_tell(town):
    second(town)
    town.amend(flow_value=10**9)
    assert town.mint(town.good) == ""


def test_of_another_meter_only_all_readings_tell(town):
    second(town)
    town.amend(flow_device=key("another meter").public, flow_value=0)
    assert town.mint(town.good) == ""


RESET_S = 70


def town_with_resets(*seconds):
    """A town whose flow meter begins anew at some seconds, and rises far beyond where it stood."""
    town = Cheat(litres=(200, 200, 200))
    town.run(60)
    assert town.mint(town.signed(town.claim(30))) == ""
    begun = [0, *seconds]
    totals = {at: (at - max(each for each in begun if each <= at)) * 1_000 for at in range(61, 251)}
    town.run(189, begin=61, flow_meter=totals)
    return town


def test_a_total_that_was_reset_and_passed_where_it_stood_is_minted():
    """Else the window could not be built, and its milk would never be minted."""
    town = town_with_resets(RESET_S)
    claim = town.signed(town.claim())
    # What rose between the last sample before and the first one after was seen by nobody.
    assert (claim.counted_steps, claim.lost_steps) == (claim.to_ms - claim.from_ms - 1_000, 0)
    assert town.mint(claim) == ""
    town.close()


@pytest.mark.parametrize("cut", [*range(62, 78, 3), 100, 139, 141, 180])
def test_a_reset_counts_the_same_wherever_windows_are_cut(cut):
    whole, parts = town_with_resets(RESET_S), town_with_resets(RESET_S)
    claim = whole.signed(whole.claim())
    assert whole.mint(claim) == ""
    for until in (cut, None):
        assert parts.mint(parts.signed(parts.claim(until))) == ""
    assert parts.minted_units() == whole.minted_units()


def test_each_stretch_of_a_total_that_was_reset_has_its_fates():
    town = town_with_resets(RESET_S)
    claim = town.signed(town.claim())
    first, *rest = claim.intervals
    less = (replace(first, steps=first.steps - 1), *rest)
    fields = {"intervals": less, "counted_steps": claim.counted_steps - 1}
    assert town.mint(replace(claim, **fields, units=claim.units - 1_000)) == "wrong_fates"


def test_no_interval_runs_over_a_fall():
    town = town_with_resets(RESET_S)
    claim = town.signed(town.claim())
    at = START_MS + RESET_S * 1_000
    # One that is shown whole, and one whose beginning is not.
    for since_ms in (at - 5_000, at - 20_000):
        across = Interval(since_ms, at + 1_000, (at - since_ms) // 1_000)
        lost = claim.counted_steps + claim.lost_steps - across.steps
        fields = {"counted_steps": across.steps, "units": across.steps * 1_000}
        lie = replace(claim, intervals=(across,), lost_steps=lost, **fields)
        assert town.mint(lie) == "bad_intervals"


def test_what_a_total_moved_in_no_time_never_counts():
    """At an interval's end: a second sample of the same time shows five litres more."""
    town = Cheat(litres=(200, 200, 200))
    flow, jump_ms = town.line.of(FLOW), 105_000
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=200)
    samples = [(at * 1_000, at * 1_000 + (5_000 if at > 105 else 0)) for at in range(201)]
    samples.insert(106, (jump_ms, jump_ms + 5_000))
    flow.measure(samples)
    claim = town.signed(town.claim())
    first, second = claim.intervals
    assert (first.to_ms, second.from_ms) == (START_MS + jump_ms,) * 2
    assert claim.lost_steps == 5_000
    more = replace(first, from_ms=first.to_ms - 4_000, steps=9_000)
    counted = more.steps + second.steps
    lost = claim.counted_steps + 5_000 - counted
    lie = {"counted_steps": counted, "lost_steps": lost, "units": counted * 1_000}
    assert town.mint(replace(claim, intervals=(more, second), **lie)) == "bad_intervals"
    assert town.mint(claim) == ""


def test_steps_that_no_meter_measured_are_none(town):
    flow = town.line.of(FLOW)
    part = next(each for each in town.good.devices if each.device == flow.public)
    untrue = {
        name: sign_reading(
            replace(getattr(part, name).reading(), version=1), town.dairy.chain_id, flow.key
        )
        for name in ("last", "end")
    }
    town.good = with_device(town.good, flow.public, worst=None, **untrue)
    cut = Interval(START_MS + 1_000, START_MS + 50_000, 49_000)
    fields = {"lost_steps": town.good.counted_steps - 49_000, "units": 0}
    assert town.counting(cut, counted_steps=49_000, **fields) == "window_over_flow"


def test_a_total_that_is_not_seen_to_fall_never_fell():
    town = town_with_resets(RESET_S)
    flow, claim = town.line.of(FLOW).public, town.signed(town.claim())
    assert town.mint(showing(claim, flow, worst=None)) == "wrong_fates"
    before = town.line.of(FLOW).envelopes[4]
    assert town.mint(showing(claim, flow, worst=before)) == "wrong_fates"


def test_a_total_that_was_reset_twice_is_minted():
    town = town_with_resets(RESET_S, 80)
    claim = town.signed(town.claim())
    assert claim.counted_steps == claim.to_ms - claim.from_ms - 2_000
    assert town.mint(claim) == ""


def test_a_fall_before_the_window_was_counted_before():
    """It is shown again where the next window begins, and says nothing of that."""
    town = town_with_resets(RESET_S)
    assert town.mint(town.signed(town.claim(72))) == ""
    claim = town.signed(town.claim())
    assert claim.counted_steps == claim.to_ms - claim.from_ms
    (whole,) = claim.intervals
    steps = claim.counted_steps + 1
    more = replace(claim, intervals=(replace(whole, steps=steps),), counted_steps=steps)
    assert town.mint(more) == "wrong_fates"
    fell = town.line.of(FLOW).envelopes[7]
    assert town.mint(showing(claim, town.line.of(FLOW).public, worst=fell)) == ""


def test_what_flowed_before_a_chain_began_anew_is_seen_by_nobody():
    town = Cheat(litres=(200, 200, 200))
    town.run(80)
    assert town.mint(town.signed(town.claim(40))) == ""
    flow = town.line.of(FLOW)
    flow.restart(lost=True)
    town.run(140, begin=81)
    del flow.envelopes[1:9]
    claim = town.signed(town.claim())
    assert claim.counted_steps + claim.lost_steps == claim.to_ms - START_MS - 81_000
    assert town.mint(claim) == ""


def test_a_total_stands_nowhere_where_something_else_was_measured():
    town = Cheat()
    flow = town.line.of(FLOW)
    town.run(60)
    assert town.mint(town.signed(town.claim(30))) == ""
    town.run(139, begin=61, outlet_thermometer=dict.fromkeys(range(61, 201), 9_000))
    claim = town.signed(town.claim(100))
    [end] = [each.end for each in claim.devices if each.device == flow.public]
    place = flow.envelopes.index(end)
    far = tuple((offset, 10**9) for offset, _ in end.reading().samples)
    other = town.resign(flow, place, unit=Unit.FLAG.value, samples=far)
    none = replace(claim, intervals=(), counted_steps=0, units=0)
    lost = replace(none, lost_steps=claim.lost_steps + claim.counted_steps)
    assert town.mint(showing(lost, flow.public, end=other)) == ""


def test_a_fall_that_hides_in_what_measures_nothing_is_minted():
    town = Cheat(litres=(200, 200, 200))
    flow = town.line.of(FLOW)
    town.good(*town.line.devices, begin=0, end=60)
    assert town.mint(town.signed(town.claim(30))) == ""
    town.good(*(each for each in town.line.devices if each is not flow), begin=61, end=250)
    town.odd(flow, [(61_000, 5)], unit=Unit.FLAG.value)
    flow.carried = None
    flow.measure([(at * 1_000, (at - 62) * 1_000) for at in range(62, 251)])
    claim = town.signed(town.claim())
    assert claim.counted_steps + claim.lost_steps == 30_000 + claim.to_ms - claim.from_ms - 32_000
    assert town.mint(claim) == ""
