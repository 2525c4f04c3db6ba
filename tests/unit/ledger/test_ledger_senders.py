"""Who may send what: the table says it, and both doors, mempool and block, hold it."""

import pytest

from ledger.errors.registry import RoleMissing
from ledger.rules import LAWS, Call, apply_body, check_body
from ledger.rules.context import BlockContext
from tests.support.ledger.dairy import NOW_MS
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import Town

LICENSED = {kind.__name__: kind for kind, law in LAWS.items() if law.by}


@pytest.mark.parametrize("name", LICENSED)
def test_who_lacks_the_role_is_refused_in_the_mempool_and_in_the_block(name):
    town = Town()
    (body,) = (body for body in sample_bodies(town) if type(body) is LICENSED[name])
    stranger = Call(town.address("bob"), 0, 0)
    block = BlockContext(bytes(32), 1, NOW_MS, town.address("owner-0"))
    with pytest.raises(RoleMissing):
        check_body(town.state, stranger, body)
    with pytest.raises(RoleMissing):
        apply_body(town.state, block, stranger, body)


def test_every_power_over_others_takes_a_licence():
    named = {name: {role.value for role in LAWS[kind].by} for name, kind in LICENSED.items()}
    regulator = {"regulator"}
    assert {name for name, roles in named.items() if roles == regulator} == {
        "RegisterDevice",
        "CalibrateDevice",
        "RevokeDevice",
        "GrantRole",
        "RevokeRole",
        "FreezeAccount",
        "FreezeLot",
        "RecallLot",
        "CondemnMilk",
        "ReleaseBond",
        "SetParameter",
        "RegisterLine",
        "StopDevice",
        "ClearDevice",
    }
    assert named["MintWindow"] == named["RollWindow"] == named["PackLot"] == {"mmu"}
    assert named["MoveMilk"] == {"mmu"}
    assert named["ResolveChallenge"] == {"arbiter", "regulator"}
