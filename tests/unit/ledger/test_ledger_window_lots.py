"""Lots of windows: the processor's share waits, and expired tokens are backed anew."""

from msgspec.structs import replace

from ledger.state.tables import LOTS, PROVEN
from ledger.types.window import ReleaseShare, RollWindow
from tests.support.ledger.window import WindowTown


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
    assert town.units("farm-0") > farm  # The MMU bought its milk.
    assert town.do("mmu", roll) == "short_lot"


def test_nothing_rolls_onto_an_empty_window():
    town = window_town()
    first = town.claim(60)
    assert town.mint(first) == ""
    empty = town.line.mint(town.state, town.claim(units=0))
    assert town.do("mmu", RollWindow(first.lot_id(), empty)) == "zero_units"
