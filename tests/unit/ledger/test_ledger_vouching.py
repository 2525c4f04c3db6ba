"""What an MMU must have at stake grows with what it mints."""

import pytest

from ledger.errors.milk import LowBond
from ledger.params import DAY_MS
from ledger.primitives.hashing import Hash
from ledger.rules.vouching import HISTORY_DAYS, WINDOW_DAYS, bond_day, bond_needed, vouch
from ledger.state.tables import LINE_MINTED, MMUS
from tests.support.ledger.dairy import Dairy, bill
from tests.support.ledger.town import Town, parameters
from tests.support.ledger.window import WindowTown

WINDOW_MS = WINDOW_DAYS * DAY_MS
LINE = Hash(b"l" * 32)
OTHER = Hash(b"o" * 32)


def vouching_town(bond, **rules):
    changed = {"mmu_bond_least_units": bill(1), "challenge_window_ms": WINDOW_MS, **rules}
    return Town(Dairy(parameters=parameters(**changed), bond=bill(bond)))


def needed(town, day=0):
    mmu = MMUS.get(town.state, town.address("mmu"))
    return bond_needed(town.dairy.genesis.parameters, mmu, day * DAY_MS)


def mint(town, litres, day, line=LINE):
    vouch(town.state, town.address("mmu"), line, bill(litres), day * DAY_MS)


def test_a_part_of_all_that_was_minted_in_the_window_is_at_stake_and_never_less_than_the_floor():
    town = vouching_town(10)
    mint(town, 10, 0)
    assert needed(town) == bill(1)
    mint(town, 190, 3, OTHER)
    assert needed(town, 3) == bill(10)
    with pytest.raises(LowBond):
        mint(town, 1, 4)
    assert needed(town, WINDOW_DAYS) == bill(10)
    assert needed(town, WINDOW_DAYS + 1) == bill(190) // 20
    assert needed(town, WINDOW_DAYS + 4) == bill(1)
    mint(town, 1, WINDOW_DAYS + 1)


def test_a_part_of_a_unit_is_asked_whole():
    town = vouching_town(10)
    vouch(town.state, town.address("mmu"), LINE, bill(20) + 1, 0)
    assert needed(town) == bill(1) + 1


def steady(town):
    for day in range(HISTORY_DAYS):
        mint(town, 10, day)


def test_what_exceeds_twice_a_lines_mean_day_counts_fourfold():
    town = vouching_town(1_000)
    steady(town)
    before = needed(town, HISTORY_DAYS)
    mint(town, 20, HISTORY_DAYS)
    usual = needed(town, HISTORY_DAYS)
    # The first of the days has left the window by then.
    assert usual - before == bill(20) // 20
    mint(town, 10, HISTORY_DAYS)
    assert needed(town, HISTORY_DAYS) - usual == 4 * bill(10) // 20


def test_a_line_without_a_history_is_not_held_to_it():
    town = vouching_town(1_000)
    for day in range(1, HISTORY_DAYS):
        mint(town, 10, day)
    before = needed(town, HISTORY_DAYS)
    mint(town, 100, HISTORY_DAYS)
    assert needed(town, HISTORY_DAYS) - before == bill(100) // 20


def test_each_line_is_held_to_its_own_days():
    town = vouching_town(1_000)
    steady(town)
    before = needed(town, HISTORY_DAYS)
    mint(town, 100, HISTORY_DAYS, OTHER)
    assert needed(town, HISTORY_DAYS) - before == bill(100) // 20
    assert LINE_MINTED.get(town.state, OTHER).since_day == HISTORY_DAYS


def test_a_day_is_a_fourteenth_of_the_window():
    assert bond_day(parameters(challenge_window_ms=WINDOW_MS), 3 * DAY_MS) == 3
    assert bond_day(parameters(challenge_window_ms=14 * 60_000), 3 * 60_000) == 3


def test_a_window_beyond_its_bond_is_refused():
    rules = parameters(mmu_bond_least_units=bill(1), bond_bp=5_000)
    town = WindowTown(dairy=Dairy(parameters=rules, bond=bill(32)))
    town.run(120)
    assert town.mint(town.claim(60)) == ""
    assert town.mint() == "low_bond"
    town.time_ms += rules.challenge_window_ms // WINDOW_DAYS * (WINDOW_DAYS + 1)
    assert town.mint() == ""


def test_a_bond_below_the_floor_mints_nothing():
    town = WindowTown(dairy=Dairy(parameters=parameters(), bond=bill(999)))
    town.run(60)
    assert town.mint() == "low_bond"
