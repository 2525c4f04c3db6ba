"""Sums that no record can hold: the transaction is refused, and the chain goes on."""

from random import Random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from ledger.errors.base import CountOverflow
from ledger.errors.store import BadGenesis
from ledger.genesis import GenesisRole, genesis_state
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import Malformed
from ledger.primitives.keys import address_of
from ledger.state import EMPTY, Overlay
from ledger.state.dairy import Mmu
from ledger.state.market import Subsidy
from ledger.state.records import ATTESTORS_MAX, Role
from ledger.state.tables import MILK_TANKS, MMUS, SUBSIDY
from ledger.state.tanks import MilkTank
from ledger.types.evidence import COLLECTION_UNITS_MAX
from ledger.types.milk import tank_id
from ledger.types.price import FundSubsidy
from tests.support.encoding.values import value_of
from tests.support.ledger.dairy import PLANT, TANK, Dairy, bill, key
from tests.support.ledger.milking import Milking
from tests.support.ledger.records import TABLES, unreadable
from tests.support.ledger.town import Town


def test_a_tank_that_has_counted_all_it_can_takes_no_more():
    town = Town()
    batch = town.milking.next([bill(2)])
    name = tank_id(town.address("mmu"), PLANT, TANK)
    counted = Units(UNITS_MAX - bill(1))
    full = MilkTank(town.address("mmu"), PLANT, TANK, 1)
    MILK_TANKS.put(town.state, replace(full, collected_units=counted, drawn_units=counted), name)
    assert town.do("mmu", batch.collections[0]) == "count_overflow"
    assert MILK_TANKS.get(town.state, name).collected_units == counted
    assert unreadable(town.entries()) == []


def test_a_collection_is_of_a_million_litres_at_most():
    good = replace(Milking(Dairy()).next().collections[0], units=COLLECTION_UNITS_MAX)
    assert decode(encode(good), type(good), 10**5) == good
    with pytest.raises(Malformed, match="1000000000000"):
        decode(encode(replace(good, units=Units(good.units + 1))), type(good), 10**5)


def test_a_pool_that_was_filled_as_often_as_can_be_counted_takes_no_more():
    town = Town()
    filled = Units(UNITS_MAX - 1)
    SUBSIDY.put(town.state, Subsidy(funded_units=filled, paid_units=filled))
    assert town.do("alice", FundSubsidy(Units(1))) == ""
    assert town.do("alice", FundSubsidy(Units(1))) == "count_overflow"
    assert unreadable(town.entries()) == []


@pytest.mark.parametrize("units", [UNITS_MAX + 1, 2**64, -1])
def test_a_record_that_could_not_be_read_again_is_not_written(units):
    state = Overlay(EMPTY)
    with pytest.raises(CountOverflow, match="table j"):
        MMUS.put(state, Mmu(units), bytes(32))
    assert dict(state.changes) == {}


def test_a_genesis_has_no_more_oracles_than_can_be_listed():
    genesis = Dairy().genesis
    feeders = [
        GenesisRole(Role.ORACLE, address_of(key(f"oracle-{i}").public))
        for i in range(ATTESTORS_MAX + 1)
    ]
    most = replace(genesis, roles=(*genesis.roles, *feeders[1:]))
    most.check()
    begun = genesis_state(most).changes.items()
    assert unreadable((name, raw) for name, raw in begun if raw is not None) == []
    with pytest.raises(BadGenesis, match="65 oracles, must be 0 to 64"):
        replace(genesis, roles=(*genesis.roles, *feeders)).check()


def overflow(value, random):
    """The same value with one of its numbers pushed over an edge, wherever it stands."""
    raw = [msgspec.to_builtins(value, builtin_types=(bytes,))]
    places = list(_numbers(raw))
    if not places:
        return None
    holder, place = random.choice(places)
    holder[place] = random.choice((-1, UNITS_MAX + 1, 2**64, 2**53 + 1))
    return raw[0]


def _numbers(raw):
    pairs = raw.items() if isinstance(raw, dict) else enumerate(raw)
    for place, part in pairs:
        if isinstance(part, int) and not isinstance(part, bool):
            yield raw, place
        elif isinstance(part, dict | list):
            yield from _numbers(part)


@pytest.mark.parametrize("prefix", sorted(TABLES), ids=lambda prefix: prefix.decode())
@given(seed=st.integers(0, 2**32))
def test_every_table_refuses_what_it_could_not_read(prefix, seed):
    table, random, state = TABLES[prefix], Random(seed), Overlay(EMPTY)
    record = value_of(table.kind, random)
    for drawn in (record, overflow(record, random)):
        try:
            table.put(state, drawn)
        except CountOverflow:
            assert drawn is not record
        for raw in state.changes.values():
            table.decode(raw)
