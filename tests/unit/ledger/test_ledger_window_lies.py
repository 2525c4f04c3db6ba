"""An audit finds what does not agree between lots, windows, tanks and lines."""

import pytest
from msgspec.structs import replace

from ledger.errors.base import InvariantBroken
from ledger.invariants import audit, check_block
from ledger.primitives.amounts import Units
from ledger.state import Overlay
from ledger.state.lines import TankLines
from ledger.state.tables import (
    DEVICES,
    LINE_MINTED,
    LINES,
    LOTS,
    METER_USE,
    MILK_TANKS,
    MMUS,
    PROVEN,
    TANK_LINES,
)
from tests.support.ledger.window import WindowTown


def minted():
    town = WindowTown()
    town.run(120)
    first = town.claim(60)
    assert town.mint(first) == ""
    assert town.mint() == ""
    return town, first.lot_id()


TOWN, LOT = minted()
TOWN.close()
LINE, TANK = TOWN.line.line_id, TOWN.line.tank_id
METER = TOWN.dairy.meter_keys[0].public


def change(table, name, **fields):
    return lambda o: table.put(o, replace(table.get(o, name), **fields), name)


def shifted(o):
    proven = PROVEN.get(o, LOT)
    longer = replace(proven, to_ms=proven.to_ms + 1_000)
    PROVEN.put(o, longer, LOT)


def foreign(o):
    proven = PROVEN.get(o, LOT)
    others = tuple(replace(each, farm=TOWN.address("bob")) for each in proven.sources)
    PROVEN.put(o, replace(proven, sources=others), LOT)


LIES = {
    "a proof of no lot": (lambda o: PROVEN.put(o, PROVEN.get(o, LOT), b"l" * 32), "is not there"),
    "a lot has more than its proof": (change(LOTS, LOT, units=Units(10**9)), "its proof others"),
    "a lot has other farms": (foreign, "whose meter it is not"),
    "a tank was drawn more": (
        change(MILK_TANKS, TANK, drawn_units=Units(5)), "its lots are of others"),
    "a tank is gone": (lambda o: MILK_TANKS.remove(o, TANK), "drawn from and is not there"),
    "two windows at one time": (shifted, "two windows at"),
    "a line claimed less": (
        change(LINES, LINE, through_ms=PROVEN.get(TOWN.state, LOT).to_ms), "beyond its windows"),
    "an instrument is unknown": (
        lambda o: DEVICES.remove(o, TOWN.line.devices[0].public), "which nobody registered"),
    "a meter was never used": (
        lambda o: METER_USE.remove(o, METER), "of which nothing was read"),
    "a line draws from no tank": (
        lambda o: TANK_LINES.put(o, TankLines(()), TANK), "not those that say so"),
    "a share is locked twice": (
        change(PROVEN, LOT, locked_units=Units(10**12)), "units are locked"),
    "sources without intervals": (
        change(PROVEN, LOT, sources=()), "its sources are 0"),
    "days of a bond in disorder": (
        change(MMUS, TOWN.line.mmu, days=((2, Units(1)), (1, Units(1)))), "not in order"),
    "days of a line in disorder": (
        change(LINE_MINTED, LINE, days=((1, Units(1)), (1, Units(1)))), "not in order"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_an_audit_finds_every_lie_about_windows(name):
    lie, told = LIES[name]
    state = Overlay(TOWN.state)
    lie(state)
    entries = dict(TOWN.entries()) | dict(state.changes)
    found = audit(
        [(k, v) for k, v in sorted(entries.items()) if v is not None], state.accumulator
    ).findings
    assert any(told in finding for finding in found), found


@pytest.mark.parametrize(
    "lie",
    [
        change(PROVEN, LOT, attestors=()),
        change(PROVEN, LOT, spans=()),
        change(PROVEN, LOT, to_ms=PROVEN.get(TOWN.state, LOT).to_ms + 1),
        change(PROVEN, LOT, locked_units=Units(PROVEN.get(TOWN.state, LOT).locked_units + 1)),
        change(LINES, LINE, through_ms=0),
        lambda o: PROVEN.remove(o, LOT),
    ],
)
def test_a_proof_never_changes_but_for_what_it_lets_go(lie):
    state = Overlay(TOWN.state)
    lie(state)
    with pytest.raises(InvariantBroken):
        check_block(state)
