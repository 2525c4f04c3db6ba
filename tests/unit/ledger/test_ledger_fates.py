"""Every step of a flow meter's total is counted, diverted, cleaning or lost, each once."""

import pytest
from msgspec.structs import replace

from tests.support.ledger.window import PLACES, Counted

FLOW, HOLD, _, _ = PLACES


@pytest.fixture
def town():
    return Counted()


def second(town):
    """The next window's claim, whose flow is bound to where the last one ended."""
    assert town.mint(town.claim(60)) == ""
    town.good = town.claim()
    return town.good


@pytest.mark.parametrize("fate", ["diverted_steps", "cleaning_steps", "lost_steps"])
def test_each_step_of_the_total_has_one_fate(town, fate):
    claim = second(town)
    assert town.mint(replace(claim, **{fate: getattr(claim, fate) + 1})) == "wrong_fates"


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
    town.run(60, 121)
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
    town.amend(flow_device=town.line.of(HOLD).public, flow_value=0)
    assert town.mint(town.good) == ""
