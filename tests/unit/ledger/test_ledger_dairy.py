"""Milk from the tank to the pack: it is counted at every step, and what is lost is paid for."""

import pytest
from msgspec.structs import replace

from ledger.errors.milk import LowBond
from ledger.params import DAY_MS
from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.rules.minting import check_window
from ledger.state.records import LotStatus, Role
from ledger.state.tables import (
    LOTS,
    MMUS,
    PRODUCTS,
    PROVEN,
    RESERVE_ACCOUNT,
    SUPPLY,
    account,
    grant_role,
    supply,
)
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    LossReason,
    PackLot,
    PostBond,
    RecallLot,
    ReleaseBond,
    ResolveChallenge,
    WriteOff,
    tank_id,
)
from ledger.types.window import RollWindow
from tests.support.ledger.dairy import NOW_MS, PLANT, TANK, Dairy, bill
from tests.support.ledger.town import PURSES, Town, parameters

MMU = Town.address("mmu")
ALICE = Town.address("alice")
NONE = bytes(32)
MINUTE_MS = 60_000
EXPIRED, RECALLED, SPILLED = LossReason.EXPIRED, LossReason.RECALLED, LossReason.SPILLED


@pytest.fixture
def town():
    rules = parameters(mmu_bond_least_units=bill(1), bond_bp=1)
    return Town(Dairy(parameters=rules, balances=PURSES, bond=bill(1)))


def minted(town, *litres):
    return town.make_lot(*(litres or (40, 35, 25)))


def window(town, *litres):
    """Collect what the farms bring; give the window in which it was pasteurized."""
    shares = [bill(each) for each in litres or (40, 35, 25)]
    batch = town.milking.next(shares, at_ms=town.time_ms - 120_000)
    for body in batch.collections:
        assert town.do("mmu", body) == ""
    return batch.mint


def product_of(town, who="mmu"):
    nonce = account(town.state, town.address(who)).nonce - 1
    return Call(town.address(who), nonce, 0).name(Domain.PRODUCT)


def test_milk_goes_from_farm_to_tank_to_lot_to_pack(town):
    lot = minted(town, 50, 50)
    assert town.units("farm-0") == town.units("farm-1") == bill(45)
    proven = PROVEN.get(town.state, lot)
    assert proven.tank == tank_id(MMU, PLANT, TANK)
    assert {source.farm: source.units for source in proven.sources} == {
        town.address("farm-0"): bill(50),
        town.address("farm-1"): bill(50),
    }
    assert town.do("mmu", PackLot(lot, 50, bill(1))) == ""
    product = product_of(town)
    bob = town.address("bob")
    assert town.do("alice", town.dairy.pay(bob, bill(3), (product, bill(2)))) == ""
    assert PRODUCTS.get(town.state, product).sold_units == bill(2)
    left = LOTS.get(town.state, lot)
    assert (left.remaining_units, left.packed_unsold_units) == (bill(98), bill(48))
    assert town.do("alice", town.dairy.pay(bob, bill(51), (product, bill(49)))) == "short_lot"
    assert town.do("alice", town.dairy.pay(bob, bill(51), (lot, bill(51)))) == "short_lot"
    assert town.do("alice", town.dairy.pay(bob, bill(50), (lot, bill(50)))) == ""
    town.close()


def test_packs_come_out_of_loose_milk(town):
    lot = minted(town)
    grant_role(town.state, Role.MMU, town.address("alice"))
    assert town.do("alice", PackLot(lot, 1, 1)) == "foreign_lot"
    assert town.do("mmu", PackLot(NONE, 1, 1)) == "unknown_lot"
    assert town.do("mmu", PackLot(lot, 60, bill(1))) == ""
    assert town.do("mmu", PackLot(lot, 41, bill(1))) == "short_lot"
    assert town.do("mmu", PackLot(lot, 40, bill(1))) == ""
    assert town.do("mmu", WriteOff(lot, 1, SPILLED)) == "short_lot"
    town.close()


