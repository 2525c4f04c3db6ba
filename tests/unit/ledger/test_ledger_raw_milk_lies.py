"""Raw milk was collected and moved, and one lie about it stands there: the audit says which."""

import pytest
from msgspec.structs import replace

from ledger.errors.base import InvariantBroken
from ledger.invariants import check_block
from ledger.primitives.amounts import Units
from ledger.state import Overlay
from ledger.state import tables as t
from ledger.state.names import epoch_name
from ledger.state.tanks import MeterGap, TankHour
from tests.support.ledger.dairy import bill
from tests.support.ledger.lies import audited, both, change, elsewhere, up
from tests.support.ledger.story import Story

S = Story()
METER = S.dairy.meter_keys[0].public


def reportion(number, at=0, **fields):
    """Make a lie that changes some fields of one portion of a tank."""

    def lie(o):
        name = S.raw() + epoch_name(t.MILK_TANKS.get(o, S.raw()).hours[number])
        portions = list(t.TANK_HOURS.get(o, name).portions)
        was = portions[at]
        given = {k: v(getattr(was, k)) if callable(v) else v for k, v in fields.items()}
        portions[at] = replace(was, **given)
        t.TANK_HOURS.put(o, TankHour(tuple(portions)), name)

    return lie


def backward(o):
    name = S.raw() + epoch_name(t.MILK_TANKS.get(o, S.raw()).hours[0])
    t.TANK_HOURS.put(o, TankHour(t.TANK_HOURS.get(o, name).portions[::-1]), name)


def later_hour(o):
    tank = t.MILK_TANKS.get(o, S.raw())
    last = tank.hours[-1]
    elsewhere(t.TANK_HOURS, S.raw() + epoch_name(last), S.raw() + epoch_name(last + 1))(o)
    t.MILK_TANKS.put(o, replace(tank, hours=(*tank.hours[:-1], last + 1)), S.raw())


def late_beginning(gaps):
    return (*gaps, MeterGap(None, gaps[-1].until))


LIES = {
    "a tank holds more than was put in": (
        change(t.MILK_TANKS, S.raw(), collected_units=up(5)), "its portions"),
    "a portion holds more": (reportion(0, units=up(5)), "its portions"),
    "a portion holds nothing": (reportion(0, units=Units(0)), "a portion holds nothing"),
    "a portion ends before it begins": (reportion(0, first_ms=2**53), "ends before it begins"),
    "portions change places": (backward, "not in order of metering"),
    "a portion of another farm": (
        reportion(0, farm=S.address("bob")), "whose meter it is not"),
    "a portion of an unread meter": (
        reportion(0, device=S.dairy.meter_keys[3].public, farm=S.address("farm-3")),
        "was not collected from"),
    "a portion in another hour": (later_hour, "a portion of another hour"),
    "a tank forgets its hours": (change(t.MILK_TANKS, S.raw(), hours=()), "held in 0 hours"),
    "a tank's hours go backward": (
        change(t.MILK_TANKS, S.raw("silo"), hours=lambda hours: hours + hours[-1:]),
        "not in order"),
    "a debt of nothing": (
        change(t.MILK_TANKS, S.raw(), debts=((5, Units(0)),)), "a debt of nothing"),
    "debts of one time": (
        change(t.MILK_TANKS, S.raw(), debts=((5, Units(1)), (5, Units(1)))), "not in order"),
    "more left a tank than came": (
        change(t.MILK_TANKS, S.raw(), drawn_units=up(bill(500))), "units held in"),
    "milk arrives that nobody moved": (
        both(change(t.MILK_TANKS, S.raw(), arrived_units=up(5)), reportion(0, units=up(5))),
        "arrived in tanks than were moved"),
    "portions in no tank": (
        lambda o: t.MILK_TANKS.remove(o, S.raw()), "which is not there"),
    "a tank of portions under another name": (
        change(t.MILK_TANKS, S.raw(), name="other"), "under its own name"),
    "a tank of portions without a name": (
        change(t.MILK_TANKS, S.raw(), name=""), "has milk and no name"),
    "a meter's use goes back": (
        change(t.METER_USE, METER, through=lambda point: replace(point, seq=1)),
        "lie beyond what was used"),
    "a meter's gaps change places": (
        change(t.METER_USE, METER, gaps=lambda gaps: gaps[::-1]), "gaps are not in order"),
    "a meter begins again": (
        change(t.METER_USE, METER, gaps=late_beginning), "is not the first"),
    "a collection from no meter": (
        elsewhere(t.METER_USE, METER, S.dairy.line_keys["flow_meter"].public),
        "was collected from and is no meter"),
}  # fmt: skip

RECORDED_ONLY = {
    "a portion of another farm",
    "a portion of an unread meter",
    "a portion in another hour",
    "milk arrives that nobody moved",
    "a tank of portions under another name",
    "a tank of portions without a name",
}
"""Lies that only the whole state gives away."""


@pytest.mark.parametrize("lie", LIES)
def test_an_audit_finds_every_lie_about_raw_milk(lie):
    state = Overlay(S.state)
    tell, words = LIES[lie]
    tell(state)
    found = audited(S, state)
    assert any(words in each for each in found), found


@pytest.mark.parametrize("lie", [each for each in LIES if each not in RECORDED_ONLY])
def test_a_block_that_lies_about_raw_milk_is_stopped(lie):
    state = Overlay(S.state)
    tell, _ = LIES[lie]
    tell(state)
    with pytest.raises(InvariantBroken):
        check_block(state)
