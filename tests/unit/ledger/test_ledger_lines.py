"""Lines: which devices may watch which milk; each refusal, and what an exchange leaves behind."""

import pytest

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.state.lines import LineDevice
from ledger.state.records import Role
from ledger.state.tables import DEVICES, LINES, PLANTS
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import StopDevice, line_id, plant_id
from ledger.types.milk import tank_id
from ledger.types.registry import GrantRole, RevokeDevice
from tests.support.ledger.dairy import LINE, NOW_MS, PLANT, key
from tests.support.ledger.lines import NAME, admit, amend, bare_town, line_devices, register
from tests.support.ledger.town import Town

HOLD, OUTLET, VALVE, GAUGE, FLOW = (
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
    Instrument.FLOW_METER,
)


@pytest.fixture
def town():
    return bare_town()


def device(name):
    return PublicKey(key(name).public)


@pytest.fixture
def lined(town):
    assert town.do("regulator", register(town.dairy)) == ""
    return town


def test_a_regulator_registers_a_line(lined):
    line, mmu = LINES.get(lined.state, NAME), lined.address("mmu")
    assert (line.mmu, line.plant, line.name) == (mmu, PLANT, LINE)
    assert (line.through_ms, line.height) == (lined.time_ms, lined.height)
    assert line.tank == tank_id(mmu, PLANT, "tank-1")
    entries = [LineDevice(each, NOW_MS) for each in line_devices(lined.dairy)]
    assert list(line.devices) == entries
    assert PLANTS.get(lined.state, plant_id(PLANT)) == mmu
    gauge = lined.dairy.line_keys[GAUGE].public
    for each in line_devices(lined.dairy):
        found = DEVICES.get(lined.state, each)
        expected = (ZERO_HASH, line.tank) if each == gauge else (NAME, ZERO_HASH)
        assert (found.line, found.tank) == expected
    lined.close()


def test_nobody_else_registers_a_line(town):
    assert town.do("mmu", register(town.dairy)) == "role_missing"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mmu": Town.address("alice")}, "role_not_held"),
        ({"plant": "plant-2"}, "foreign_device"),
        ({"flow_max_l_per_h": 0}, "flow_or_vat"),
        ({"vat_units": 5}, "flow_or_vat"),
        ({"process": HeatProcess.BATCH}, "flow_or_vat"),
        ({"process": HeatProcess.BATCH, "flow_max_l_per_h": 0}, "flow_or_vat"),
        ({"process": HeatProcess.BATCH, "vat_units": 5}, "flow_or_vat"),
        ({"devices": ()}, "wrong_places"),
    ],
)
def test_a_line_that_can_not_be_is_refused(town, changes, code):
    assert town.do("regulator", register(town.dairy, **changes)) == code
    assert LINES.get(town.state, NAME) is None
    assert PLANTS.get(town.state, plant_id(PLANT)) is None


def test_a_line_is_registered_once(lined):
    assert lined.do("regulator", register(lined.dairy)) == "known_line"


def test_a_plant_belongs_to_one_mmu(lined):
    assert lined.do("regulator", GrantRole(Role.MMU, lined.address("alice"))) == ""
    other = register(lined.dairy, line="line-2", mmu=lined.address("alice"))
    assert lined.do("regulator", other) == "foreign_plant"


@pytest.mark.parametrize("kind", [FLOW, HOLD, OUTLET, VALVE])
def test_a_line_lacks_no_place(town, kind):
    missing = town.dairy.line_keys[kind].public
    devices = tuple(each for each in line_devices(town.dairy) if each != missing)
    assert town.do("regulator", register(town.dairy, devices=devices)) == "wrong_places"


def test_a_continuous_line_needs_no_gauge_and_a_batch_line_does(town):
    gauge = town.dairy.line_keys[GAUGE].public
    devices = tuple(each for each in line_devices(town.dairy) if each != gauge)
    batch = {"process": HeatProcess.BATCH, "flow_max_l_per_h": 0, "vat_units": 5}
    assert town.do("regulator", register(town.dairy, devices=devices, **batch)) == "wrong_places"
    assert town.do("regulator", register(town.dairy, devices=devices)) == ""


