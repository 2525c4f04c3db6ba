"""A state in which everything has happened, with one lie in it: the audit names what disagrees.

The accumulator is that of the corrupted state, as if a bug had written the lie: so the hash over
the records says nothing, and the laws must.
"""

import importlib
import pkgutil

import pytest
from msgspec.structs import replace

import ledger
from ledger.errors.base import InvariantBroken
from ledger.invariants import check_block
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.committee import Committee
from ledger.state import Overlay
from ledger.state import tables as t
from ledger.state.market import Feed
from ledger.state.names import epoch_name
from ledger.state.prefixes import DECODERS
from ledger.state.records import NOBODY, Holders, Reason
from node.tools.audit_records import TABLE_NAMES
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.lies import audited, both, change, elsewhere, up
from tests.support.ledger.story import Story

S = Story()
VALIDATORS = [key(f"validator-{number}").public for number in range(4)]


def reasons(**moved):
    def changed(by_reason):
        counts = list(by_reason)
        for name, units in moved.items():
            counts[Reason[name]] += units
        return tuple(counts)

    return changed


def richer_seat(o):
    name = epoch_name((S.height - 1) // 5)
    first, *others = t.COMMITTEES.get(o, name).seats
    t.COMMITTEES.put(o, Committee((replace(first, stake=10**15), *others)), name)


def forgiven(o):
    (name,) = (k[1:] for k, _ in S.entries() if k[:1] == t.OFFENCES.prefix)
    t.OFFENCES.put(o, replace(t.OFFENCES.get(o, name), paid_units=Units(0)), name)


def posing(o):
    """A minted lot that says it was on record at genesis."""
    lot_id, lot = S.lots[1], t.LOTS.get(o, S.lots[1])
    t.LOTS.put(o, replace(lot, mmu=NOBODY), lot_id)
    t.PROVEN.remove(o, lot_id)


def doubled_feed(o):
    price = t.PRICE.get(o)
    feed = Feed(S.address("alice"), 1, 1)
    t.PRICE.put(o, replace(price, feeds=(feed, feed)))


def worse_split(split):
    return replace(split, validators_bp=300, attestors_bp=300)


MANDATE = t.MANDATES.get(S.state, S.mandate)
MMU = S.address("mmu")
FLOAT = [S.address("bob"), "feed", 1.5, 3, 2**50, bytes(32)]
LIES = {
    "sold becomes fraud": (
        change(t.SUPPLY, b"", by_reason_units=reasons(SOLD=-5, FRAUD=5)), "sold, but"),
    "minted and redeemed both rise": (
        change(t.SUPPLY, b"", minted_units=up(5), redeemed_units=up(5),
               by_reason_units=reasons(SOLD=5)), "were minted, but lots"),
    "a lot was larger": (change(t.LOTS, S.stock, units=up(10**9)), "were minted"),
    "milk moves between lots": (
        both(change(t.LOTS, S.lots[1], remaining_units=up(-5)),
             change(t.LOTS, S.lots[0], remaining_units=up(4)),
             change(t.LOTS, S.lots[3], remaining_units=up(1))), "beside what is gone"),
    "a deficit is erased": (change(t.MMUS, MMU, deficit_units=Units(0)), "but MMUs owe 0"),
    "a pack is unsold again": (
        change(t.PRODUCTS, S.pack, sold_units=Units(0)), "units unsold, its packs say otherwise"),
    "more packs are unsold": (
        change(t.LOTS, S.lots[0], packed_unsold_units=bill(10)),
        "units unsold, its packs say otherwise"),
    "a fraction of an offer": (
        lambda o: o.put(t.OFFERS.prefix + S.offer, encode(FLOAT)), "does not decode"),
    "a device that can't be read": (
        lambda o: o.put(t.DEVICES.prefix + S.dairy.meter_keys[0].public, b"\xc1"), "not decode"),
    "a month that can't be read": (
        lambda o: o.put(t.FARM_MONTHS.prefix + S.address("farm-0"), b"\xc1"), "not decode"),
    "a record of no table": (lambda o: o.put(b"~hello", b"x"), "no table has such records"),
    "nobody attests": (
        lambda o: t.ATTESTORS.put(o, Holders(())), "the list of attestors is not"),
    "a role of nobody": (
        lambda o: t.ROLES.put(o, True, b"king\0" + bytes(32)), "none that anyone can hold"),
    "a part of a split too large": (
        change(t.PARAMETERS, b"", split=worse_split), "the levy"),
    "stake moves to another": (
        both(change(t.VALIDATORS, VALIDATORS[2], stake_units=up(-5)),
             change(t.VALIDATORS, VALIDATORS[3], stake_units=up(5))), "units at stake by"),
    "more was slashed": (
        change(t.SLASHES, b"", slashed_units=up(100), reserve_units=up(100)),
        "were slashed, but offences"),
    "nothing was slashed": (lambda o: t.SLASHES.remove(o), "0 units were slashed, but"),
    "a seat weighs more": (richer_seat, "not that which headers commit to"),
    "an offence is forgiven": (forgiven, "they cost nothing"),
    "escrow moves between deals": (
        both(change(t.DEALS, S.deals[0], units=up(-50)),
             change(t.DEALS, S.deals[1], units=up(50))), "not at its offer's price"),
    "a deposit on no lot": (
        elsewhere(
            t.CHALLENGES,
            S.lots[0] + S.address("alice"),
            bytes(32) + S.address("alice"),
        ), "do not count the doubts about them"),
    "a lot that keeps for ever": (
        change(t.LOTS, S.lots[0], expires_ms=2**53), "keeps for longer than any milk"),
    "a lot of a block to come": (change(t.LOTS, S.lots[0], height=9_999), "which is to come"),
    "a price of a time to come": (change(t.PRICE, b"", updated_ms=2**53), "a time to come"),
    "a feeder spoke twice": (doubled_feed, "one feeder spoke twice"),
    "a mandate charged ahead": (
        change(t.MANDATES, S.mandate, charged_until=99), "periods closed by a charge at"),
    "a mandate's period is open again": (
        change(t.MANDATES, S.mandate, charged_until=1), "1 periods closed by a charge at"),
    "a mandate was never charged": (
        change(t.MANDATES, S.mandate, charged_units=Units(0), charges=0, charged_until=0),
        "0 periods closed by a charge at"),
    "a mandate charged at a time to come": (
        change(t.MANDATES, S.mandate, charged_ms=MANDATE.start_ms + 10**6 * MANDATE.period_ms,
               charged_until=10**6 + 1), "charged at a time to come"),
    "a claim of all there is": (
        change(t.CLAIMS, epoch_name(t.SUBSIDY.get(S.state).head), units=Units(2**62)),
        "were claimed, 0 paid"),
    "readings are unused again": (
        lambda o: t.METER_USE.remove(o, S.dairy.meter_keys[2].public), "nothing was read"),
    "readings of a device that is not there": (
        elsewhere(t.METER_USE, S.dairy.meter_keys[2].public, bytes(32)), "nothing was read"),
    "a lot of another tank": (
        change(t.PROVEN, S.lots[2], tank=bytes(32)), "its lots are of others"),
    "a lot without its proof": (
        lambda o: t.PROVEN.remove(o, S.lots[2]), "leads to no window"),
    "a minted lot poses as stock": (posing, "its lots are of others"),
    "a pack of another lot": (
        change(t.PRODUCTS, S.pack, lot=S.lots[1]), "it says otherwise"),
    "a state of another chain": (
        lambda o: t.CHAIN.put(o, bytes(32)), "the state is of another chain"),
}  # fmt: skip


RECORDED_ONLY = {
    "sold becomes fraud",
    "more packs are unsold",
    "nobody attests",
    "a role of nobody",
    "more was slashed",
    "a deposit on no lot",
    "a price of a time to come",
    "a mandate charged at a time to come",
    "a claim of all there is",
}
"""Lies that only the whole state, or the chain, gives away."""


def test_the_story_itself_holds():
    assert audited(S, Overlay(S.state)) == []


@pytest.mark.parametrize("lie", LIES)
def test_an_audit_finds_every_lie_and_says_which(lie):
    state = Overlay(S.state)
    tell, words = LIES[lie]
    tell(state)
    found = audited(S, state)
    assert any(words in each for each in found), found
    assert "the state root is not the hash over the records" not in found


@pytest.mark.parametrize("lie", [each for each in LIES if each not in RECORDED_ONLY])
def test_a_block_that_tells_such_a_lie_is_stopped(lie):
    state = Overlay(S.state)
    tell, _ = LIES[lie]
    tell(state)
    with pytest.raises(InvariantBroken):
        check_block(state)


def test_every_table_stands_in_the_one_place_that_decodes_it():
    modules = [each.name for each in pkgutil.walk_packages(ledger.__path__, "ledger.")]
    found = {
        value.prefix: value
        for name in modules
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, t.Table)
    }
    listed = [value for value in vars(t).values() if isinstance(value, t.Table)]
    assert len(listed) == len(DECODERS), "two under one prefix would read each other's records"
    assert set(found) == set(DECODERS) == set(TABLE_NAMES)
    assert all(any(each is table for table in listed) for each in found.values())
