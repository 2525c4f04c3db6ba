"""Windows mint: whose window it is, what backs it, where its milk and its tokens go."""

from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from ledger.errors.milk import DeficitOpen, LowBond
from ledger.params import DAY_MS, HOUR_MS, MARGIN_MS
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of, verify
from ledger.rules import Call, body_claims, check_body
from ledger.state.dairy import Mmu
from ledger.state.records import Role
from ledger.state.tables import (
    DEVICES,
    LINES,
    LOCKED_ACCOUNT,
    LOTS,
    MILK_TANKS,
    MMUS,
    PARAMETERS,
    PROVEN,
    account,
    grant_role,
    parameters,
    pay,
    supply,
)
from ledger.types.evidence import Instrument
from ledger.types.milk import PostBond
from ledger.types.transaction import TRANSACTION_BYTES_MAX
from ledger.types.window import Interval
from tests.support.ledger.dairy import Dairy, bill
from tests.support.ledger.window import PLACES, START_MS, WindowLine, WindowTown

MARGIN_S = MARGIN_MS // 1_000


def window_town(seconds=120, **parts):
    town = WindowTown(**parts)
    town.run(seconds)
    return town


def tank_of(town):
    return MILK_TANKS.get(town.state, town.line.tank_id)


def test_what_counted_becomes_a_lot_of_its_farms_milk():
    town = window_town()
    claim, before = town.claim(), town.units("mmu")
    assert town.mint(claim) == ""
    lot = LOTS.get(town.state, claim.lot_id())
    proven = PROVEN.get(town.state, claim.lot_id())
    counted = bill(120 - MARGIN_S - 2)
    assert claim.units == lot.units == lot.remaining_units == tank_of(town).drawn_units
    assert counted <= lot.units <= bill(120)
    assert sum(each.units for each in proven.intervals) == lot.units
    assert sum(each.units for each in proven.sources) == lot.units
    assert PROVEN.get(town.state, claim.lot_id()).tank == town.line.tank_id
    assert proven.locked_units == account(town.state, LOCKED_ACCOUNT).units == lot.units * 7 // 100
    assert town.units("mmu") < before  # It paid the fee, and its share waits.
    assert town.units("farm-0") == lot.units * 90 // 100
    assert {span.device for span in proven.spans} == {each.public for each in town.line.devices}
    town.close()


def test_the_next_window_begins_where_the_last_one_ended():
    town = window_town()
    first = town.claim(60)
    assert town.mint(first) == ""
    line = LINES.get(town.state, town.line.line_id)
    assert (line.through_ms, line.flow_value) == (first.to_ms, 60_000)
    flow = town.line.of(Instrument.FLOW_METER)
    assert line.flow_device == flow.public
    last = first.devices[[each.device for each in first.devices].index(flow.public)].last
    tip = town.line.tip(town.state, flow.public)
    reading = last.reading()
    assert (tip.digest, tip.boot, tip.seq) == (last.digest(), reading.boot, reading.seq)
    assert (tip.time_ms, tip.value) == (reading.last_ms, reading.samples[-1][1])
    assert town.mint(first) == "wrong_window"
    second = town.claim()
    assert town.mint(second) == ""
    assert PROVEN.get(town.state, second.lot_id()).spans[0].after is not None
    town.close()


def test_any_cutting_of_the_same_readings_mints_the_same_litres():
    whole, parts = window_town(), window_town()
    assert whole.mint() == ""
    for until in (40, 41, 77, None):
        assert parts.mint(parts.claim(until)) == ""
    assert supply(whole.state).minted_units == supply(parts.state).minted_units


def test_a_window_in_which_nothing_counted_moves_the_line_on_and_makes_no_lot():
    cold = dict.fromkeys(range(121), 60000)
    town = WindowTown(litres=(50, 20, 10))
    town.run(120, hold_thermometer=cold)
    claim = town.claim()
    assert (claim.units, claim.intervals) == (0, ())
    before = supply(town.state)
    assert town.mint(claim) == ""
    assert LINES.get(town.state, town.line.line_id).through_ms == claim.to_ms
    assert LOTS.get(town.state, claim.lot_id()) is None
    assert supply(town.state) == before
    # What flowed left the tank, and what the tank lacked it owes.
    tank = tank_of(town)
    assert tank.lost_units == bill(80)
    assert tank.debts == ((claim.to_ms, claim.lost_steps * 1_000 - bill(80)),)
    town.close()


