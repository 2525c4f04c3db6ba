"""A device under two calibrations at one time: what attestors sign counts under one of them each.

A line's claims follow one another. So where one of a device's keys could let its calibrations
overlap, its line would stand: attestors look at each step, the chain at an interval whole.
"""

import pytest
from msgspec.structs import replace

from ledger.rules.devices import begin_anew
from ledger.state.records import in_force
from ledger.state.tables import BONDS_ACCOUNT, DEVICES, MMUS, account, pay
from ledger.types.doubt import RefuteLot
from ledger.types.line import ClearDevice
from ledger.types.reading import sign_reading
from tests.support.ledger.cheating import FLOW, HOLD, VALVE, Cheat
from tests.support.ledger.window import START_MS

END = 300


@pytest.mark.parametrize("kind", [HOLD, FLOW])
@pytest.mark.parametrize("cuts", [(), (50, 90), (60, 130)])
def test_a_calibration_that_begins_ends_the_one_before(kind, cuts):
    town = Cheat(litres=(500, 500, 500))
    town.good(*town.line.devices, begin=0, end=END)
    key = town.line.of(kind).public
    device = DEVICES.get(town.state, key)
    before = replace(device, calibrated_until_ms=START_MS + 120_000)
    anew = begin_anew(before, START_MS + 60_000, START_MS + 10**10)
    DEVICES.put(town.state, anew, key)
    assert anew.earlier == (device.calibrated_from_ms, START_MS + 60_000)
    for until in (*cuts, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    # What flowed from the one into the other is under neither.
    assert town.minted_units() == (END - 29 - 1) * 1_000_000
    town.close()


def rich(town):
    """Give the MMU a bond again, after what was found false."""
    bob, mmu = town.address("bob"), town.address("mmu")
    units = account(town.state, bob).units // 2
    pay(town.state, bob, BONDS_ACCOUNT, units)
    record = MMUS.get(town.state, mmu)
    MMUS.put(town.state, replace(record, bond_units=record.bond_units + units), mmu)


def test_what_is_dated_ahead_stops_a_device_now():
    """A valve signs a second reading of a claimed number: it was opened, in two minutes."""
    town = Cheat(litres=(500, 500, 500))
    town.good(*town.line.devices, begin=0, end=END)
    valve = town.line.of(VALVE)
    town.time_ms = START_MS + 130_000
    claim = town.signed(town.claim(100))
    assert town.mint(claim) == ""
    one = valve.envelopes[3]
    ahead = replace(one.reading(), tamper=True, t0_ms=START_MS + 250_000)
    other = sign_reading(ahead, town.dairy.chain_id, valve.key)
    town.time_ms = START_MS + 150_000
    body = RefuteLot(claim.lot_id(), 0, valve.public, (one, other), None)
    assert town.do("alice", body) == ""
    assert DEVICES.get(town.state, valve.public).stopped_ms == town.time_ms
    town.time_ms = START_MS + 200_000
    clear = ClearDevice(valve.public, ahead.boot, ahead.seq)
    assert town.do("regulator", clear) == ""
    cleared = DEVICES.get(town.state, valve.public)
    assert not in_force(cleared, START_MS + 150_000, START_MS + 199_000)
    town.time_ms = START_MS + END * 1_000
    rich(town)
    for until in (180, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    town.close()
