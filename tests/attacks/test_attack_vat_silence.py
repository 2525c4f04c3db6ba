"""A vat's flow meter is silent, or its total reset: what flows meanwhile was not held."""

import pytest

from tests.support.evidence.vats import FLOW, Pour, Silence, VatStory
from tests.support.ledger.vats import VatTown

QUIET = Silence(FLOW, 2_100, 70)
RAW = Pour(2_101, 58, 5_000)
"""Raw milk that is poured in as fast as the vat empties: no level tells of it."""
DRAINS = (Pour(1_900, 150, 2_000), RAW, Pour(2_300, 60, 1_000))
BEFORE = 150 * 2_000
"""What drained until the flow meter was silent."""
CUTS = ((), (2_050,), (2_250,))


def raw_story(reset_s: int, silence: Silence = QUIET, every_ms: int = 1_900) -> VatStory:
    """Let raw milk flow through a vat that drains, as its flow meter is silent."""
    return VatStory((RAW,), DRAINS, (), (silence,), reset_s=reset_s, every_ms=every_ms)


@pytest.mark.parametrize("cuts", CUTS)
def test_a_total_that_is_reset_as_the_vat_drains_hides_no_flow(cuts):
    town = VatTown(raw_story(2_165))
    assert town.windows(*cuts) == BEFORE


def test_a_total_that_is_reset_and_passes_where_it_stood_hides_no_flow():
    """It stood at a litre, was reset in silence, and shows two: nobody sees a fall."""
    first, raw = Pour(1_900, 1, 1_000), Pour(1_911, 40, 5_000)
    drains = (first, raw, Pour(1_960, 1, 2_000), Pour(2_100, 60, 1_000))
    silence = Silence(FLOW, 1_910, 55)
    town = VatTown(VatStory((raw,), drains, (), (silence,), reset_s=1_955))
    assert town.day.totals[1_970] - town.day.totals[1_955] >= town.day.totals[1_905]
    assert town.windows() == 1_000


def test_a_flow_meter_that_is_silent_as_milk_is_held_may_have_flowed():
    """At nothing it is reset to nothing: it tells the same before and after."""
    raw = Pour(1_701, 58, 5_000)
    drains = (raw, Pour(1_900, 180, 2_000))
    story = VatStory((raw,), drains, (), (Silence(FLOW, 1_700, 70),), reset_s=1_765)
    assert VatTown(story).windows() == 0


def test_a_flow_meter_that_is_silent_for_less_than_a_gap_loses_nothing():
    story = VatStory((), (Pour(1_900, 180, 2_000),), (), every_ms=2_000)
    assert VatTown(story).windows(1_950) == 360_000
    longer = VatStory((), (Pour(1_900, 180, 2_000),), (), every_ms=2_001)
    assert VatTown(longer).windows(1_950) == 0
