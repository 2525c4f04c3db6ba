"""The books are checked by code that shares nothing with the rules: each breach is caught."""

from random import Random

import pytest
from msgspec import DecodeError
from msgspec.structs import replace

from ledger.errors.base import InvariantBroken
from ledger.genesis import genesis_state
from ledger.invariants import audit, check_block
from ledger.primitives.amounts import Units
from ledger.primitives.committee import Committee
from ledger.primitives.keys import address_of
from ledger.state import EMPTY_ACCUMULATOR, Overlay
from ledger.state.dairy import Challenge, Mmu, ProductLot
from ledger.state.market import Deal, Mandate, Price, PriceHour, Subsidy
from ledger.state.proven import Proven, ProvenInterval, ProvenSource
from ledger.state.records import Account, Lot, Supply
from ledger.state.stakes import Delegation, Offences, Register, Slashes, Unbonding, wide
from ledger.state.tables import (
    ACCOUNTS,
    CHALLENGES,
    COMMITTEES,
    DEALS,
    DELEGATIONS,
    LOTS,
    MANDATES,
    MMUS,
    OFFENCES,
    OWNERS,
    PRICE,
    PRODUCTS,
    PROVEN,
    REGISTER,
    SLASHES,
    STAKE_ACCOUNT,
    SUBSIDY,
    SUPPLY,
    UNBONDING,
    VALIDATORS,
    account,
    supply,
)
from ledger.types.evidence import MilkKind
from ledger.types.mandate import PriceMode
from tests.support.encoding.values import value_of
from tests.support.ledger.dairy import Dairy, key

DAIRY = Dairy()
ALICE = address_of(key("alice").public)
LOT = DAIRY.genesis.stock[0].lot_id()


def set_account(state, address, change):
    held = account(state, address)
    ACCOUNTS.put(state, Account(Units(held.units + change), held.nonce), address)


def set_lot(state, change):
    lot = LOTS.get(state, LOT)
    LOTS.put(state, replace(lot, remaining_units=lot.remaining_units + change), LOT)


def set_books(state, minted, redeemed, remaining):
    books = supply(state)
    changed = Supply(
        Units(books.minted_units + minted), Units(books.redeemed_units + redeemed),
        Units(books.remaining_units + remaining),
    )  # fmt: skip
    SUPPLY.put(state, changed)


