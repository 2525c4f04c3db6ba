"""Lots of windows: the processor's share waits, and expired tokens are backed anew."""

from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from ledger.errors.milk import DeficitOpen
from ledger.rules import Call, body_claims, check_body
from ledger.state.tables import LOTS, MMUS, PROVEN, parameters
from ledger.types.window import ReleaseShare, RollWindow
from tests.support.ledger.window import START_MS, WindowTown


def window_town():
    town = WindowTown()
    town.run(120)
    return town


def test_the_share_of_a_processor_waits_until_the_lot_is_past_doubt():
    town = window_town()
    claim = town.claim()
    assert town.mint(claim) == ""
    release = ReleaseShare(claim.lot_id())
    proven = PROVEN.get(town.state, claim.lot_id())
    window_ms = parameters(town.state).challenge_window_ms
    assert proven.contestable_until_ms >= START_MS + 120_000 + window_ms
    assert town.do("bob", release) == "share_locked"
    town.time_ms = proven.contestable_until_ms - 1
    assert town.do("bob", release) == "share_locked"
    town.time_ms += 2
    before = town.units("mmu")
    assert town.do("bob", release) == ""
    assert town.units("mmu") - before == proven.locked_units
    assert town.do("bob", release) == "no_share"
    assert town.do("bob", ReleaseShare(bytes(32))) == "no_share"
    town.close()


def test_a_window_backs_an_expired_lots_tokens_and_issues_what_is_over():
    town = WindowTown()
    town.run(60)
    old = town.claim()
    assert town.mint(old) == ""
    town.run(120, 61)
    new = town.claim()
    lot = LOTS.get(town.state, old.lot_id())
    roll = RollWindow(old.lot_id(), town.line.mint(town.state, new))
    assert town.do("mmu", roll) == "fresh_lot"
    LOTS.put(town.state, replace(lot, expires_ms=town.time_ms), old.lot_id())
    foreign = LOTS.get(town.state, town.dairy.genesis.stock[0].lot_id())
    assert foreign.mmu != town.line.mmu
    stock = RollWindow(town.dairy.genesis.stock[0].lot_id(), roll.mint)
    assert town.do("mmu", stock) == "foreign_lot"
    farm = town.units("farm-0")
    assert town.do("mmu", roll) == ""
    assert LOTS.get(town.state, old.lot_id()).remaining_units == 0
    assert LOTS.get(town.state, new.lot_id()).units == new.units
    locked = PROVEN.get(town.state, new.lot_id()).locked_units
    assert locked == (new.units - old.units) * 7 // 100
    # Of what is over its farm has its part, and of the rest the MMU bought it.
    assert (
        town.units("farm-0") == farm + (new.units - old.units) * 90 // 100 + old.units * 90 // 100
    )
    assert town.do("mmu", roll) == "short_lot"


def test_nothing_rolls_onto_an_empty_window():
    town = window_town()
    first = town.claim(60)
    assert town.mint(first) == ""
    empty = town.line.mint(town.state, town.claim(units=0))
    assert town.do("mmu", RollWindow(first.lot_id(), empty)) == "zero_units"


def rolling(until):
    """An expired lot of a minute, and a roll of what followed up to a second."""
    town = WindowTown()
    town.run(200)
    old = town.claim(60)
    assert town.mint(old) == ""
    lot = LOTS.get(town.state, old.lot_id())
    LOTS.put(town.state, replace(lot, expires_ms=town.time_ms), old.lot_id())
    return town, RollWindow(old.lot_id(), town.line.mint(town.state, town.claim(until)))


def test_who_owes_milk_rolls_and_issues_nothing():
    for until, issues in ((121, True), (120, False)):
        town, roll = rolling(until)
        held = MMUS.get(town.state, town.line.mmu)
        MMUS.put(town.state, replace(held, deficit_units=1), town.line.mmu)
        with pytest.raises(DeficitOpen) if issues else nullcontext():
            check_body(town.state, Call(town.line.mmu, 0, 0), roll)


def test_a_rolled_window_is_signed_as_any_other():
    town, roll = rolling(120)
    rolled, minted = (
        body_claims(body, town.line.mmu, town.dairy.chain_id) for body in (roll, roll.mint)
    )
    assert rolled == minted != []