def test_no_sale_from_a_frozen_or_recalled_lot(town):
    lot, bob = minted(town), town.address("bob")
    sale = town.dairy.pay(bob, 5, (lot, 5))
    assert town.do("alice", FreezeLot(lot, True)) == "role_missing"
    assert town.do("regulator", FreezeLot(lot, True)) == ""
    assert town.do("alice", sale) == "unsound_lot"
    assert town.do("mmu", PackLot(lot, 1, 1)) == "unsound_lot"
    assert town.do("regulator", FreezeLot(lot, False)) == ""
    assert town.do("alice", sale) == ""
    assert town.do("alice", RecallLot(lot)) == "role_missing"
    assert town.do("regulator", RecallLot(lot)) == ""
    assert LOTS.get(town.state, lot).status is LotStatus.RECALLED
    assert town.do("alice", sale) == "unsound_lot"
    assert town.do("regulator", RecallLot(lot)) == "unsound_lot"
    assert town.do("regulator", FreezeLot(lot, False)) == "unsound_lot"
    town.close()


def test_lost_milk_is_paid_by_the_reserve_then_the_bond_then_stands_as_a_deficit(town):
    lot = minted(town)
    assert account(town.state, RESERVE_ACCOUNT).units == bill(1)
    assert town.do("mmu", PostBond(bill(4))) == ""
    assert town.do("bob", WriteOff(lot, bill(5), EXPIRED)) == "fresh_lot"
    assert town.do("bob", WriteOff(lot, bill(5), RECALLED)) == "fresh_lot"
    town.do("regulator", RecallLot(lot))
    assert town.do("bob", WriteOff(lot, bill(3), RECALLED)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units == 0
    assert MMUS.get(town.state, MMU).bond_units == bill(3)
    town.time_ms = NOW_MS + 20 * DAY_MS
    assert town.do("bob", WriteOff(lot, bill(97), EXPIRED)) == ""
    mmu = MMUS.get(town.state, MMU)
    assert (mmu.bond_units, mmu.deficit_units) == (0, bill(94))
    books = supply(town.state)
    assert books.deficit_units == bill(94)
    assert books.by_reason_units == (0, bill(3), bill(3), 0, 0)
    assert books.units == books.remaining_units + books.deficit_units
    town.close()


def test_a_deficit_stops_mints_until_a_bond_covers_it(town):
    lot = minted(town)
    town.do("regulator", RecallLot(lot))
    town.do("bob", WriteOff(lot, bill(100), RECALLED))
    later = window(town)
    assert town.do("mmu", later) == "deficit_open"
    assert town.do("mmu", PostBond(bill(97))) == ""
    assert town.do("mmu", later) == "deficit_open"
    assert town.do("mmu", PostBond(bill(3))) == ""
    assert MMUS.get(town.state, MMU).bond_units == bill(2)
    assert town.do("mmu", later) == ""
    town.close()


def test_a_bond_comes_back_at_the_regulators_word(town):
    assert town.do("alice", PostBond(1)) == "role_missing"
    assert town.do("mmu", PostBond(0)) == "zero_units"
    assert town.do("mmu", PostBond(bill(10_000))) == "insufficient_funds"
    town.do("mmu", PostBond(bill(5)))
    assert town.do("mmu", ReleaseBond(MMU, 1)) == "role_missing"
    assert town.do("regulator", ReleaseBond(MMU, 0)) == "zero_units"
    assert town.do("regulator", ReleaseBond(MMU, bill(7))) == "short_bond"
    assert town.do("regulator", ReleaseBond(MMU, bill(5))) == ""
    town.close()


def test_spilled_milk_is_its_mmus_to_pay(town):
    lot = minted(town)
    town.do("mmu", PostBond(bill(4)))
    assert town.do("alice", WriteOff(lot, 1, SPILLED)) == "foreign_lot"
    assert town.do("mmu", WriteOff(lot, bill(3), SPILLED)) == ""
    assert MMUS.get(town.state, MMU).bond_units == bill(2)
    assert account(town.state, RESERVE_ACCOUNT).units == bill(1)
    town.close()


def roll(town, lot, *litres):
    """A new window, some days later, rolled onto an old lot."""
    mint = window(town, *litres)
    return RollWindow(lot, mint), mint.claim


def test_who_has_too_little_at_stake_does_not_mint(town):
    assert town.do("regulator", ReleaseBond(MMU, 1)) == ""
    mint = window(town)
    assert town.do("mmu", mint) == "low_bond"
    with pytest.raises(LowBond, match="999999 units, at least 1000000"):
        check_window(town.state, Call(MMU, 0, 0), mint)
    assert town.do("mmu", PostBond(1)) == ""
    assert town.do("mmu", mint) == ""
    town.close()


def test_a_roll_rests_on_a_bond_as_a_mint_does(town):
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    town.do("regulator", ReleaseBond(MMU, bill(1)))
    body, _ = roll(town, lot, 50, 30)
    assert town.do("mmu", body) == "low_bond"
    town.do("mmu", PostBond(bill(1)))
    assert town.do("mmu", body) == ""
    assert LOTS.get(town.state, lot).remaining_units == bill(20)
    town.close()


def test_an_expired_lot_is_rolled_onto_new_milk(town):
    lot = minted(town)
    later_ms = NOW_MS + 20 * DAY_MS
    town.time_ms = later_ms
    body, claim = roll(town, lot, 60, 60)
    town.time_ms = NOW_MS
    assert town.do("mmu", body) == "fresh_lot"
    town.time_ms = later_ms
    assert town.do("alice", body) == "role_missing"
    before = supply(town.state)
    held = {who: town.units(who) for who in ("farm-0", "mmu")}
    assert town.do("mmu", body) == ""
    after = supply(town.state)
    # 120 litres came, 100 of them back the old tokens: 20 are issued, 100 are bought.
    assert after.units - before.units == bill(20)
    assert LOTS.get(town.state, lot).remaining_units == 0
    assert LOTS.get(town.state, claim.lot_id()).remaining_units == bill(120)
    assert town.units("farm-0") - held["farm-0"] == bill(9) + bill(45)
    assert town.do("mmu", body) == "short_lot"
    town.close()


def test_only_its_mmu_writes_a_lot_off_on_the_day_that_it_expires(town):
    lot = minted(town)
    town.time_ms = LOTS.get(town.state, lot).expires_ms
    assert town.do("bob", WriteOff(lot, bill(5), EXPIRED)) == "fresh_lot"
    assert town.do("mmu", WriteOff(lot, 1, EXPIRED)) == ""
    town.time_ms += DAY_MS - 1
    assert town.do("bob", WriteOff(lot, bill(5), EXPIRED)) == "fresh_lot"
    town.time_ms += 1
    assert town.do("bob", WriteOff(lot, bill(5), EXPIRED)) == ""
    town.close()


def owe(town, units):
    """Let milk of the genesis be gone that the MMU could not pay for."""
    state, stock = town.state, town.dairy.genesis.stock[0].lot_id()
    held, lot, books = MMUS.get(state, MMU), LOTS.get(state, stock), supply(state)
    MMUS.put(state, replace(held, deficit_units=units), MMU)
    LOTS.put(state, replace(lot, remaining_units=lot.remaining_units - units), stock)
    gone = replace(books, remaining_units=books.remaining_units - units, deficit_units=units)
    SUPPLY.put(state, gone)


def test_a_roll_issues_nothing_while_a_deficit_is_open(town):
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    owe(town, bill(1))
    milking = town.milking
    milking.begun_ms = town.time_ms - 120_000
    for body in milking.collect([bill(60), bill(60)]):
        assert town.do("mmu", body) == ""
    milking.flow(bill(120))
    assert town.do("mmu", RollWindow(lot, milking.window())) == "deficit_open"
    # As much as the old tokens need makes the books better, and may come.
    same = milking.window(choose=lambda window: [replace(window.intervals()[0], steps=100_000)])
    assert town.do("mmu", RollWindow(lot, same)) == ""
    assert LOTS.get(town.state, lot).remaining_units == 0


def test_a_roll_that_the_mmu_cannot_pay_is_refused(town):
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    town.do("mmu", town.dairy.pay(town.address("bob"), town.units("mmu") - bill(1)))
    body, _ = roll(town, lot, 60, 60)
    assert town.do("mmu", body) == "insufficient_funds"
    assert LOTS.get(town.state, lot).remaining_units == bill(100)


def test_a_challenge_upheld_is_fraud(town):
    lot = minted(town)
    town.do("mmu", PostBond(bill(30)))
    town.do("alice", town.dairy.pay(town.address("bob"), bill(90), (lot, bill(90))))
    grant_role(town.state, Role.ARBITER, town.address("carol"))
    assert town.do("alice", ChallengeLot(lot, 1, NONE)) == "low_deposit"
    assert town.do("alice", ChallengeLot(NONE, bill(10), NONE)) == "unknown_lot"
    before = town.units("alice")
    assert town.do("alice", ChallengeLot(lot, bill(10), NONE)) == ""
    assert town.do("alice", ChallengeLot(lot, bill(10), NONE)) == "challenged_already"
    assert town.do("bob", ResolveChallenge(lot, ALICE, 1)) == "role_missing"
    assert town.do("carol", ResolveChallenge(lot, ALICE, bill(101))) == "false_units_over_lot"
    assert town.do("carol", ResolveChallenge(lot, ALICE, bill(25))) == ""
    assert town.units("alice") == before - 200
    # Ten litres were unsold yet and are burned from the bond; fifteen more go to the reserve.
    # The share of the processor that is locked yet goes before the bond.
    assert MMUS.get(town.state, MMU).bond_units == bill(13)
    assert supply(town.state).by_reason_units[4] == bill(10)
    assert account(town.state, RESERVE_ACCOUNT).units == bill(16)
    assert town.do("carol", ResolveChallenge(lot, ALICE, 0)) == "not_challenged"
    town.close()


def test_a_challenge_rejected_costs_its_deposit(town):
    lot = minted(town)
    town.do("alice", ChallengeLot(lot, bill(10), NONE))
    before = town.units("mmu")
    reserve = account(town.state, RESERVE_ACCOUNT).units
    assert town.do("regulator", ResolveChallenge(lot, ALICE, 0)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units - reserve == bill(10)
    assert town.units("mmu") == before
    stock = town.dairy.genesis.stock[0].lot_id()
    town.do("alice", ChallengeLot(stock, bill(10), NONE))
    reserve = account(town.state, RESERVE_ACCOUNT).units
    assert town.do("regulator", ResolveChallenge(stock, ALICE, 0)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units - reserve == bill(10)
    assert town.do("alice", ChallengeLot(lot, bill(10_000), NONE)) == "insufficient_funds"
    town.close()


def test_an_expired_lot_goes_down_the_whole_fall(town):
    """Rolled as far as new milk reaches; then the reserve, the bond, and a deficit."""
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    body, _ = roll(town, lot, 40, 30)
    assert town.do("mmu", body) == ""
    assert LOTS.get(town.state, lot).remaining_units == bill(30)
    reserve = account(town.state, RESERVE_ACCOUNT).units
    assert (reserve, MMUS.get(town.state, MMU).bond_units) == (bill(1), bill(1))
    assert town.do("bob", WriteOff(lot, bill(30), EXPIRED)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units == 0
    mmu = MMUS.get(town.state, MMU)
    assert (mmu.bond_units, mmu.deficit_units) == (0, bill(28))
    assert supply(town.state).deficit_units == bill(28)
    assert town.do("mmu", window(town)) == "deficit_open"
    town.close()
