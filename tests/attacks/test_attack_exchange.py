"""An exchanged flow meter: neither measures what is the other's, and no litre counts twice."""

from msgspec.structs import replace

from ledger.params import MARGIN_MS
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import LINES
from tests.support.evidence.rig import good_value
from tests.support.ledger.cheating import FLOW, HOLD, OUTLET, VALVE, Cheat, showing
from tests.support.ledger.window import START_MS

LEFT_MS = START_MS + 60_500
PAST = 7_000_000
"""What the new meter had counted elsewhere before."""


def exchanged():
    """One flow meter leaves between two of its samples, and another takes over at once."""
    town = Cheat((FLOW, FLOW, HOLD, OUTLET, VALVE))
    old, new = sorted(town.line.devices[:2], key=lambda each: each.public)
    town.good(*town.line.devices[2:], begin=0, end=150)
    old.measure([(at * 1_000, good_value(FLOW, at * 1_000)) for at in range(62)])
    new.measure([(at * 1_000, PAST + good_value(FLOW, at * 1_000)) for at in range(151)])
    spans = {old.public: (START_MS, LEFT_MS), new.public: (LEFT_MS, FOR_EVER_MS)}
    line = LINES.get(town.state, town.line.line_id)
    entries = []
    for each in line.devices:
        from_ms, until_ms = spans.get(each.device, (each.from_ms, each.until_ms))
        entries.append(replace(each, from_ms=from_ms, until_ms=until_ms))
    LINES.put(town.state, replace(line, devices=tuple(entries)), town.line.line_id)
    return town, old, new


def test_each_window_is_measured_by_the_meter_that_stood_there():
    town, old, new = exchanged()
    first = town.signed(town.line.claim(town.state, silent=[old.public]))
    assert first.to_ms == LEFT_MS
    assert town.mint(first) == ""
    line = LINES.get(town.state, town.line.line_id)
    assert (line.flow_device, line.flow_value) == (old.public, 60_000)
    second = town.signed(town.claim())
    assert town.mint(second) == ""
    line = LINES.get(town.state, town.line.line_id)
    assert line.flow_device == new.public
    assert line.flow_value == PAST + second.to_ms - START_MS
    # The new meter's past is nobody's milk; the step under way as it took over is lost.
    assert second.lost_steps == 1_000
    assert second.counted_steps == second.to_ms - START_MS - 61_000
    assert town.minted_units() == first.units + second.units
    town.close()


def test_a_meter_that_leaves_is_not_asked_for_a_sample_as_it_does():
    """It is heard past the window's end; between two samples its total is that of the earlier."""
    town, old, _ = exchanged()
    old.measure([(at * 1_000, good_value(FLOW, at * 1_000)) for at in range(62, 100)])
    first = town.signed(town.claim())
    assert (first.to_ms, first.counted_steps) == (LEFT_MS, 60_000)
    assert town.mint(first) == ""
    town.close()


def test_no_window_runs_on_to_what_another_meter_tells():
    """Else what the first had counted since the last window needed no fate."""
    town, old, _ = exchanged()
    old.measure([(at * 1_000, good_value(FLOW, at * 1_000)) for at in range(62, 151)])
    left = LINES.get(town.state, town.line.line_id)
    stays = tuple(
        replace(each, until_ms=FOR_EVER_MS) if each.device == old.public else each
        for each in left.devices
    )
    LINES.put(town.state, replace(left, devices=stays), town.line.line_id)
    claim = town.line.claim(town.state, 95)
    LINES.put(town.state, left, town.line.line_id)
    assert town.judged(claim) == "unfit_window"
    # It left at 60.5 s, and needs to be heard for the margin after that.
    lie = showing(claim, old.public, end=old.envelopes[9], worst=None, count=10)
    assert old.envelopes[9].reading().last_ms >= LEFT_MS + MARGIN_MS
    assert town.mint(lie) == "window_unreached"
