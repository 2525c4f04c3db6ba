"""Flow of which no total tells: an honest line goes on, its tank lost it, nobody hides it often.

A meter may be set to another unit, reset, lose its journal or fall silent while milk flows. None of
that flow has a fate, so a tank's level falls by more than flowed: what lacks was lost.
"""

import pytest

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, LINES
from ledger.types.reading import Stream, Unit
from tests.support.evidence.rig import good_value
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE, Cheat, good_samples
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS, WindowLine

PLACES = (FLOW, HOLD, OUTLET, VALVE)
FILLED, END_S = 1_500, 700
"""Litres; a litre flows a second."""


def gauged(level_every_s=1):
    """A line of which all but the flow meter ran well, with a gauge on its tank."""
    town = Cheat((*PLACES, GAUGE), litres=(500, 500, 500))
    for device in town.line.devices:
        every_s = {FLOW: 0, GAUGE: level_every_s}.get(device.instrument, 1)
        if every_s:
            seconds = range(0, END_S + 1, every_s)
            samples = [(at * 1_000, good_value(device.instrument, at * 1_000)) for at in seconds]
            device.measure(samples, 2 if every_s > 1 else 10)
    town.time_ms = START_MS + END_S * 1_000
    return town, town.line.of(FLOW)


def set_to_another_unit(flow):
    flow.measure([(at * 1_000, at * 1_000) for at in range(201)])
    flow.unit = Unit.MICROLITRE
    flow.measure([(at * 1_000, at * 1_000_000) for at in range(201, END_S + 1)])


def set_there_and_back(flow):
    flow.measure([(at * 1_000, at * 1_000) for at in range(201)])
    flow.unit, flow.carried = Unit.MICROLITRE, None
    flow.measure([(at * 1_000, (at - 201) * 1_000_000) for at in range(201, 221)])
    flow.unit, flow.carried = None, None
    flow.measure([(at * 1_000, (at - 20) * 1_000) for at in range(221, END_S + 1)])


def reset_while_silent(flow):
    flow.measure([(at * 1_000, at * 1_000) for at in range(201)])
    flow.measure([(at * 1_000, (at - 260) * 1_000) for at in range(260, END_S + 1)])


HIDINGS = [set_to_another_unit, set_there_and_back, reset_while_silent]


def is_stopped(town, device):
    return DEVICES.get(town.state, device.public).stopped_ms < FOR_EVER_MS


def breaks(town):
    return len(town.line.tip(town.state, town.line.of(FLOW).public).breaks_ms)


