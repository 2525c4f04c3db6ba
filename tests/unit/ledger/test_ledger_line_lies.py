"""A state with a line and a permit, and one lie in it: the audit names what disagrees."""

import pytest
from msgspec.structs import replace

from ledger.errors.base import InvariantBroken
from ledger.invariants import audit, check_block
from ledger.params import HOUR_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.rules.permits import ALL_METERS
from ledger.state import Overlay
from ledger.state.lines import LineDevice
from ledger.state.names import permit_name
from ledger.state.tables import DEVICES, LINES, PERMITS, PLANTS
from ledger.types.line import PermitCollector, plant_id
from ledger.types.vat import GaugeLow, VatState
from tests.support.ledger.dairy import PLANT, bill, key
from tests.support.ledger.lines import NAME, LinedDairy
from tests.support.ledger.town import PURSES, Town

FARM, MMU = Town.address("farm-0"), Town.address("mmu")
FLOW, GAUGE = (PublicKey(key(name).public) for name in ("flow_meter", "tank_gauge"))
PERMIT = permit_name(FARM, ALL_METERS)


def made():
    town = Town(LinedDairy(balances={**PURSES, "farm-0": bill(1)}))
    until_ms = town.time_ms + HOUR_MS
    assert town.do("farm-0", PermitCollector(MMU, ALL_METERS, ZERO_HASH, 5, until_ms)) == ""
    town.close()
    return town


TOWN = made()


def change(table, name, **fields):
    def lie(o):
        was = table.get(o, name)
        given = {k: v(getattr(was, k)) if callable(v) else v for k, v in fields.items()}
        table.put(o, replace(was, **given), name)

    return lie


def renamed(o):
    LINES.put(o, LINES.get(o, NAME), bytes(32))


def left_too_early(entries):
    return (replace(entries[0], until_ms=entries[0].from_ms), *entries[1:])


def stranger(o):
    device = DEVICES.get(o, key("meter-0").public)
    DEVICES.put(o, replace(device, line=NAME), key("meter-0").public)


def overlapping(o):
    held = PERMITS.get(o, PERMIT)
    PERMITS.put(o, replace(held, before=(*held.before, held.terms)), PERMIT)


def another_meter(o):
    PERMITS.put(o, PERMITS.get(o, PERMIT), permit_name(FARM, key("meter-1").public))


HELD = VatState(63_300, 0, 1, 1, 0, (GaugeLow(GAUGE, bill(1), bill(1)),))

LIES = {
    "no vat": (change(LINES, NAME, vat=HELD), "has no vat"),
    "ahead": (
        change(LINES, NAME, vat=replace(HELD, hot_ms=2**53)),
        "of a time that nobody claimed yet",
    ),
    "ahead of its half hour": (
        change(LINES, NAME, vat=replace(HELD, still_ms=2**53)),
        "of a time that nobody claimed yet",
    ),
    "name": (renamed, "it stands under another name"),
    "twice": (change(LINES, NAME, devices=lambda e: (*e, e[0])), "devices are not in order"),
    "unknown device": (
        change(LINES, NAME, devices=lambda e: (LineDevice(ZERO_HASH, 0), *e)),
        "is no device of its MMU",
    ),
    "another's device": (change(DEVICES, FLOW, operator=FARM), "is no device of its MMU"),
    "another plant's": (change(DEVICES, FLOW, plant="p"), "is no device of its MMU"),
    "gauge of another tank": (change(DEVICES, GAUGE, tank=NAME), "stands elsewhere"),
    "device of no line": (change(DEVICES, FLOW, line=ZERO_HASH), "stands elsewhere"),
    "left": (change(LINES, NAME, devices=left_too_early), "left before the claims begin"),
    "unlisted": (change(LINES, NAME, devices=lambda e: e[1:]), "does not list it"),
    "line of a stranger": (stranger, "does not list it"),
    "plant": (lambda o: PLANTS.put(o, FARM, plant_id(PLANT)), "the plants that have an owner"),
    "terms": (overlapping, "its terms overlap"),
    "backwards": (
        change(PERMITS, PERMIT, terms=lambda t: replace(t, until_ms=t.from_ms - 1)),
        "end before they begin",
    ),
    "days": (change(PERMITS, PERMIT, days=((5, 1), (4, 1))), "its days are not in order"),
    "meter": (another_meter, "its meter is not the farm's"),
}


@pytest.mark.parametrize("name", LIES)
def test_the_audit_names_the_lie(name):
    lie, told = LIES[name]
    state = Overlay(TOWN.state)
    lie(state)
    found = dict(TOWN.entries()) | dict(state.changes)
    entries = [(k, v) for k, v in sorted(found.items()) if v is not None]
    findings = audit(entries, state.accumulator).findings
    assert any(told in each for each in findings), findings


@pytest.mark.parametrize(
    "lie",
    [
        change(LINES, NAME, mmu=FARM),
        change(LINES, NAME, tank=ZERO_HASH),
        change(LINES, NAME, through_ms=lambda was: was - 1),
        lambda o: LINES.remove(o, NAME),
        lambda o: PLANTS.put(o, FARM, plant_id(PLANT)),
    ],
)
def test_no_block_takes_back_what_stays(lie):
    state = Overlay(TOWN.state)
    lie(state)
    with pytest.raises(InvariantBroken):
        check_block(state)