def test_a_batch_line_has_a_vat_and_a_gauge(town):
    batch = {"process": HeatProcess.BATCH, "flow_max_l_per_h": 0, "vat_units": 5}
    assert town.do("regulator", register(town.dairy, **batch)) == ""


def test_two_flow_meters_are_one_too_many(lined):
    assert amend(lined, [admit(lined, "flow-2", FLOW)]) == "wrong_places"


@pytest.mark.parametrize("kind", [HOLD, OUTLET, VALVE, GAUGE])
def test_a_place_has_at_most_four_devices(lined, kind):
    spares = [admit(lined, f"{kind}-{i}", kind) for i in range(4)]
    assert amend(lined, spares[:3]) == ""
    assert amend(lined, spares[3:]) == "wrong_places"


def test_a_line_has_at_most_sixteen_devices_those_that_left_among_them(lined):
    for kind in (HOLD, OUTLET, VALVE):
        assert amend(lined, [admit(lined, f"{kind}-{i}", kind) for i in range(3)]) == ""
    spares = [admit(lined, f"gauge-{i}", GAUGE) for i in range(3)]
    assert amend(lined, spares[:2]) == ""
    lined.time_ms += 1
    assert amend(lined, spares[2:], spares[:1]) == "line_full"


@pytest.mark.parametrize("double", [False, True])
def test_devices_stand_in_order_each_once(town, double):
    first, *rest = line_devices(town.dairy)
    devices = (first, first, *rest) if double else (*rest, first)
    assert town.do("regulator", register(town.dairy, devices=devices)) == "unordered_devices"


@pytest.mark.parametrize(
    ("admitted", "code"),
    [
        (None, "device_unregistered"),
        ((HOLD, "plant-2", "mmu"), "foreign_device"),
        ((HOLD, PLANT, "alice"), "foreign_operator"),
        ((Instrument.MILK_METER, PLANT, "mmu"), "no_place"),
    ],
)
def test_a_device_that_may_not_watch_joins_no_line(lined, admitted, code):
    if admitted is not None:
        admit(lined, "strange", *admitted)
    assert amend(lined, [device("strange")]) == code


@pytest.mark.parametrize("revoked", [False, True])
def test_a_stopped_device_joins_no_line(lined, revoked):
    bad = admit(lined, "bad", HOLD)
    stop = RevokeDevice(bad) if revoked else StopDevice(bad, NOW_MS)
    assert lined.do("regulator", stop) == ""
    assert amend(lined, [bad]) == "device_stopped"


def test_a_device_watches_one_line(lined):
    assert lined.do("regulator", register(lined.dairy, line="line-2")) == "device_taken"
    spare = admit(lined, "spare", HOLD)
    assert amend(lined, [spare]) == ""
    assert amend(lined, [spare]) == "device_taken"


def second_line(town, *gauges, tank="tank-1"):
    """A line with devices of its own, and gauges."""
    own = [admit(town, f"two-{kind}", kind) for kind in (FLOW, HOLD, OUTLET, VALVE)]
    devices = tuple(sorted((*own, *gauges)))
    return register(town.dairy, line="line-2", devices=devices, tank=tank)


def test_lines_of_one_tank_share_its_gauge(lined):
    gauge = lined.dairy.line_keys[GAUGE].public
    assert lined.do("regulator", second_line(lined, gauge)) == ""
    assert any(
        each.device == gauge for each in LINES.get(lined.state, line_id(PLANT, "line-2")).devices
    )
    assert amend(lined, [gauge]) == "device_taken"


def test_a_gauge_measures_one_tank(lined):
    gauge = lined.dairy.line_keys[GAUGE].public
    assert lined.do("regulator", second_line(lined, gauge, tank="tank-2")) == "device_taken"
