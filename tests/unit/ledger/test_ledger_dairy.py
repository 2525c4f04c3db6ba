"""Milk from the tank to the pack: it is counted at every step, and what is lost is paid for."""

import pytest
from msgspec.structs import replace

from ledger.errors.milk import LowBond
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.hashing import Domain, digest
from ledger.rules.context import Call
from ledger.rules.milk import check_mint
from ledger.state.records import LotStatus, Role
from ledger.state.tables import (
    LOTS,
    MMUS,
    ORIGINS,
    PRODUCTS,
    RESERVE_ACCOUNT,
    SEALED,
    SUPPLY,
    TANKS,
    account,
    grant_role,
    run_name,
    supply,
)
from ledger.types.milk import (
    ChallengeLot,
    FreezeLot,
    LossReason,
    PackLot,
    PostBond,
    RecallLot,
    RecordCollection,
    ReleaseBond,
    ResolveChallenge,
    RollLot,
    SealRun,
    WriteOff,
    tank_id,
)
from tests.support.ledger.dairy import NOW_MS, PLANT, Dairy, bill, key
from tests.support.ledger.town import PURSES, Town, parameters

MMU = Town.address("mmu")
ALICE = Town.address("alice")
TANK = tank_id(MMU, PLANT, "tank-1")
NONE = bytes(32)
MINUTE_MS = 60_000
EXPIRED, RECALLED, SPILLED = LossReason.EXPIRED, LossReason.RECALLED, LossReason.SPILLED


@pytest.fixture
def town():
    rules = parameters(mmu_bond_least_units=bill(1))
    return Town(Dairy(parameters=rules, balances=PURSES, bond=bill(1)))


def collection(town, farm=0, litres=40, first_seq=0, claimed=None, **times):
    units, meter_key = bill(litres), town.dairy.meter_keys[farm]
    span = {"first_seq": first_seq, "last_seq": first_seq + 9, **times}
    meter = town.dairy.total(meter_key, units // 1_000, **span)
    farmer = Town.address(f"farm-{farm}")
    return RecordCollection(MMU, PLANT, "tank-1", farmer, claimed or units, meter)


def run_id(number):
    return town_claim(number).run


def town_claim(number, litres=100, **changes):
    return Dairy().claim(number, [bill(litres)], **changes)


def sealed_claim(town, number=0, litres=100):
    """A claim for a sealed run: the line's evidence, and no collections."""
    return town.dairy.claim(number, [bill(litres)], collections=())


def minted(town, number=0, litres=(40, 35, 25), **changes):
    claim = town.dairy.claim(number, [bill(each) for each in litres], **changes)
    assert town.do("mmu", town.dairy.mint(claim)) == ""
    return claim.lot_id()


def product_of(town, who="mmu"):
    nonce = account(town.state, town.address(who)).nonce - 1
    return Call(town.address(who), nonce, 0).name(Domain.PRODUCT)


def test_milk_goes_from_farm_to_tank_to_run_to_lot_to_pack(town):
    assert town.do("mmu", collection(town, 0, 60)) == ""
    assert town.do("mmu", collection(town, 1, 60)) == ""
    claim = sealed_claim(town)
    assert town.do("mmu", SealRun(claim.run, TANK, bill(100))) == ""
    tank = TANKS.get(town.state, TANK)
    assert (tank.collected_units, tank.sealed_units, tank.lost_units, tank.held_units) == (
        bill(120), bill(100), 0, bill(20),
    )  # fmt: skip
    assert town.do("mmu", town.dairy.mint(claim)) == ""
    lot = claim.lot_id()
    assert town.units("farm-0") == town.units("farm-1") == bill(45)
    assert ORIGINS.get(town.state, lot).tank == TANK
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


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"claimed": bill(41)}, "collection_over_meter"),
        ({"farm": 1}, ""),
    ],
)
def test_a_collection_brings_what_its_meter_counted(town, change, code):
    assert town.do("mmu", collection(town, **change)) == code


def test_who_may_fill_a_tank(town):
    assert town.do("alice", collection(town)) == "role_missing"
    grant_role(town.state, Role.COLLECTOR, town.address("alice"))
    assert town.do("alice", collection(town)) == ""
    assert town.do("alice", collection(town)) == "used_readings"
    other = RecordCollection(
        town.address("bob"), PLANT, "t", town.address("farm-0"), 1, collection(town).meter
    )
    assert town.do("alice", other) == "role_missing"


