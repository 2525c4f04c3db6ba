"""What doubts hold: bonds that stay, challenges side by side, and the stake of who attests."""

import pytest
from msgspec.structs import replace

from ledger.primitives.amounts import Units
from ledger.rules.doubts import doubted_units
from ledger.rules.vouchers import attestor_stands, bind_attestors, slash_attestors
from ledger.state.records import Role
from ledger.state.tables import (
    ATTESTOR_BONDS,
    DOUBTS,
    MMUS,
    PARAMETERS,
    grant_role,
    parameters,
)
from ledger.types.milk import ChallengeLot, PostBond, ReleaseBond, ResolveChallenge
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.doubted import (
    FIRST,
    HOLD,
    OPEN_UNTIL_MS,
    Doubted,
)

INSIDE_MS = FIRST[0] + 10_000
FEE = 100


@pytest.fixture
def town():
    return Doubted()


def test_several_challenges_of_a_lot_stand_and_each_is_ruled_on(town):
    for who in ("alice", "bob", "regulator"):
        town.must(who, ChallengeLot(town.lot, bill(10), bytes(32)))
    assert town.do("bob", ChallengeLot(town.lot, bill(10), bytes(32))) == "challenged_already"
    bob = town.units("bob")
    assert town.do("carol", ResolveChallenge(town.lot, town.address("bob"), bill(60))) == ""
    assert town.units("bob") == bob + bill(10)
    over = ResolveChallenge(town.lot, town.address("alice"), bill(41))
    assert town.do("carol", over) == "false_units_over_lot"
    own = ResolveChallenge(town.lot, town.address("regulator"), bill(1))
    assert town.do("regulator", own) == "own_cause"
    assert town.do("carol", replace(over, false_units=bill(40))) == ""
    assert town.do("carol", own) == "false_units_over_lot"
    assert town.do("carol", replace(own, false_units=0)) == ""
    assert DOUBTS.get(town.state, town.lot) is None
    town.close()


def test_a_bond_stays_for_what_is_in_doubt(town):
    mmu = town.address("mmu")
    # A part stays for what was minted of late, in doubt or not.
    bond = MMUS.get(town.state, mmu).bond_units - bill(5)
    town.ask(HOLD, 30)
    town.must("bob", ChallengeLot(town.lot, bill(10), bytes(32)))
    assert doubted_units(town.state, mmu) == bill(100)
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100) + 1)) == "bound_bond"
    town.must("carol", ResolveChallenge(town.lot, town.address("bob"), 0))
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100) + 1)) == "bound_bond"
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100))) == ""
    town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30))
    assert town.do("regulator", ReleaseBond(mmu, bill(100))) == ""
    town.close()


def test_a_bond_stays_for_what_was_minted_in_the_window(town):
    mmu = town.address("mmu")
    held = MMUS.get(town.state, mmu)
    rules = parameters(town.state)
    day_ms = rules.challenge_window_ms // 14
    MMUS.put(town.state, replace(held, days=((town.time_ms // day_ms, bill(1_000)),)), mmu)
    most = held.bond_units - bill(50)
    assert town.do("regulator", ReleaseBond(mmu, Units(most + 1))) == "bound_bond"
    assert town.do("regulator", ReleaseBond(mmu, Units(most))) == ""
    town.time_ms += 2 * rules.challenge_window_ms
    assert town.do("regulator", ReleaseBond(mmu, bill(50))) == ""


# Attestors.


def test_who_attests_vouches_out_of_its_keys_account(town):
    town.must(key("attestor-0"), PostBond(bill(7)))
    assert town.bond("attestor-0") == bill(57)
    assert town.do("alice", PostBond(bill(7))) == "role_missing"
    assert town.do(key("attestor-0"), PostBond(0)) == "zero_units"
    town.close()


def test_an_mmu_that_attests_vouches_for_its_milk(town):
    grant_role(town.state, Role.ATTESTOR, key("mmu").public)
    bond = MMUS.get(town.state, town.address("mmu")).bond_units
    town.must("mmu", PostBond(bill(1)))
    assert MMUS.get(town.state, town.address("mmu")).bond_units == bond + bill(1)
    assert town.bond("mmu") == 0


def test_a_word_counts_with_enough_at_stake(town):
    rules = parameters(town.state)
    least = replace(rules.doubt, attestor_bond_least_units=bill(50))
    assert attestor_stands(town.state, key("attestor-3").public)
    PARAMETERS.put(town.state, replace(rules, doubt=least))
    assert attestor_stands(town.state, key("attestor-0").public)
    assert not attestor_stands(town.state, key("attestor-3").public)
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    town.refute(HOLD, cold, place=town.place(cold))
    assert not attestor_stands(town.state, key("attestor-0").public)


def test_an_attestors_bond_stays_until_all_that_it_signed_is_past_doubt(town):
    address = town.address("attestor-0")
    keys = (key("attestor-0").public, key("attestor-3").public)
    bind_attestors(town.state, keys, OPEN_UNTIL_MS)
    bind_attestors(town.state, keys, OPEN_UNTIL_MS - 5)
    assert ATTESTOR_BONDS.get(town.state, town.address("attestor-3")) is None
    assert town.do("regulator", ReleaseBond(address, bill(50) + 1)) == "short_bond"
    town.time_ms = OPEN_UNTIL_MS
    assert town.do("regulator", ReleaseBond(address, bill(50))) == "bound_bond"
    town.time_ms += 1
    assert town.do("regulator", ReleaseBond(address, bill(20))) == ""
    assert town.do("regulator", ReleaseBond(address, bill(30))) == ""
    assert ATTESTOR_BONDS.get(town.state, address) is None
    town.close()


def test_an_attestor_stays_while_what_it_signed_is_in_doubt(town):
    address = town.address("attestor-0")
    assert town.ask(HOLD, 30) == ""
    assert town.do("regulator", ReleaseBond(address, bill(1))) == "bound_bond"
    assert town.do("regulator", ReleaseBond(town.address("attestor-2"), bill(1))) == ""
    assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30)) == ""
    assert town.do("regulator", ReleaseBond(address, bill(1))) == ""


def test_nobody_lives_off_the_attestors_bonds():
    """No attestor loses more than was false, and who shows it gets half of that at most."""
    town = Doubted(refuter_bp=5_000)
    keys = tuple(signer.public for signer in town.signers)
    alice, false_units = town.units("alice"), bill(4)
    slash_attestors(town.state, keys, town.address("alice"), false_units)
    assert {town.bond(f"attestor-{number}") for number in range(2)} == {bill(50) - false_units}
    assert town.units("alice") == alice + false_units // 2
    town.close()
