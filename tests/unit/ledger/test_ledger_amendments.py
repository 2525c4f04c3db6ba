"""Lines in time: who may let devices join and leave, and what becomes of those that left."""

import pytest
from msgspec.structs import replace

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.rules.lines import release_left
from ledger.state.lines import FOR_EVER_MS, Tip, line_devices_within
from ledger.state.names import tip_name
from ledger.state.records import Role
from ledger.state.tables import DEVICES, LINES, TIPS
from ledger.types.evidence import Instrument
from ledger.types.line import AmendLine
from ledger.types.registry import GrantRole
from tests.support.ledger.dairy import NOW_MS, key
from tests.support.ledger.lines import NAME, admit, amend, bare_town, register

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


def keys(*names):
    return tuple(sorted(device(name) for name in names))


@pytest.fixture
def lined(town):
    assert town.do("regulator", register(town.dairy)) == ""
    return town


def test_an_exchange_of_the_flow_meter_leaves_the_old_one_to_be_judged(lined):
    old, new = lined.dairy.line_keys[FLOW].public, admit(lined, "flow-2", FLOW)
    lined.time_ms += 10_000
    changed_ms = lined.time_ms
    assert amend(lined, [new], [old]) == ""
    line = LINES.get(lined.state, NAME)
    spans = {entry.device: (entry.from_ms, entry.until_ms) for entry in line.devices}
    assert spans[old] == (NOW_MS, changed_ms)
    assert spans[new] == (changed_ms, FOR_EVER_MS)
    early = {each.device for each in line_devices_within(line, NOW_MS, changed_ms)}
    late = {each.device for each in line_devices_within(line, changed_ms, changed_ms + 1)}
    assert (old in early, new in early) == (True, False)
    assert (old in late, new in late) == (False, True)
    assert DEVICES.get(lined.state, old).line == NAME
    assert amend(lined, [old], [new]) == "device_taken"


def test_a_device_is_free_when_the_claims_have_passed_its_leaving(lined):
    spare = admit(lined, "spare", HOLD)
    assert amend(lined, [spare]) == ""
    lined.time_ms += 10_000
    assert amend(lined, leaving=[spare]) == ""
    line = LINES.get(lined.state, NAME)
    before = release_left(lined.state, replace(line, through_ms=lined.time_ms - 1))
    assert before.devices == line.devices
    after = release_left(lined.state, replace(line, through_ms=lined.time_ms))
    assert spare not in {entry.device for entry in after.devices}
    assert len(after.devices) == len(line.devices) - 1
    assert DEVICES.get(lined.state, spare).line == ZERO_HASH


def test_what_left_before_the_claims_begin_is_dropped_at_once(lined):
    spare = admit(lined, "spare", HOLD)
    assert amend(lined, [spare]) == ""
    assert amend(lined, leaving=[spare]) == ""
    assert DEVICES.get(lined.state, spare).line == ZERO_HASH
    assert amend(lined, [spare]) == ""


def test_who_joins_a_line_again_begins_there_anew(lined):
    spare = admit(lined, "spare", HOLD)
    for line in (NAME, ZERO_HASH):
        TIPS.put(lined.state, Tip(ZERO_HASH, 1, 7, NOW_MS, 0), tip_name(line, spare))
    assert amend(lined, [spare]) == ""
    assert TIPS.get(lined.state, tip_name(NAME, spare)) is None
    assert TIPS.get(lined.state, tip_name(ZERO_HASH, spare)) is not None


@pytest.mark.parametrize("who", ["regulator", "mmu"])
def test_nobody_takes_the_only_watcher_of_a_place_out(lined, who):
    for kind in (FLOW, HOLD, OUTLET, VALVE):
        only = lined.dairy.line_keys[kind].public
        assert amend(lined, leaving=[only], who=who) == "wrong_places"


def test_the_mmu_takes_one_of_two_watchers_out(lined):
    spare = admit(lined, "spare", HOLD)
    assert amend(lined, [spare]) == ""
    assert amend(lined, leaving=[spare], who="mmu") == ""
    only = lined.dairy.line_keys[HOLD].public
    assert amend(lined, leaving=[only], who="mmu") == "wrong_places"


def test_the_mmu_does_not_take_its_only_gauge_out_and_the_regulator_may(lined):
    gauge = lined.dairy.line_keys[GAUGE].public
    assert amend(lined, leaving=[gauge], who="mmu") == "wrong_places"
    assert amend(lined, leaving=[gauge]) == ""


def test_the_mmu_lets_nothing_join(lined):
    spare = admit(lined, "spare", HOLD)
    only = lined.dairy.line_keys[HOLD].public
    assert amend(lined, [spare], who="mmu") == "role_missing"
    assert amend(lined, [spare], [only], who="mmu") == "role_missing"


def test_another_mmu_amends_nothing(lined):
    assert amend(lined, [admit(lined, "spare", HOLD)]) == ""
    assert lined.do("regulator", GrantRole(Role.MMU, lined.address("alice"))) == ""
    assert amend(lined, leaving=[device("spare")], who="alice") == "role_missing"


@pytest.mark.parametrize(
    ("joining", "leaving", "line", "code"),
    [
        ((), (), NAME, "nothing_amended"),
        ((), ("spare",), NAME, "not_on_line"),
        (("spare",), (), bytes(32), "unknown_line"),
    ],
)
def test_an_amendment_that_means_nothing_is_refused(lined, joining, leaving, line, code):
    admit(lined, "spare", HOLD)
    assert amend(lined, keys(*joining), keys(*leaving), line=line) == code


def test_a_device_leaves_once(lined):
    spare = admit(lined, "spare", HOLD)
    assert amend(lined, [spare]) == ""
    lined.time_ms += 1
    assert amend(lined, leaving=[spare]) == ""
    assert amend(lined, leaving=[spare]) == "not_on_line"


@pytest.mark.parametrize("leaving", [False, True])
def test_an_amendment_lists_devices_in_order(lined, leaving):
    spares = sorted((admit(lined, "spare-1", HOLD), admit(lined, "spare-2", HOLD)), reverse=True)
    if leaving:
        assert amend(lined, spares) == ""
    lists = ((), tuple(spares)) if leaving else (tuple(spares), ())
    assert lined.do("regulator", AmendLine(NAME, *lists)) == "unordered_devices"