def test_a_run_is_sealed_once_from_what_stands_in_its_own_tank(town):
    town.do("mmu", collection(town))
    run = digest(Domain.RUN, b"new")
    assert town.do("mmu", SealRun(run, NONE, bill(1))) == "unknown_tank"
    assert town.do("mmu", SealRun(run, TANK, 0)) == "zero_units"
    assert town.do("mmu", SealRun(run, TANK, bill(41))) == "short_tank"
    assert town.do("alice", SealRun(run, TANK, bill(1))) == "role_missing"
    grant_role(town.state, Role.MMU, town.address("alice"))
    assert town.do("alice", SealRun(run, TANK, bill(1))) == "foreign_tank"
    assert town.do("mmu", SealRun(run, TANK, bill(40))) == ""
    assert TANKS.get(town.state, TANK).oldest_ms == 0
    assert town.do("mmu", SealRun(run, TANK, bill(1))) == "sealed_run"
    assert SEALED.get(town.state, run_name(run, MMU)).units == bill(40)
    town.close()


def test_a_run_is_named_by_its_own_mmu_alone(town):
    claim = town.dairy.claim()
    grant_role(town.state, Role.MMU, town.address("alice"))
    other = RecordCollection(
        town.address("alice"), PLANT, "t", town.address("farm-0"), 1, collection(town).meter
    )
    assert town.do("alice", other) == ""
    tank = tank_id(town.address("alice"), PLANT, "t")
    assert town.do("alice", SealRun(claim.run, tank, 1)) == ""
    # The meter was used by the other; the run's name was not.
    later = town.dairy.claim(1, run=claim.run)
    assert town.do("mmu", town.dairy.mint(later)) == ""
    town.close()


def test_a_claim_has_its_milk_from_one_place(town):
    assert town.do("mmu", town.dairy.mint(sealed_claim(town))) == "no_milk"
    town.do("mmu", collection(town, litres=60))
    claim = sealed_claim(town, 1, 50)
    town.do("mmu", SealRun(claim.run, TANK, bill(40)))
    assert town.do("mmu", town.dairy.mint(town.dairy.claim(1))) == "two_sources"
    assert town.do("mmu", town.dairy.mint(claim)) == "claim_over_sealed"
    good = sealed_claim(town, 1, 39)
    assert town.do("mmu", town.dairy.mint(good)) == ""
    assert town.do("mmu", SealRun(good.run, TANK, bill(1))) == "known_run"
    town.close()


def test_a_run_of_another_plant_or_of_old_milk_is_not_minted(town):
    town.do("mmu", collection(town))
    claim = sealed_claim(town, litres=40)
    town.do("mmu", SealRun(claim.run, TANK, bill(40)))
    sealed = SEALED.get(town.state, run_name(claim.run, MMU))
    fields = {name: getattr(sealed, name) for name in sealed.__struct_fields__}
    SEALED.put(town.state, type(sealed)(**{**fields, "plant": "other"}), run_name(claim.run, MMU))
    assert town.do("mmu", town.dairy.mint(claim)) == "foreign_run"
    early = {"oldest_ms": sealed.oldest_ms - 4 * DAY_MS}
    SEALED.put(town.state, type(sealed)(**{**fields, **early}), run_name(claim.run, MMU))
    assert town.do("mmu", town.dairy.mint(claim)) == "old_milk"


def test_nobody_spoils_a_tank_at_once_with_old_milk(town):
    grant_role(town.state, Role.COLLECTOR, town.address("alice"))
    assert town.do("mmu", collection(town)) == ""
    old = collection(town, 1)
    town.time_ms = old.meter.first.reading().t0_ms + 36 * HOUR_MS + 1
    assert town.do("alice", old) == "outside_run"
    town.time_ms -= 1
    assert town.do("alice", old) == ""
    town.time_ms += 36 * HOUR_MS
    assert town.do("mmu", SealRun(run_id(7), TANK, bill(80))) == ""
    town.close()


def test_a_tank_with_old_milk_in_it_is_emptied_before_more_is_sealed(town):
    town.do("mmu", collection(town))
    run = digest(Domain.RUN, b"late")
    oldest_ms = TANKS.get(town.state, TANK).oldest_ms
    town.time_ms = oldest_ms + 3 * DAY_MS + 1
    assert town.do("mmu", SealRun(run, TANK, bill(40))) == "old_milk"
    assert TANKS.get(town.state, TANK).held_units == bill(40)
    assert town.do("mmu", WriteOff(TANK, bill(40), SPILLED)) == ""
    now = {"started_ms": town.time_ms - MINUTE_MS, "ended_ms": town.time_ms}
    assert town.do("mmu", collection(town, first_seq=10, **now)) == ""
    town.time_ms = TANKS.get(town.state, TANK).oldest_ms + 3 * DAY_MS
    assert town.do("mmu", SealRun(run, TANK, bill(40))) == ""
    town.close()


