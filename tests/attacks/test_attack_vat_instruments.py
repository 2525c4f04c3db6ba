"""A vat's instruments that leave, creep or hide: what each can be made to say of a hold."""

import dataclasses

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from ledger.types.reading import Unit
from tests.support.evidence.vats import FLOW, GAUGE, Pour, VatStory
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

HELD_S = 1_850
"""In the first hold's rest."""
WHOLE = 360_000
"""What drains of each of two holds."""
FILL, DRAIN = Pour(2_200, 40, 9_000), Pour(1_900, 180, 2_000)


def test_a_flow_meter_that_measured_nothing_as_the_half_hour_was_over_may_have_flowed():
    """What it hid began before the half hour was over, and it shows the rest of that flow."""
    town = VatTown(VatStory(drains=(DRAIN,)))
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    flow.envelopes.clear()
    flow.seq, flow.previous, flow.carried = 0, ZERO_HASH, None
    flow.measure([each for each in samples if each[0] < 1_700_000], 60)
    town.odd(flow, [next(each for each in samples if each[0] >= 1_700_000)], unit=Unit.FLAG.value)
    flow.carried = None
    flow.measure([each for each in samples if each[0] >= 1_950_000], 60)
    assert town.windows() == 0


def test_a_flow_meter_that_lost_its_journal_amid_the_hold_may_have_flowed():
    """Its total is what it was: so it says, who could have set it."""
    town = VatTown(VatStory(fills=(), cold=(), drains=(Pour(2_500, 180, 2_000),)))
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    assert town.mint(town.signed(town.until(600))) == ""
    tip = town.line.tip(town.state, flow.public)
    shown = flow.envelopes[: tip.seq + 1]
    flow.envelopes.clear()
    flow.restart(lost=True)
    flow.measure([each for each in samples if each[0] >= 900_000], 60)
    flow.envelopes[:0] = shown
    assert town.windows() == 0


def test_a_hold_that_is_over_may_drain_whoever_has_told_anything_since():
    town = VatTown(VatStory(level_every_s=70))
    claim = town.until(1_810)
    assert (claim.vat.may_drain, claim.to_ms < START_MS + 1_820_000) == (True, True)


def test_a_window_within_an_envelope_forgets_nothing_that_crept_in():
    """Two millilitres a window, each as little as unrest; the last window tells of all of them."""
    crept = tuple(Pour(at, 1, 2) for at in (46, 50, 54))
    story = VatStory(fills=(*crept, FILL), drains=(Pour(40, 1, 10), Pour(1_846, 180, 2_000)))
    honest = dataclasses.replace(story, fills=(FILL,))
    cuts = (45, 49, 53, 1_880)
    assert VatTown(honest).windows(*cuts) == WHOLE
    assert VatTown(story).windows(*cuts) == 0


def test_what_a_gauge_shows_that_has_left_is_of_another_vat():
    town = VatTown(VatStory(drains=(DRAIN,), spare=GAUGE))
    old, new = (each for each in town.line.devices if each.instrument is GAUGE)
    town.stand(old, START_MS, START_MS + 90_000)
    town.stand(new, START_MS + 90_000, FOR_EVER_MS)
    old.envelopes.clear()
    old.seq, old.previous, old.carried = 0, ZERO_HASH, None
    rising = [(at, value + max(0, at - 90_000)) for at, value in town.day.samples(GAUGE)]
    old.measure(rising, 60)
    assert town.windows(HELD_S) == WHOLE


def test_milk_that_flows_while_it_is_held_was_not_held():
    assert VatTown(VatStory(drains=(Pour(900, 20, 2_000), DRAIN))).windows() == 0


def test_raw_milk_that_hides_behind_what_drains_ends_the_drain():
    """A level that rises by two millilitres a second, for less than clocks may be apart."""
    slow = Pour(1_900, 300, 300)
    counted = VatTown(VatStory(fills=(Pour(2_000, 4, 302),), drains=(slow,))).windows()
    assert 90 * 300 <= counted <= 105 * 300
