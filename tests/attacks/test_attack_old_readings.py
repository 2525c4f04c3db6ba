"""An outsider that shows what a device said before anybody relied on it, against its milk."""

import pytest
from msgspec.structs import replace

from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, PROVEN
from ledger.types.doubt import RefuteLot
from ledger.types.line import ReportTamper
from ledger.types.registry import CalibrateDevice
from tests.support.ledger.cheating import HOLD, Cheat
from tests.support.ledger.window import START_MS

OPENED_S = (-600, -500)
"""When the thermometer was open, in seconds after the line was registered."""
LAPSES_S = (200, 400)


def opened_town(admitted_s):
    """A town whose thermometer was admitted at a second, and open before the line was there."""
    town = Cheat()
    hold = town.line.of(HOLD)
    record = DEVICES.get(town.state, hold.public)
    admitted = replace(
        record,
        calibrated_from_ms=START_MS + admitted_s * 1_000,
        calibrated_until_ms=START_MS + LAPSES_S[0] * 1_000,
    )
    DEVICES.put(town.state, admitted, hold.public)
    opened = hold.sign([(at * 1_000, 74_500) for at in OPENED_S], tamper=True)
    town.good(*town.line.devices, begin=0, end=120)
    return town, opened


def recalibrate(town, *lapses_s):
    """Let the calibration lapse, and give a new one; of two, the second pushes the first out."""
    hold = town.line.of(HOLD).public
    for lapses in lapses_s:
        town.time_ms = START_MS + (lapses + 50) * 1_000
        until_ms = START_MS + (lapses + LAPSES_S[0]) * 1_000
        assert town.do("regulator", CalibrateDevice(hold, until_ms)) == ""


def refute(town, lot, *envelopes):
    return town.do("alice", RefuteLot(lot, 0, town.line.of(HOLD).public, envelopes))


@pytest.mark.parametrize("recalibrated", [False, True])
def test_what_a_device_went_through_before_it_was_admitted_refutes_nothing(recalibrated):
    town, opened = opened_town(admitted_s=0)
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    if recalibrated:
        recalibrate(town, *LAPSES_S)
        assert DEVICES.get(town.state, town.line.of(HOLD).public).earlier[0] > START_MS
    assert refute(town, claim.lot_id(), opened) == "nothing_refuted"
    assert not any(each.void for each in PROVEN.get(town.state, claim.lot_id()).intervals)
    town.close()


@pytest.mark.parametrize("recalibrated", [False, True])
def test_what_a_device_signed_twice_before_it_was_admitted_refutes_nothing(recalibrated):
    town, _ = opened_town(admitted_s=0)
    twin = town.resign(town.line.of(HOLD), 0, tamper=False)
    other = town.resign(town.line.of(HOLD), 0, firmware="other")
    claim = town.claim()
    assert town.mint(claim) == ""
    if recalibrated:
        recalibrate(town, *LAPSES_S)
        assert DEVICES.get(town.state, town.line.of(HOLD).public).earlier[0] > START_MS
    assert refute(town, claim.lot_id(), twin, other) == "nothing_refuted"


@pytest.mark.parametrize("recalibrated", [False, True])
def test_what_happened_to_a_device_that_was_admitted_refutes_what_it_watched_then(recalibrated):
    """It stands before the window, so no attestor saw it; the device was relied on all the same."""
    town, opened = opened_town(admitted_s=-3_600)
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    if recalibrated:
        recalibrate(town, *LAPSES_S)
        assert DEVICES.get(town.state, town.line.of(HOLD).public).earlier[0] > START_MS
    assert refute(town, claim.lot_id(), opened) == ""
    assert PROVEN.get(town.state, claim.lot_id()).intervals[0].void
    town.close()


def test_a_window_that_is_claimed_after_a_calibration_rests_on_the_one_before():
    town, opened = opened_town(admitted_s=-3_600)
    claim = town.signed(town.claim())
    recalibrate(town, *LAPSES_S[:1])
    assert town.mint(claim) == ""
    assert refute(town, claim.lot_id(), opened) == ""


def test_nobody_stops_a_device_by_what_it_went_through_before_it_was_admitted():
    town, opened = opened_town(admitted_s=0)
    assert town.do("alice", ReportTamper(opened)) == "cleared_report"
    assert DEVICES.get(town.state, town.line.of(HOLD).public).stopped_ms == FOR_EVER_MS
    relied_on, opened = opened_town(admitted_s=OPENED_S[1])
    assert relied_on.do("alice", ReportTamper(opened)) == ""
    stopped_ms = DEVICES.get(relied_on.state, relied_on.line.of(HOLD).public).stopped_ms
    assert stopped_ms == START_MS + OPENED_S[0] * 1_000


def test_a_window_that_shows_what_was_before_its_device_was_admitted_is_signed():
    """The first window of a line shows what ended within the margin before it."""
    town = Cheat()
    hold = town.line.of(HOLD)
    opened = hold.sign([(-9_000, 74_500), (-1_000, 74_500)], tamper=True)
    town.good(*town.line.devices, begin=0, end=120)
    claim = town.signed(town.claim())
    assert opened in town.line.bundle(town.state)[hold.public]
    assert claim.units > 0
    assert town.mint(claim) == ""
    recalibrated = replace(
        DEVICES.get(town.state, hold.public),
        calibrated_from_ms=START_MS + 10**6,
        earlier=(START_MS + 500_000, START_MS + 600_000),
    )
    DEVICES.put(town.state, recalibrated, hold.public)
    assert refute(town, claim.lot_id(), opened) == "nothing_refuted"
    town.close()
