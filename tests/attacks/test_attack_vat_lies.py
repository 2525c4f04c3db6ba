"""What a window says of its vat where all attestors lie: the chain refuses what can't be."""

import pytest
from msgspec.structs import replace

from ledger.heat_rules import HeatRuleSet
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.tables import PARAMETERS, parameters
from ledger.types.evidence import MilkKind
from ledger.types.window import Interval
from tests.support.evidence.vats import FLOW, GAUGE, Pour, VatStory
from tests.support.ledger.cheating import showing
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS, Counted

HELD_S, HALF_S = 1_850, 1_990
"""In the first hold's rest, and where half of its milk has drained."""
WHOLE = 360_000
RAW_S = 2_300
RAW = VatStory(drains=(Pour(1_900, 180, 2_000), Pour(RAW_S, 180, 2_000)))
"""Drained, filled again, and drained at once."""


def test_a_continuous_line_has_no_vat():
    vat = VatTown(VatStory()).until(HELD_S).vat
    town = Counted()
    assert town.mint(replace(town.good, vat=vat)) == "wrong_vat"


def test_no_hold_is_shorter_than_half_an_hour():
    town = VatTown(VatStory())
    claim = town.until(1_790)
    assert town.lying(claim, hot_ms=claim.to_ms) == "wrong_vat"
    assert town.lying(claim, still_ms=claim.from_ms - 1) == "wrong_vat"
    assert town.lying(claim, still_ms=claim.to_ms + 1) == "wrong_vat"
    assert town.lying(claim, still_ms=0) == "wrong_vat"
    assert town.lying(claim, drained_steps=1) == "wrong_vat"
    assert town.lying(claim, least_mdegc=claim.vat.least_mdegc - 1) == "wrong_vat"
    assert town.mint(claim) == ""
    later = town.until(HELD_S)
    assert town.lying(later, still_ms=later.vat.still_ms - 1) == "wrong_vat"
    assert town.lying(later, hot_ms=later.to_ms + 1) == "wrong_vat"
    assert town.mint(later) == ""


def test_milk_that_was_not_held_for_half_an_hour_counts_nothing():
    town = VatTown(VatStory(drains=(Pour(1_700, 50, 2_000),), fills=()))
    claim = town.until(HELD_S)
    steps = claim.lost_steps
    early = replace(
        claim,
        intervals=(Interval(claim.from_ms, claim.to_ms, steps),),
        counted_steps=steps,
        lost_steps=0,
        units=bill(steps // 1_000),
    )
    assert town.mint(early) == "wrong_vat"


def test_all_that_flows_of_a_hold_drained_from_it():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    claim = town.until(HALF_S)
    drained = claim.vat.drained_steps
    assert drained == claim.counted_steps > 0
    for wrong in (drained - 1, drained + 1):
        assert town.lying(claim, drained_steps=wrong) == "wrong_vat"
    assert town.mint(claim) == ""


def test_no_hold_gives_more_than_the_vat_holds():
    """Raw milk after the held, by one hold: what counts is bounded, and what drains of it."""
    town = VatTown(RAW)
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    claim = town.until(2_500)
    steps = claim.counted_steps + claim.lost_steps
    assert steps == 2 * WHOLE
    raw = Interval(town.until(RAW_S).to_ms, claim.to_ms, claim.lost_steps)
    lie = replace(
        claim,
        intervals=(*claim.intervals, raw),
        counted_steps=steps,
        lost_steps=0,
        units=bill(steps // 1_000),
    )
    assert town.mint(lie) == "wrong_vat"
    goes_on = replace(town.until(HALF_S).vat, drained_steps=steps)
    assert town.mint(replace(claim, vat=goes_on)) == "wrong_vat"


def test_a_vat_is_told_of_by_the_gauges_of_its_line():
    town = VatTown(VatStory(spare=GAUGE))
    claim = town.until(HELD_S)
    one, other = claim.vat.gauges
    assert town.lying(claim, gauges=(other, one)) == "wrong_vat"
    assert town.lying(claim, gauges=(one, one)) == "wrong_vat"
    foreign = replace(one, device=town.line.of(FLOW).public)
    assert town.lying(claim, gauges=(foreign,)) == "wrong_vat"
    quiet = showing(claim, one.device, silent=True, end=None, last=None, worst=None, count=0)
    assert town.mint(quiet) == "wrong_vat"
    assert town.mint(claim) == ""


def test_no_hold_goes_on_unseen_with_a_gauge_that_is_silent():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(600))) == ""
    gauge = town.line.of(GAUGE)
    whole = town.until(HELD_S)
    gauge.envelopes = [e for e in gauge.envelopes if e.reading().last_ms < whole.to_ms]
    quiet = town.signed(town.until(HELD_S, silent=[gauge.public]))
    assert quiet.vat is None
    assert town.mint(replace(quiet, vat=replace(whole.vat, gauges=()))) == "wrong_vat"
    assert town.mint(quiet) == ""