def test_an_empty_window_needs_neither_bond_nor_a_clean_slate():
    town = WindowTown()
    town.run(60, diversion_valve=dict.fromkeys(range(61), 0))
    MMUS.put(town.state, Mmu(Units(0), Units(0)), town.line.mmu)
    body = town.line.mint(town.state, town.claim())
    check_body(town.state, Call(town.line.mmu, 0, 0), body)


def test_diverted_milk_stays_in_the_tank():
    town = WindowTown()
    town.run(60, diversion_valve=dict.fromkeys(range(61), 0))
    claim = town.claim()
    assert claim.diverted_steps > 0
    assert claim.lost_steps == 0
    assert town.mint(claim) == ""
    assert tank_of(town).held_units == bill(450)


def test_only_the_mmu_of_a_line_claims_its_windows():
    town = window_town()
    grant_role(town.state, Role.MMU, town.address("carol"))
    assert town.mint(who="carol") == "foreign_line"
    assert town.mint(who="bob") == "role_missing"
    assert town.mint(town.claim(line=Hash(bytes(32)))) == "unknown_line"
    assert town.mint() == ""


def test_a_window_never_leaves_time_out_and_never_ends_ahead():
    town = window_town()
    claim = town.claim()
    assert town.mint(replace(claim, from_ms=claim.from_ms + 1_000)) == "wrong_window"
    assert town.mint(replace(claim, to_ms=claim.from_ms)) == "wrong_window"
    town.time_ms = claim.to_ms - town.dairy.genesis.parameters.clock_skew_ms_max - 1
    assert town.mint(claim) == "wrong_window"
    town.time_ms += 1
    assert town.mint(claim) == ""


def test_a_quorum_of_attestors_recomputed_it():
    town = window_town()
    assert town.mint(signers=2) == "no_quorum"
    assert town.mint(signers=3) == ""


def test_each_envelope_and_each_attestors_root_is_signed():
    town = window_town()
    body = town.line.mint(town.state, town.claim())
    claims = body_claims(body, town.line.mmu, town.dairy.chain_id)
    keys = {device for device, _, _ in claims}
    assert keys == {each.public for each in town.line.devices} | {
        each.public for each in town.dairy.attestor_keys
    }
    shown = {e for d in body.claim.devices for e in (d.last, d.end, d.worst) if e}
    assert len(claims) == len(shown) + len(body.attestations)
    assert all(verify(*claim) for claim in claims)
    first = replace(body.attestations[0], evidence_root=bytes(32))
    copied = replace(body, attestations=(first, *body.attestations[1:]))
    other = body_claims(copied, town.line.mmu, town.dairy.chain_id)
    assert not all(verify(*claim) for claim in other)
    moved = replace(body, claim=replace(body.claim, units=body.claim.units - 1))
    attested = body_claims(moved, town.line.mmu, town.dairy.chain_id)[-1]
    assert not verify(*attested)


def test_a_deficit_stops_the_line_in_the_mempool_too():
    town = window_town()
    held = MMUS.get(town.state, town.line.mmu)
    MMUS.put(town.state, replace(held, deficit_units=Units(1)), town.line.mmu)
    body = town.line.mint(town.state, town.claim())
    with pytest.raises(DeficitOpen):
        check_body(town.state, Call(town.line.mmu, 0, 0), body)


def test_a_bond_below_the_floor_stops_the_line_in_the_mempool_too():
    town = window_town()
    held = MMUS.get(town.state, town.line.mmu)
    body = town.line.mint(town.state, town.claim())
    floor = parameters(town.state).mmu_bond_least_units
    for bond, code in ((floor - 1, "low_bond"), (floor, "")):
        MMUS.put(town.state, replace(held, bond_units=Units(bond)), town.line.mmu)
        with pytest.raises(LowBond) if code else nullcontext():
            check_body(town.state, Call(town.line.mmu, 0, 0), body)


