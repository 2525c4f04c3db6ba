"""Stops: from when on a device counts no more, who may say so, and how it may count again."""

import pytest
from msgspec.structs import replace

from ledger.errors.line import StoppedAlready
from ledger.primitives.keys import PublicKey, Signature, verify
from ledger.rules.context import Call
from ledger.rules.devices import check_report
from ledger.state.lines import FOR_EVER_MS
from ledger.state.records import in_force
from ledger.state.tables import DEVICES
from ledger.transition import signature_claims
from ledger.types.line import ClearDevice, ReportTamper, StopDevice
from ledger.types.reading import Envelope
from ledger.types.registry import CalibrateDevice, RevokeDevice
from tests.support.ledger.dairy import FEE, NOW_MS, key
from tests.support.ledger.lines import bare_town, tampered

METER = PublicKey(key("meter-0").public)
BEFORE_MS = NOW_MS - 1_000
"""When the readings of these tests begin, but where they say."""


@pytest.fixture
def town():
    return bare_town()


def found(town):
    return DEVICES.get(town.state, METER)


def report(town, who="alice", seq=5, t0_ms=BEFORE_MS, **changes):
    return town.do(who, ReportTamper(tampered(town.dairy, seq=seq, t0_ms=t0_ms, **changes)))


def clear(town, boot=1, seq=5):
    return town.do("regulator", ClearDevice(METER, boot, seq))


# Stopping.


def test_a_stopped_device_counts_up_to_the_stop(town):
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == ""
    assert found(town).stopped_ms == BEFORE_MS
    assert in_force(found(town), 0, BEFORE_MS - 1)
    assert not in_force(found(town), 0, BEFORE_MS)
    town.close()


def test_a_stop_lies_in_the_past(town):
    assert town.do("regulator", StopDevice(METER, NOW_MS + 1)) == "future_stop"
    assert town.do("regulator", StopDevice(METER, NOW_MS)) == ""


def test_a_stop_only_moves_back(town):
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == ""
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == "stopped_already"
    assert town.do("regulator", StopDevice(METER, BEFORE_MS + 1)) == "stopped_already"
    assert town.do("regulator", StopDevice(METER, BEFORE_MS - 1)) == ""


def test_a_device_that_nobody_admitted_is_not_stopped(town):
    assert town.do("regulator", StopDevice(key("new").public, 5)) == "device_unregistered"


def test_a_revoked_device_is_stopped_now_and_may_be_stopped_earlier(town):
    assert town.do("regulator", RevokeDevice(METER)) == ""
    assert found(town).stopped_ms == NOW_MS
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == ""
    assert found(town).stopped_ms == BEFORE_MS


def test_revoking_moves_no_stop_forward(town):
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == ""
    assert town.do("regulator", RevokeDevice(METER)) == ""
    assert found(town).stopped_ms == BEFORE_MS


# Reports.


def test_anyone_stops_a_device_by_its_own_word(town):
    assert report(town) == ""
    assert found(town).stopped_ms == BEFORE_MS


def test_a_report_of_a_time_to_come_stops_now(town):
    assert report(town, t0_ms=NOW_MS + 10**9) == ""
    assert found(town).stopped_ms == NOW_MS


def test_the_fee_of_a_right_report_comes_back(town):
    before, owner = town.units("alice"), town.units("owner-0")
    assert report(town) == ""
    assert town.units("alice") == before
    assert town.units("owner-0") == owner
    town.close()


def test_a_second_report_costs_its_fee_though_it_moves_the_stop(town):
    assert report(town) == ""
    before = town.units("alice")
    assert report(town, seq=4, t0_ms=BEFORE_MS - 1) == ""
    assert town.units("alice") == before - FEE
    assert found(town).stopped_ms == BEFORE_MS - 1


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ({"tamper": False}, "no_tampering"),
        ({"device": key("new")}, "device_unregistered"),
    ],
)
def test_a_wrong_report_is_refused_and_costs_its_fee(town, envelope, code):
    before = town.units("alice")
    assert report(town, **envelope) == code
    assert town.units("alice") == before - FEE
    assert found(town).stopped_ms == FOR_EVER_MS


def test_an_envelope_that_is_no_reading_is_refused(town):
    body = ReportTamper(Envelope(b"\x90", Signature(bytes(64))))
    assert town.do("alice", body) == "bad_envelope"


def test_a_report_that_changes_nothing_is_refused(town):
    assert report(town) == ""
    assert report(town) == "stopped_already"


def test_a_report_that_comes_too_late_is_told_so_before_it_costs_a_fee(town):
    assert report(town) == ""
    body = ReportTamper(tampered(town.dairy, t0_ms=BEFORE_MS))
    with pytest.raises(StoppedAlready):
        check_report(town.state, Call(town.address("bob"), 0, 0), body)