def test_a_gauge_that_left_or_was_never_heard_is_not_missed():
    """One is called silent that left at 1,000 s; another one was never heard of."""
    drain = Pour(2_900, 180, 2_000)
    town = VatTown(VatStory(fills=(), cold=(), drains=(drain,), spare=GAUGE))
    old = town.line.devices[-1]
    town.stand(old, START_MS, START_MS + 1_000_000)
    old.envelopes[:] = [e for e in old.envelopes if e.reading().last_ms < START_MS + 900_000]
    claim = town.signed(town.until(2_000, silent=[old.public]))
    assert (claim.vat is not None, town.mint(claim)) == (True, "")
    assert town.windows() == WHOLE
    town = VatTown(VatStory(spare=GAUGE))
    town.line.devices[-1].envelopes.clear()
    assert town.windows(HELD_S) == 2 * WHOLE
    town = VatTown(VatStory(spare=GAUGE))
    never = town.line.devices[-1]
    never.envelopes.clear()
    claim = town.signed(town.until(HELD_S, silent=[never.public]))
    assert (claim.vat is not None, town.mint(claim)) == (True, "")
    assert town.windows() == 2 * WHOLE


def test_a_hold_that_another_flow_meter_saw_counts_nothing():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    honest = town.signed(town.until(HALF_S))
    town.amend(flow_device=key("another meter").public)
    assert town.mint(replace(honest, vat=None)) == "wrong_vat"


def test_a_hold_from_before_a_lost_journal_counts_nothing():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    flow = town.line.of(FLOW)
    tip = town.line.tip(town.state, flow.public)
    shown = flow.envelopes[: tip.seq + 1]
    flow.envelopes.clear()
    flow.restart(lost=True)
    flow.measure([each for each in town.day.samples(FLOW) if each[0] >= HELD_S * 1_000], 60)
    flow.envelopes[:0] = shown
    claim = town.signed(town.until(2_100))
    assert (claim.counted_steps, claim.vat) == (0, None)
    lie = replace(
        claim,
        intervals=(Interval(claim.from_ms, claim.to_ms, claim.lost_steps),),
        counted_steps=claim.lost_steps,
        lost_steps=0,
        units=bill(claim.lost_steps // 1_000),
    )
    assert town.mint(lie) == "wrong_vat"


def test_milk_that_needs_more_heat_counts_nothing_of_a_hold_that_was_not_so_hot():
    town = VatTown(VatStory())
    rules = replace(parameters(town.state), heat_rules=HeatRuleSet.US_PMO)
    PARAMETERS.put(town.state, rules)
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    plain = replace(town.signed(town.until(HALF_S)), vat=None)
    assert town.mint(replace(plain, kind=MilkKind.FLAVOURED)) == "wrong_vat"
    assert town.mint(plain) == ""


def test_what_an_earlier_window_let_drain_is_not_there_any_more():
    """The vat is said to hold as much as one of the two windows counts, and a little."""
    town = VatTown(VatStory())
    for cut in (HELD_S, HALF_S):
        assert town.mint(town.signed(town.until(cut))) == ""
    claim = town.signed(town.until(2_100))
    town.amend(vat_units=(claim.counted_steps + 1_000) * 1_000)
    assert town.mint(replace(claim, vat=None)) == "wrong_vat"


@pytest.mark.parametrize("cut", [1_854, 1_856, 1_858])
def test_a_spare_gauge_that_spoke_later_than_a_window_ends_is_not_missed_in_it(cut):
    """It is called silent: its few words came after the window's end, and the last window's."""
    town = VatTown(VatStory(spare=GAUGE))
    spare = town.line.devices[-1]
    spare.envelopes.clear()
    spare.seq, spare.previous, spare.carried = 0, ZERO_HASH, None
    spare.measure([(at * 1_000, town.day.levels[at]) for at in range(1_860, 1_865)])
    for until in (1_850, cut):
        claim = town.signed(town.until(until, silent=[spare.public]))
        assert (claim.vat is not None, town.mint(claim)) == (True, "")