def test_an_attestor_with_too_little_at_stake_counts_for_nothing():
    town = window_town()
    rules = parameters(town.state)
    least = replace(rules.doubt, attestor_bond_least_units=bill(50))
    PARAMETERS.put(town.state, replace(rules, doubt=least))
    for each, units in zip(town.dairy.attestor_keys, (50, 50, 49), strict=False):
        pay(town.state, town.address("alice"), address_of(each.public), bill(51))
        assert town.do(each, PostBond(bill(units))) == ""
    assert town.mint() == "no_quorum"
    assert town.do(each, PostBond(bill(1))) == ""
    assert town.mint() == ""


def test_milk_keeps_from_its_first_counted_sample():
    town = window_town()
    claim = town.claim()
    shelf_ms = 10 * DAY_MS
    late = replace(claim, expires_ms=claim.intervals[0].from_ms + shelf_ms + 1)
    assert town.mint(late) == "bad_shelf_life"
    town.time_ms = claim.intervals[0].from_ms + shelf_ms // 2 + 1
    assert town.mint(claim) == "bad_shelf_life"
    town.time_ms -= 1
    assert town.mint(claim) == ""


def test_milk_keeps_from_the_first_of_all_its_intervals():
    town = WindowTown()
    town.run(120, hold_thermometer=dict.fromkeys(range(50, 55), 60_000))
    claim = town.claim()
    first, last = claim.intervals
    late = replace(claim, expires_ms=last.from_ms + 10 * DAY_MS)
    assert town.mint(late) == "bad_shelf_life"
    assert town.mint(replace(late, expires_ms=first.from_ms + 10 * DAY_MS)) == ""


def test_only_milk_of_the_lines_tank_metered_before_and_not_too_long_ago_counts():
    assert window_town(litres=(50,)).mint() == "short_tank"
    late = WindowTown(litres=())
    late.line.fill(late.state, bill(200), last_ms=START_MS + 60_000)
    late.run(120)
    assert late.mint() == "short_tank"
    old = WindowTown(litres=())
    old.line.fill(old.state, bill(200), first_ms=START_MS - 72 * HOUR_MS + 60_000)
    old.run(120)
    assert old.mint() == "short_tank"
    assert old.mint(old.claim(60)) == ""


def test_what_counted_and_is_not_claimed_is_lost():
    town = window_town()
    claim = town.claim()
    assert town.mint(replace(claim, units=claim.units - 5)) == ""
    assert tank_of(town).lost_units == 5
    town.close()


def test_a_device_that_left_is_judged_for_its_time_and_then_free():
    town = WindowTown((*PLACES, Instrument.HOLD_THERMOMETER))
    spare = town.line.devices[-1]
    line = LINES.get(town.state, town.line.line_id)
    entries = tuple(
        replace(each, until_ms=START_MS + 30_000) if each.device == spare.public else each
        for each in line.devices
    )
    LINES.put(town.state, replace(line, devices=entries), town.line.line_id)
    town.run(120)
    assert town.mint() == ""
    after = LINES.get(town.state, town.line.line_id)
    assert spare.public not in {each.device for each in after.devices}
    assert DEVICES.get(town.state, spare.public).line == bytes(32)


def test_the_largest_window_fits_a_transaction(capsys):
    kinds = (
        Instrument.FLOW_METER,
        *(kind for kind in PLACES[1:] for _ in range(4)),
        Instrument.TANK_GAUGE,
    )
    dairy = Dairy(attestors=64)
    state, line = dairy.state(), WindowLine(dairy, kinds)
    line.register(state)
    cold = dict.fromkeys(range(45, 64 * 45, 45), 60000)
    line.run(64 * 45, size=63, hold_thermometer=cold)
    claim = line.claim(state)
    one = claim.intervals[0]
    filled = claim.intervals + (Interval(one.from_ms, one.to_ms, one.steps),) * 64
    mint = line.mint(state, replace(claim, intervals=filled[:64]))
    assert (len(mint.claim.devices), len(mint.attestations)) == (14, 64)
    size = len(encode(dairy.next(state, mint, dairy.mmu)))
    with capsys.disabled():
        print(f"\nthe largest window: {size} bytes")
    assert size <= TRANSACTION_BYTES_MAX
