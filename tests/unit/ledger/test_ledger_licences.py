"""Roles come and go at the regulator's word, devices are calibrated and revoked; k-of-n acts."""

import pytest
from msgspec.structs import replace

from ledger.genesis import GenesisRole
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Policy
from ledger.state.records import Role
from ledger.state.tables import ACCOUNTS, DEVICES, attestors, credit, debit, grant_role, has_role
from ledger.types.evidence import Instrument
from ledger.types.registry import (
    CalibrateDevice,
    GrantRole,
    RegisterDevice,
    RevokeDevice,
    RevokeRole,
)
from ledger.types.transaction import Intent, sign
from tests.support.ledger.dairy import FEE, FOREVER, NOW_MS, PLANT, bill, key
from tests.support.ledger.town import Town

ALICE, REGULATOR = Town.address("alice"), Town.address("regulator")
FLOW = key(Instrument.FLOW_METER.value).public
MINUTE_MS = 60_000


@pytest.fixture
def town():
    return Town()


def test_a_licence_is_granted_and_taken_away(town):
    assert town.do("regulator", GrantRole(Role.MERCHANT, ALICE)) == ""
    assert has_role(town.state, Role.MERCHANT, ALICE)
    assert town.do("regulator", GrantRole(Role.MERCHANT, ALICE)) == "role_held"
    assert town.do("regulator", RevokeRole(Role.MERCHANT, ALICE)) == ""
    assert not has_role(town.state, Role.MERCHANT, ALICE)
    assert town.do("regulator", RevokeRole(Role.MERCHANT, ALICE)) == "role_not_held"
    town.close()


def test_only_a_regulator_grants_and_never_takes_its_own_licence(town):
    assert town.do("alice", GrantRole(Role.REGULATOR, ALICE)) == "role_missing"
    assert town.do("alice", RevokeRole(Role.MMU, town.address("mmu"))) == "role_missing"
    assert town.do("regulator", RevokeRole(Role.REGULATOR, REGULATOR)) == "own_role"


def test_attestors_are_counted_and_never_run_out(town):
    new = key("attestor-new").public
    assert town.do("regulator", GrantRole(Role.ATTESTOR, new)) == ""
    assert new in attestors(town.state)
    codes = [town.do("regulator", RevokeRole(Role.ATTESTOR, k)) for k in attestors(town.state)]
    assert codes == [""] + ["role_out_of_bounds"] * 4


def pasteurize(town):
    """Collect milk, and give the window in which it was pasteurized, just now."""
    batch = town.milking.next(at_ms=town.time_ms - 2 * MINUTE_MS)
    for body in batch.collections:
        assert town.do("mmu", body) == ""
    return batch.mint


def test_a_mint_needs_its_licence(town):
    mint = pasteurize(town)
    town.do("regulator", RevokeRole(Role.MMU, town.address("mmu")))
    assert town.do("mmu", mint) == "role_missing"


def test_what_a_device_measured_once_it_was_revoked_proves_nothing(town):
    before = pasteurize(town)
    assert town.do("alice", RevokeDevice(FLOW)) == "role_missing"
    assert town.do("regulator", RevokeDevice(FLOW)) == ""
    assert town.do("mmu", before) == ""
    town.time_ms += HOUR_MS
    assert town.do("mmu", pasteurize(town)) == "unwatched_interval"
    assert town.do("regulator", RevokeDevice(FLOW)) == "device_revoked"
    assert town.do("regulator", CalibrateDevice(FLOW, NOW_MS + 1)) == "device_revoked"
    assert town.do("regulator", RevokeDevice(key("none").public)) == "device_unregistered"


def test_a_calibration_covers_what_comes_after_it(town):
    until_ms = DEVICES.get(town.state, FLOW).calibrated_until_ms
    assert town.do("regulator", CalibrateDevice(FLOW, NOW_MS)) == "calibration_over"
    assert town.do("regulator", CalibrateDevice(FLOW, until_ms + DAY_MS)) == ""
    assert DEVICES.get(town.state, FLOW).calibrated_from_ms == 0
    town.time_ms = until_ms + 2 * DAY_MS
    assert town.do("regulator", CalibrateDevice(FLOW, town.time_ms + DAY_MS)) == ""
    assert DEVICES.get(town.state, FLOW).calibrated_from_ms == town.time_ms


@pytest.mark.parametrize(("spare_ms", "code"), [(0, "unwatched_interval"), (1, "")])
def test_readings_from_before_a_calibration_prove_nothing(town, spare_ms, code):
    mint, until_ms = pasteurize(town), town.time_ms + DAY_MS
    old = DEVICES.get(town.state, FLOW)
    lapsed_ms = mint.claim.intervals[0].to_ms + spare_ms
    DEVICES.put(town.state, replace(old, calibrated_until_ms=lapsed_ms), FLOW)
    assert town.do("regulator", CalibrateDevice(FLOW, until_ms)) == ""
    # One that was renewed too late covers nothing of before; the lapsed one holds up to its end.
    assert town.do("mmu", mint) == code


def test_readings_from_before_a_registration_prove_nothing(town):
    mint, old = pasteurize(town), DEVICES.get(town.state, FLOW)
    DEVICES.remove(town.state, FLOW)
    again = RegisterDevice(
        FLOW, old.instrument.value, PLANT, old.operator, NOW_MS + DAY_MS, old.flow_max_l_per_h
    )
    assert town.do("regulator", again) == ""
    assert town.do("mmu", mint) == "unwatched_interval"


def joint(town, names, body, signers, nonce=0):
    """A two-of-three account's transaction."""
    policy = Policy(2, tuple(sorted(key(name).public for name in names)))
    if not ACCOUNTS.get(town.state, policy.address()):
        debit(town.state, ALICE, bill(10))
        credit(town.state, policy.address(), bill(10))
    intent = Intent(town.dairy.chain_id, policy, nonce, Units(FEE), FOREVER, body)
    return policy, sign(intent, *(key(name) for name in signers))


@pytest.mark.parametrize("role", [Role.REGULATOR, Role.TREASURY])
def test_a_regulator_or_treasury_of_several_people_acts_by_its_quorum(town, role):
    names = ("minister", "vet", "auditor")
    policy, made = joint(town, names, GrantRole(Role.LAB, ALICE), ("vet", "auditor"))
    grant_role(town.state, role, policy.address())
    expected = "" if role is Role.REGULATOR else "role_missing"
    assert town.blocks([made]) == [expected]
    _, paid = joint(town, names, town.dairy.pay(ALICE, 5), ("minister", "vet"), nonce=1)
    assert town.blocks([paid]) == [""]
    town.close()


def test_a_genesis_may_name_a_joint_regulator(town):
    policy = Policy(2, tuple(sorted(key(name).public for name in ("a", "b", "c"))))
    roles = (*town.dairy.genesis.roles, GenesisRole(Role.REGULATOR, policy.address()))
    replace(town.dairy.genesis, roles=roles).check()
