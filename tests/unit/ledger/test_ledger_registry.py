"""Devices are admitted by the regulator, once, and with a calibration that still holds."""

import pytest
from msgspec.structs import replace

from ledger.primitives.keys import address_of
from ledger.state.records import Device
from ledger.state.tables import DEVICES
from ledger.transition import apply_block
from ledger.types.evidence import Instrument
from ledger.types.registry import RegisterDevice
from tests.support.ledger.dairy import NOW_MS, PLANT, Dairy, key

NEW = RegisterDevice(
    key("new").public, "flow_meter", PLANT, address_of(key("mmu").public), NOW_MS + 1, 9_000
)


@pytest.fixture
def dairy():
    return Dairy()


def register(dairy, state, body, sender):
    transaction = dairy.next(state, body, sender)
    return apply_block(state, dairy.context(), [transaction]).receipts[0].code


def test_the_regulator_admits_a_device(dairy):
    state = dairy.state()
    assert register(dairy, state, NEW, dairy.regulator) == ""
    # What it measured before this block proves nothing.
    expected = Device(
        Instrument.FLOW_METER, PLANT, NEW.operator, NOW_MS + 1, NOW_MS, flow_max_l_per_h=9_000
    )
    assert DEVICES.get(state, NEW.device) == expected


def test_a_flow_meter_behind_a_vat_is_sealed_at_no_flow(dairy):
    state = dairy.state()
    assert register(dairy, state, replace(NEW, flow_max_l_per_h=0), dairy.regulator) == ""
    assert DEVICES.get(state, NEW.device).flow_max_l_per_h == 0


@pytest.mark.parametrize(
    ("change", "sender", "code"),
    [
        ({}, "alice", "role_missing"),
        ({}, "mmu", "role_missing"),
        ({"device": key("meter-0").public}, "regulator", "known_device"),
        ({"kind": "thermostat{}"}, "regulator", "unknown_instrument"),
        ({"calibrated_until_ms": NOW_MS}, "regulator", "calibration_over"),
        ({"kind": "tank_gauge"}, "regulator", "wrong_seal"),
    ],
)
def test_no_other_device_is_admitted(dairy, change, sender, code):
    state = dairy.state()
    before = DEVICES.get(state, change.get("device", NEW.device))
    assert register(dairy, state, replace(NEW, **change), key(sender)) == code
    assert DEVICES.get(state, change.get("device", NEW.device)) == before
