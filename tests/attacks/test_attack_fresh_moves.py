"""An MMU that moves a full tank of small portions to and fro, to keep every validator busy."""

import pytest
from msgspec.structs import replace

from ledger.params import HOUR_MS
from ledger.primitives.amounts import Units
from ledger.rules.collecting import MOVED_MAX
from ledger.rules.portions import draw, tank_of
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay
from ledger.state.tables import MILK_TANKS, TANK_HOURS
from ledger.state.tanks import PORTIONS_MAX, Portion, TankHour
from ledger.types.milk import tank_id
from ledger.types.tank import MoveMilk
from ledger.types.window import INTERVALS_MAX
from tests.support.ledger.dairy import PLANT, bill
from tests.support.ledger.window import TANK, WindowTown

OTHER = "tank-3"


def full_town(hours):
    """A town whose tank holds as many portions as it may, of a litre each, in so many hours."""
    town = WindowTown(litres=())
    name, farm = town.line.tank_id, town.address("farm-0")
    meter = town.dairy.meter_keys[0].public
    last = town.time_ms // HOUR_MS
    held = range(last - hours, last)
    for hour in held:
        times = [hour * HOUR_MS + place * 14_000 for place in range(PORTIONS_MAX)]
        portions = (Portion(farm, meter, at, at + 13_000, bill(1)) for at in times)
        TANK_HOURS.put(town.state, TankHour(tuple(portions)), name + epoch_name(hour))
    tank = replace(
        tank_of(town.state, name),
        mmu=town.line.mmu,
        plant=PLANT,
        name=TANK,
        collected_units=Units(hours * PORTIONS_MAX * bill(1)),
        hours=tuple(held),
    )
    MILK_TANKS.put(town.state, tank, name)
    return town


@pytest.fixture
def written(monkeypatch):
    """The hours of tanks that were written, in order."""
    keys = []
    put = Overlay.put

    def spied(self, key, value):
        if key[:1] == TANK_HOURS.prefix:
            keys.append(key)
        put(self, key, value)

    monkeypatch.setattr(Overlay, "put", spied)
    return keys


def test_an_hour_that_moves_is_written_once(written):
    town = full_town(4)
    written.clear()
    assert town.do("mmu", MoveMilk(PLANT, TANK, OTHER, Units(4 * PORTIONS_MAX * bill(1)))) == ""
    assert len(written) == 2 * 4


def test_hours_that_are_full_on_both_sides_are_joined_at_once(written):
    town = full_town(2)
    whole = Units(2 * PORTIONS_MAX * bill(1))
    assert town.do("mmu", MoveMilk(PLANT, TANK, OTHER, whole)) == ""
    other = tank_id(town.line.mmu, PLANT, OTHER)
    again = full_town(2)
    for key, value in again.state.changes.items():
        if key[:1] == TANK_HOURS.prefix:
            town.state.put(key, value)
    tank = tank_of(town.state, town.line.tank_id)
    back = replace(tank, collected_units=Units(2 * whole), hours=tank_of(town.state, other).hours)
    MILK_TANKS.put(town.state, back, town.line.tank_id)
    written.clear()
    assert town.do("mmu", MoveMilk(PLANT, TANK, OTHER, whole)) == ""
    assert len(written) == 2 * 2
    assert tank_of(town.state, other).held_units == 2 * whole


def test_no_more_move_at_once_than_a_block_bears():
    town = full_town(MOVED_MAX // PORTIONS_MAX + 1)
    most = MOVED_MAX * bill(1)
    assert town.do("mmu", MoveMilk(PLANT, TANK, OTHER, Units(most + 1))) == "large_move"
    assert town.do("mmu", MoveMilk(PLANT, TANK, OTHER, Units(most))) == ""


def test_a_claim_of_many_intervals_does_not_read_old_milk_for_each(monkeypatch):
    town = full_town(90)
    read = []
    get = Overlay.get

    def spied(self, key):
        read.append(key[:1])
        return get(self, key)

    monkeypatch.setattr(Overlay, "get", spied)
    for _ in range(INTERVALS_MAX):
        drawn = draw(town.state, town.line.tank_id, 1_000, town.time_ms, town.time_ms - 2 * HOUR_MS)
        assert drawn[0].units == 1_000
    assert read.count(TANK_HOURS.prefix) <= 3 * INTERVALS_MAX
