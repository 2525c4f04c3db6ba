"""A flow meter called silent: what flowed meanwhile keeps a fate, and the line goes on."""

from ledger.evidence import check_window, trim_bundle
from ledger.state.tables import LINES, MILK_TANKS
from ledger.types.evidence import Instrument
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS, WindowTown


def judged(town, claim):
    facts, bundle = town.line.facts(town.state), town.line.bundle(town.state)
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    return claim


def town_with_a_flow_meter_heard_until(second):
    """A town whose first minute is claimed, and the next is claimed with a silent flow meter."""
    town = WindowTown(litres=(200, 150, 100))
    town.run(210)
    assert town.mint(judged(town, town.claim(60))) == ""
    flow = town.line.of(Instrument.FLOW_METER)
    tip, whole = town.line.tip(town.state, flow.public), list(flow.envelopes)
    readings = [each.reading() for each in whole]
    flow.envelopes = [
        envelope
        for envelope, reading in zip(whole, readings, strict=True)
        if reading.last_ms <= START_MS + second * 1_000 or reading.seq <= tip.seq
    ]
    quiet = judged(town, town.claim(120, silent=[flow.public]))
    assert quiet.counted_steps == 0
    assert town.mint(quiet) == ""
    flow.envelopes = whole
    return town


def test_what_a_flow_meter_says_late_is_lost_and_the_line_goes_on():
    town = town_with_a_flow_meter_heard_until(80)
    assert LINES.get(town.state, town.line.line_id).flow_value == 79_000
    claim = judged(town, town.claim(180))
    # From 79 to 120 s nobody may count it, from there on all does.
    assert (claim.lost_steps, claim.counted_steps) == (41_000, 60_000)
    assert town.mint(claim) == ""
    town.close()


def test_flow_hidden_by_calling_its_meter_silent_leaves_the_tank():
    town = town_with_a_flow_meter_heard_until(0)
    assert LINES.get(town.state, town.line.line_id).flow_value == 60_000
    claim = judged(town, town.claim(180))
    assert (claim.lost_steps, claim.counted_steps) == (60_000, 60_000)
    assert town.mint(claim) == ""
    assert MILK_TANKS.get(town.state, town.line.tank_id).held_units == bill(450 - 180)
    town.close()


def test_a_flow_meter_that_was_called_silent_before_it_ever_spoke_stood_nowhere():
    """What it had counted until then is nobody's milk, and its line goes on."""
    town = WindowTown(litres=(200, 150, 100))
    town.run(200)
    flow = town.line.of(Instrument.FLOW_METER)
    whole, flow.envelopes = flow.envelopes, []
    assert town.mint(judged(town, town.claim(120, silent=[flow.public]))) == ""
    flow.envelopes = whole
    claim = judged(town, town.claim())
    assert claim.counted_steps == claim.to_ms - claim.from_ms
    assert town.mint(claim) == ""
    town.close()