def test_what_a_tank_loses_is_counted(town):
    town.do("mmu", collection(town))
    assert town.do("alice", WriteOff(TANK, bill(1), SPILLED)) == "foreign_tank"
    assert town.do("mmu", WriteOff(TANK, bill(15), SPILLED)) == ""
    tank = TANKS.get(town.state, TANK)
    assert (tank.lost_units, tank.held_units) == (bill(15), bill(25))
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
    assert town.do("mmu", town.dairy.mint(town.dairy.claim(1))) == "deficit_open"
    assert town.do("mmu", PostBond(bill(97))) == ""
    assert town.do("mmu", town.dairy.mint(town.dairy.claim(1))) == "deficit_open"
    assert town.do("mmu", PostBond(bill(3))) == ""
    assert MMUS.get(town.state, MMU).bond_units == bill(2)
    assert town.do("mmu", town.dairy.mint(town.dairy.claim(1))) == ""
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


def roll(town, lot, number, litres):
    """A new run, some days later, rolled onto an old lot."""
    started, ended = town.time_ms - 7_200_000, town.time_ms - 3_600_000
    span = {"started_ms": started, "ended_ms": ended}
    seqs = {"first_seq": number * 10, "last_seq": number * 10 + 9}
    units = [bill(litre) for litre in litres]
    claim = town.dairy.claim(
        number,
        units,
        **span,
        expires_ms=ended + 9 * DAY_MS,
        collections=town.dairy.collections(units, **seqs, **span),
        instruments=town.dairy.instruments(sum(units), **seqs, **span),
    )
    return RollLot(lot, town.dairy.mint(claim)), claim


def test_who_has_too_little_at_stake_does_not_mint(town):
    assert town.do("regulator", ReleaseBond(MMU, 1)) == ""
    assert town.do("mmu", town.dairy.mint(town.dairy.claim())) == "low_bond"
    with pytest.raises(LowBond, match="999999 units, at least 1000000"):
        check_mint(town.state, Call(MMU, 0, 0), town.dairy.mint(town.dairy.claim()))
    assert town.do("mmu", PostBond(1)) == ""
    assert town.do("mmu", town.dairy.mint(town.dairy.claim())) == ""
    town.close()


def test_a_roll_rests_on_a_bond_as_a_mint_does(town):
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    town.do("regulator", ReleaseBond(MMU, bill(1)))
    body, _ = roll(town, lot, 1, (50, 30))
    assert town.do("mmu", body) == "low_bond"
    town.do("mmu", PostBond(bill(1)))
    assert town.do("mmu", body) == ""
    assert LOTS.get(town.state, lot).remaining_units == bill(20)
    town.close()


def test_an_expired_lot_is_rolled_onto_new_milk(town):
    lot = minted(town)
    body, _ = roll(town, lot, 1, (60, 60))
    assert town.do("mmu", body) == "fresh_lot"
    town.time_ms = NOW_MS + 20 * DAY_MS
    body, claim = roll(town, lot, 1, (60, 60))
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
    more, _ = roll(town, lot, 1, (60, 60))
    assert town.do("mmu", more) == "deficit_open"
    # As much as the old tokens need makes the books better, and may come.
    same, _ = roll(town, lot, 1, (60, 40))
    assert town.do("mmu", same) == ""
    assert LOTS.get(town.state, lot).remaining_units == 0


def test_a_roll_that_the_mmu_cannot_pay_is_refused(town):
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    town.do("mmu", town.dairy.pay(town.address("bob"), town.units("mmu") - bill(1)))
    body, _ = roll(town, lot, 1, (60, 60))
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
    assert MMUS.get(town.state, MMU).bond_units == bill(6)
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


def test_a_mint_remembers_its_farms(town):
    lot = minted(town)
    sources = dict(ORIGINS.get(town.state, lot).sources)
    assert sources == {
        town.address("farm-0"): bill(40),
        town.address("farm-1"): bill(35),
        town.address("farm-2"): bill(25),
    }
    assert key("farm-0")


def test_an_expired_lot_goes_down_the_whole_fall(town):
    """Rolled as far as new milk reaches; then the reserve, the bond, and a deficit."""
    lot = minted(town)
    town.time_ms = NOW_MS + 20 * DAY_MS
    body, _ = roll(town, lot, 1, (40, 30))
    assert town.do("mmu", body) == ""
    assert LOTS.get(town.state, lot).remaining_units == bill(30)
    reserve = account(town.state, RESERVE_ACCOUNT).units
    assert (reserve, MMUS.get(town.state, MMU).bond_units) == (bill(1), bill(1))
    assert town.do("bob", WriteOff(lot, bill(30), EXPIRED)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units == 0
    mmu = MMUS.get(town.state, MMU)
    assert (mmu.bond_units, mmu.deficit_units) == (0, bill(28))
    assert supply(town.state).deficit_units == bill(28)
    assert town.do("mmu", town.dairy.mint(town.dairy.claim(2))) == "deficit_open"
    town.close()