@pytest.mark.parametrize("every_s", [1, 60])
@pytest.mark.parametrize("cuts", [(100, 400), (100, 300, 500), (190, 270), (100, 199, 300)])
@pytest.mark.parametrize("hide", HIDINGS)
def test_a_line_goes_on_when_its_meter_hides_flow_and_the_tank_lost_it(hide, cuts, every_s):
    town, flow = gauged(every_s)
    hide(flow)
    for until in (*cuts, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    tank, through_s = town.tank(), (through_ms(town) - START_MS) // 1_000
    assert town.minted_units() > bill(100)
    # A level may be as old as the gauge's last word.
    assert 0 <= tank.gauge_drift_units < bill(2 * every_s)
    assert bill(FILLED - through_s) <= tank.held_units < bill(FILLED - through_s + 2 * every_s)
    assert breaks(town) == 1
    assert not is_stopped(town, flow)
    town.close()


def through_ms(town):
    return LINES.get(town.state, town.line.line_id).through_ms


def lose_the_journal(town, flow):
    """Claim up to its end, as a gateway does; then it begins anew a minute later."""
    flow.measure([(at * 1_000, at * 1_000) for at in range(201)])
    assert town.mint(town.signed(town.claim(100))) == ""
    assert town.mint(town.signed(town.claim(160))) == ""
    flow.envelopes.clear()
    flow.restart(lost=True)
    flow.measure([(at * 1_000, at * 1_000) for at in range(260, END_S + 1)])


@pytest.mark.parametrize("cuts", [(270, 300, 500), (400,), ()])
def test_a_line_goes_on_when_its_meter_loses_its_journal_while_milk_flows(cuts):
    town, flow = gauged()
    lose_the_journal(town, flow)
    for until in (*cuts, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert town.tank().gauge_drift_units == 0
    assert breaks(town) == 1


def test_milk_that_leaves_past_the_meter_later_is_not_lost_for_an_earlier_break():
    town, flow = gauged()
    set_to_another_unit(flow)
    level = town.line.of(GAUGE)
    level.envelopes.clear()
    level.seq, level.previous, level.carried = 0, ZERO_HASH, None
    level.measure(
        [
            (at * 1_000, good_value(GAUGE, at * 1_000) - 60_000 * (at > 400))
            for at in range(END_S + 1)
        ]
    )
    for until in (100, 202, 300):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert town.mint(town.signed(town.claim(500))) == "level_against_flow"


def test_a_level_that_no_window_told_yet_lacks_what_flow_hid_before():
    """The gauge is called silent in the window that hides flow: the next one tells of it."""
    town, flow = gauged()
    set_to_another_unit(flow)
    gauge = town.line.of(GAUGE).public
    assert town.mint(town.signed(town.claim(100))) == ""
    whole = list(town.line.of(GAUGE).envelopes)
    town.line.of(GAUGE).envelopes[:] = whole[:12]
    assert town.mint(town.signed(town.claim(300, silent=(gauge,)))) == ""
    assert town.tank().gauge_ms <= START_MS + 120_000
    town.line.of(GAUGE).envelopes[:] = whole
    assert town.mint(town.signed(town.claim(500))) == ""
    assert town.tank().gauge_drift_units == 0
    assert town.tank().held_units == bill(FILLED - 500)


def test_a_line_goes_on_while_its_meter_is_silent_and_its_flow_has_a_fate_later():
    town, flow = gauged()
    flow.measure([(at * 1_000, at * 1_000) for at in (*range(201), *range(300, END_S + 1))])
    whole = list(flow.envelopes)
    flow.envelopes[:] = whole[:20]
    assert town.mint(town.signed(town.claim(100))) == ""
    assert town.mint(town.signed(town.claim(280, silent=(flow.public,)))) == ""
    assert town.tank().gauge_ms == START_MS + 100_000
    flow.envelopes[:] = whole
    assert town.mint(town.signed(town.claim(500))) == ""
    assert town.tank().gauge_drift_units == 0
    assert town.tank().held_units == bill(FILLED - 500)


def beside(town, *, flows):
    """Let another line draw from the tank; it flows, or stands ready."""
    other = WindowLine(town.dairy, PLACES, name="line-3")
    other.register(town.state)
    for device in other.devices:
        samples = good_samples(device.instrument, 0, END_S)
        if device.instrument is not FLOW:
            device.measure(samples)
        elif not flows:
            device.measure([(at, 0) for at, _ in samples])
    return other


def mint_beside(town, other, until):
    return town.do("mmu", other.mint(town.state, other.claim(town.state, until)))


def test_what_a_line_hid_is_lost_though_its_level_waits_for_another():
    town, flow = gauged()
    set_to_another_unit(flow)
    other = beside(town, flows=False)
    assert mint_beside(town, other, 100) == ""
    for until in (100, 300):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert town.tank().gauge_ms == START_MS + 100_000, "the other has yet to claim as far"
    assert mint_beside(town, other, 500) == ""
    assert town.mint(town.signed(town.claim(500))) == ""
    assert town.tank().gauge_drift_units == 0
    assert town.tank().held_units == bill(FILLED - 500)


@pytest.mark.parametrize("hide", HIDINGS)
def test_another_line_of_the_tank_goes_on_when_a_meter_hid_flow(hide):
    """It stands beside without milk, and tells the level."""
    town, flow = gauged()
    flow.measure([(at * 1_000, 0) for at in range(END_S + 1)])
    other = beside(town, flows=True)
    hide(other.of(FLOW))
    for until in (100, 300, 500):
        assert mint_beside(town, other, until) == ""
        assert town.mint(town.signed(town.claim(until))) == ""
        assert town.tank().gauge_drift_units == 0
    assert town.tank().held_units == bill(FILLED - 500)


@pytest.mark.parametrize("ends", [(120.3,), (120.3, 121), (121,), (119, 120.3, 150)])
def test_one_change_of_unit_is_one_break_wherever_windows_end(ends):
    town = Cheat(litres=(500, 500, 500))
    flow = town.line.of(FLOW)
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=300)
    flow.measure([(at * 1_000, at * 1_000) for at in range(121)])
    flow.unit, flow.carried = Unit.MICROLITRE, None
    flow.measure([(at * 1_000, at * 1_000_000) for at in range(121, 301)])
    for until in (60, *ends, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert breaks(town) == 1
    hidden_s = max(1, ends[-1] - 120) if ends[0] > 120 or ends[-1] != 150 else 1
    assert town.tank().lost_units == 0, "nothing is lost that counted"
    assert town.minted_units() == bill(271 - int(hidden_s))


def hiding_rounds(town, again, rounds=5):
    """Let milk flow cold in the second half of each round, and the meter begin anew around it."""
    flow, end_s = town.line.of(FLOW), 200 * rounds + 100
    cold = {at for each in range(rounds) for at in range(200 * each + 100, 200 * each + 160)}
    for device in town.line.devices:
        if device is not flow:
            device.measure(
                [
                    (at * 1_000, 40_000 if device.instrument is HOLD and at in cold else value)
                    for at in range(end_s + 1)
                    for value in (good_value(device.instrument, at * 1_000),)
                ]
            )
    begun_s = 0
    for each in range(rounds):
        ends_s = 200 * each + 100
        flow.measure([(at * 1_000, (at - begun_s) * 1_000) for at in range(begun_s, ends_s)])
        again(flow, ends_s)
        begun_s = ends_s + 60
    flow.measure([(at * 1_000, (at - begun_s) * 1_000) for at in range(begun_s, end_s + 1)])
    town.time_ms = START_MS + end_s * 1_000
    return end_s


def in_another_unit(flow, at_s):
    flow.unit, flow.carried = Unit.MICROLITRE, None
    flow.measure([(at * 1_000, (at - at_s) * 1_000_000) for at in range(at_s, at_s + 60)])
    flow.unit, flow.carried = None, None


def in_silence(flow, at_s):
    """It says nothing, and its total is less afterwards."""


@pytest.mark.parametrize("again", [in_another_unit, in_silence])
def test_a_total_that_begins_anew_again_and_again_hides_flow_thrice(again):
    """However windows are cut: the unit was another there and back, or the total fell."""
    town = Cheat(litres=(500, 500, 500))
    end_s = hiding_rounds(town, again)
    stopped = []
    for until in (*range(200, end_s - 50, 200), None):
        assert town.mint(town.signed(town.claim(until))) == ""
        stopped.append(is_stopped(town, town.line.of(FLOW)))
    assert stopped[:4] == [False, False, True, True]
    assert town.minted_units() <= bill(3 * 110)


def test_a_reset_that_a_window_called_silent_passed_over_is_a_break_too():
    """Its readings came late: the claim said that it was silent, and ends after its total fell."""
    town, flow = gauged()
    reset_while_silent(flow)
    whole = list(flow.envelopes)
    flow.envelopes[:] = whole[:20]
    assert town.mint(town.signed(town.claim(100))) == ""
    assert town.mint(town.signed(town.claim(400, silent=(flow.public,)))) == ""
    assert breaks(town) == 0
    flow.envelopes[:] = whole
    for until in (500, None):
        assert town.mint(town.signed(town.claim(until))) == ""
        assert breaks(town) == 1
    assert town.tank().gauge_drift_units == 0


@pytest.mark.parametrize("cuts", [(100, 220, 230, 300), (100, 220, 300), (150, 400)])
def test_a_meter_that_measures_nothing_where_a_window_ends_breaks_once(cuts):
    """Nobody knows where its total stands; who ends windows there again and again hides flow."""
    town, flow = gauged()
    flow.measure([(at * 1_000, at * 1_000) for at in range(201)])
    town.odd(flow, good_samples(FLOW, 201, 260), stream=Stream.MASS_TOTAL.value)
    flow.carried = None
    flow.measure([(at * 1_000, at * 1_000) for at in range(261, END_S + 1)])
    for until in (*cuts, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert breaks(town) == (220 in cuts)
    assert town.tank().gauge_drift_units == 0
    town.close()