BREACHES = {
    "units from nowhere": lambda s: set_account(s, ALICE, 1),
    "units lost": lambda s: set_account(s, ALICE, -1),
    "milk from nowhere": lambda s: set_lot(s, 1),
    "books that do not agree": lambda s: set_books(s, 1, 0, 0),
    "a mint that no lot backs": lambda s: (set_books(s, 1, 0, 1), set_account(s, ALICE, 1)),
    "a mint that nobody got": lambda s: (set_books(s, 1, 0, 1), set_lot(s, 1)),
    "a mint undone": lambda s: (
        set_books(s, -1, 0, -1), set_lot(s, -1), set_account(s, ALICE, -1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BREACHES)
def test_no_block_breaks_the_books(case):
    state = DAIRY.state()
    check_block(state)
    BREACHES[case](state)
    with pytest.raises(InvariantBroken):
        check_block(state)


def entries(state):
    """All records of genesis with an overlay's changes."""
    found = dict(genesis_state(DAIRY.genesis).changes) | dict(state.changes)
    return [(k, v) for k, v in sorted(found.items()) if v is not None]


FINDINGS = {
    "held by accounts": lambda s: set_account(s, ALICE, 1),
    "remain in lots": lambda s: set_lot(s, -1),
    "account stake": lambda s: set_account(s, STAKE_ACCOUNT, 1),
    "units remain": lambda s: set_lot(s, 1),
    "redeemed, but": lambda s: SUPPLY.put(s, Supply(Units(9), Units(1), Units(8))),
    "in deficit": lambda s: set_books(s, 1, 0, 0),
}


@pytest.mark.parametrize("words", FINDINGS)
def test_an_audit_names_what_does_not_agree(words):
    state = DAIRY.state()
    assert audit(entries(state), state.accumulator).findings == []
    FINDINGS[words](state)
    findings = audit(entries(state), state.accumulator).findings
    assert any(words in finding for finding in findings), findings


def test_an_audit_finds_a_record_that_the_root_does_not_know():
    state = DAIRY.state()
    before = state.accumulator
    set_account(state, ALICE, 0)
    ACCOUNTS.put(state, Account(Units(0), 1), bytes(32))
    findings = audit(entries(state), before).findings
    assert findings == ["the state root is not the hash over the records"]


def test_an_audit_of_nothing_says_so():
    assert audit([], EMPTY_ACCUMULATOR).findings == ["there are no books: the state has no genesis"]


def test_an_audit_folds_many_records_as_one_by_one():
    state = Overlay(genesis_state(DAIRY.genesis))
    for number in range(5_000):
        ACCOUNTS.put(state, Account(Units(0), 1), number.to_bytes(32, "big"))
    assert audit(entries(state), state.accumulator).findings == []


# What only an audit sees: records that do not fit each other. Each case breaks one thing.

FARM = address_of(key("farm-0").public)
OWNER = address_of(key("owner-0").public)
VOTE = key("validator-0").public
SOUND = Lot(
    MilkKind.WHOLE, "p", "l", ALICE, Units(0), Units(0), 5, 1, bytes(32)
)  # fmt: skip


PROOF = value_of(Proven, Random(1))
PROOF = replace(
    PROOF,
    tank=b"t" * 32,
    intervals=(ProvenInterval(PROOF.from_ms, PROOF.from_ms, 1, Units(1)),),
    to_ms=PROOF.from_ms + 1,
    sources=(ProvenSource(FARM, bytes(32), Units(1)),),
    locked_units=Units(0),
)


def put_lot(state, lot):
    LOTS.put(state, lot, b"x" * 32)


def change_validator(state, **fields):
    VALIDATORS.put(state, replace(VALIDATORS.get(state, VOTE), **fields), VOTE)


RELATIONS = {
    "leads to no window": lambda s: put_lot(s, SOUND),
    "is proven and is not there": lambda s: PROVEN.put(s, PROOF, bytes(32)),
    "was drawn from and is not there": lambda s: PROVEN.put(s, PROOF, bytes(32)),
    "units remain": lambda s: put_lot(s, replace(SOUND, remaining_units=Units(1))),
    "0 packed, 1 unsold": lambda s: put_lot(s, replace(SOUND, packed_unsold_units=Units(1))),
    "there is no pack": lambda s: put_lot(s, replace(SOUND, units=Units(1), packed_units=Units(1))),
    "it says otherwise": lambda s: PRODUCTS.put(
        s, ProductLot(b"x" * 32, 2, Units(3), Units(0), 1), bytes(32)
    ),
    "7 of 6 sold": lambda s: PRODUCTS.put(
        s, ProductLot(LOT, 2, Units(3), Units(7), 1), bytes(32)
    ),
    "the register does not name": lambda s: REGISTER.put(s, Register(())),
    "validators and owners": lambda s: OWNERS.put(s, VOTE, ALICE),
    "shares, ": lambda s: change_validator(s, shares=7, own_shares=6),
    "own shares of": lambda s: change_validator(s, shares=5, own_shares=6),
    "are not its parts": lambda s: change_validator(s, remainder=wide(1)),
    "account rewards": lambda s: change_validator(s, rewards_units=Units(1)),
    "has delegators and is not there": lambda s: DELEGATIONS.put(
        s, Delegation(1, wide(0), wide(0)), bytes(64)
    ),
    "what is unbonding do not sum": lambda s: UNBONDING.put(
        s, Unbonding(Units(1), Units(0), 1), bytes(40)
    ),
    "2 units of 1": lambda s: UNBONDING.put(s, Unbonding(Units(1), Units(2), 1), bytes(40)),
    "punished twice": lambda s: OFFENCES.put(s, Offences(((1, 1), (1, 1)), Units(0)), bytes(40)),
    "9 slashed": lambda s: SLASHES.put(s, Slashes(Units(9), Units(5), Units(3))),
    "ascending order of key": lambda s: COMMITTEES.put(s, Committee(()), bytes(8)),
    "price 7": lambda s: PRICE.put(s, Price(1, 7, 1, (PriceHour(1, 7, 7),))),
    "price 2000000": lambda s: PRICE.put(
        s, Price(1, 2_000_000, 1, (PriceHour(1, 1_890_000, 2_000_000),))
    ),
    "4 charged in 1 charges": lambda s: MANDATES.put(s, MANDATE, bytes(32)),
    "2 charges in 1 periods": lambda s: MANDATES.put(
        s, replace(MANDATE, charges=2), bytes(32)
    ),
    "paid, claims": lambda s: SUBSIDY.put(s, Subsidy(head=2, tail=1)),
    "claims that wait": lambda s: SUBSIDY.put(s, Subsidy(head=1, tail=2)),
    "account subsidy": lambda s: SUBSIDY.put(s, Subsidy(funded_units=Units(1))),
    "account escrow": lambda s: DEALS.put(
        s, Deal(bytes(32), ALICE, ALICE, Units(1), 1, False), bytes(32)
    ),
    "account bonds": lambda s: MMUS.put(s, Mmu(Units(1)), ALICE),
    "account deposits": lambda s: CHALLENGES.put(
        s, Challenge(ALICE, Units(1), bytes(32), 1), bytes(32) + ALICE
    ),
    "does not decode": lambda s: s.put(LOTS.prefix + bytes(32), b"\xc1"),
}  # fmt: skip
MANDATE = Mandate(
    ALICE, ALICE, 1, Units(1), PriceMode.TOKENS_A_LITRE, 1, Units(3), Units(9), 1, 9,
    Units(4), 1, 1,
)  # fmt: skip


@pytest.mark.parametrize("words", RELATIONS)
def test_an_audit_names_records_that_do_not_fit(words):
    state = DAIRY.state()
    RELATIONS[words](state)
    findings = audit(entries(state), state.accumulator).findings
    assert any(words in finding for finding in findings), findings


@pytest.mark.parametrize("words", [w for w in RELATIONS if w in {
    "units remain", "0 packed, 1 unsold", "7 of 6 sold",
    "9 slashed", "price 7", "4 charged in 1 charges", "account escrow", "account bonds",
    "does not decode", "punished twice",
}])  # fmt: skip
def test_what_a_block_touches_is_checked_at_once(words):
    state = DAIRY.state()
    RELATIONS[words](state)
    with pytest.raises((InvariantBroken, DecodeError)):
        check_block(state)