def test_a_report_shows_the_signature_of_the_device_that_it_names(town):
    envelope = tampered(town.dairy, t0_ms=BEFORE_MS)
    other = tampered(town.dairy, t0_ms=BEFORE_MS + 1)
    for shown, holds in ((envelope, True), (replace(envelope, signature=other.signature), False)):
        transaction = town.dairy.next(town.state, ReportTamper(shown), key("alice"))
        claims = signature_claims(transaction, town.dairy.chain_id)
        assert [claim[0] for claim in claims][1:] == [METER]
        assert all(verify(*claim) for claim in claims) is holds


# Clearing.


def test_a_cleared_device_counts_again_from_then_on(town):
    town.time_ms += 50_000
    assert report(town) == ""
    assert clear(town) == ""
    device, now = found(town), town.time_ms
    assert (device.stopped_ms, device.cleared) == (FOR_EVER_MS, (1, 5))
    assert in_force(device, 0, BEFORE_MS - 1)
    assert in_force(device, now, now + 1)
    for from_ms, to_ms in ((0, BEFORE_MS), (BEFORE_MS, now), (now - 1, now), (0, now)):
        assert not in_force(device, from_ms, to_ms)
    town.close()


@pytest.mark.parametrize(
    ("boot", "seq", "code"),
    [(1, 5, "cleared_report"), (1, 4, "cleared_report"), (0, 9, "cleared_report"), (1, 6, "")],
)
def test_reports_up_to_the_cleared_one_are_void(town, boot, seq, code):
    assert report(town) == ""
    assert clear(town) == ""
    assert report(town, boot=boot, seq=seq) == code


@pytest.mark.parametrize(
    ("earlier", "after_ms", "code"),
    [(None, 1, "cleared_report"), (None, 0, ""), ((BEFORE_MS, BEFORE_MS + 1), 1, "")],
)
def test_a_report_of_before_all_calibrations_on_record_is_void(town, earlier, after_ms, code):
    """What a device went through before a regulator admitted it stops nobody."""
    last_ms = tampered(town.dairy, t0_ms=BEFORE_MS).reading().last_ms
    begun = replace(found(town), calibrated_from_ms=last_ms + after_ms, earlier=earlier)
    DEVICES.put(town.state, begun, METER)
    assert report(town) == code


def test_a_report_after_a_clearing_comes_free_again(town):
    assert report(town) == ""
    assert clear(town) == ""
    before = town.units("alice")
    assert report(town, boot=2, seq=0, t0_ms=NOW_MS + 1) == ""
    assert town.units("alice") == before


def test_a_clearing_goes_not_back(town):
    assert report(town) == ""
    assert clear(town) == ""
    assert report(town, seq=6) == ""
    assert clear(town, seq=4) == "number_before"
    assert clear(town, boot=0, seq=9) == "number_before"
    assert clear(town, seq=6) == ""


def test_what_is_not_stopped_is_not_cleared(town):
    assert clear(town) == "not_stopped"
    assert town.do("regulator", ClearDevice(key("new").public, 1, 1)) == "device_unregistered"


def test_a_revoked_device_is_never_cleared(town):
    assert town.do("regulator", RevokeDevice(METER)) == ""
    assert clear(town) == "device_revoked"


def test_a_later_stop_cuts_what_was_kept_of_before(town):
    assert town.do("regulator", StopDevice(METER, BEFORE_MS)) == ""
    assert clear(town) == ""
    assert town.do("regulator", StopDevice(METER, BEFORE_MS - 500)) == ""
    assert clear(town) == ""
    assert found(town).earlier == (0, BEFORE_MS - 500)


# Calibrations.


def test_a_lapsed_calibration_is_kept_beside_the_new_one(town):
    lapsed_ms = found(town).calibrated_until_ms
    town.time_ms = lapsed_ms + 10
    assert town.do("regulator", CalibrateDevice(METER, lapsed_ms + 10**9)) == ""
    device = found(town)
    assert device.earlier == (0, lapsed_ms)
    assert in_force(device, 5, lapsed_ms - 1)
    assert in_force(device, lapsed_ms + 10, lapsed_ms + 11)
    for from_ms, to_ms in ((5, lapsed_ms), (lapsed_ms, lapsed_ms + 9), (5, lapsed_ms + 11)):
        assert not in_force(device, from_ms, to_ms)


def test_a_calibration_that_is_renewed_in_time_stays_one(town):
    until_ms = found(town).calibrated_until_ms + 10**9
    assert town.do("regulator", CalibrateDevice(METER, until_ms)) == ""
    device = found(town)
    assert (device.calibrated_from_ms, device.earlier) == (0, None)
    assert in_force(device, 5, until_ms - 1)
    assert not in_force(device, 5, until_ms)
