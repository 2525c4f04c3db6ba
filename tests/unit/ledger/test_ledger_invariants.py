"""The books are checked by code that shares nothing with the rules: each breach is caught."""

import pytest
from msgspec.structs import replace

from ledger.errors import InvariantBroken
from ledger.genesis import genesis_state
from ledger.invariants import audit, check_block
from ledger.primitives.amounts import Units
from ledger.primitives.keys import address_of
from ledger.state import EMPTY_ACCUMULATOR, Overlay
from ledger.state.records import Account, Consumed, Supply
from ledger.state.tables import (
    ACCOUNTS,
    CONSUMED,
    LOTS,
    RUNS,
    STAKE_ACCOUNT,
    SUPPLY,
    account,
    supply,
)
from tests.support.ledgers import Dairy, key

DAIRY = Dairy()
ALICE = address_of(key("alice").public)
LOT = DAIRY.genesis.stock[0].lot_id()


def set_account(state, address, change):
    held = account(state, address)
    ACCOUNTS.put(state, Account(Units(held.units + change), held.nonce), address)


def set_lot(state, change):
    lot = LOTS.get(state, LOT)
    LOTS.put(state, replace(lot, remaining=lot.remaining + change), LOT)


def set_books(state, minted, redeemed, remaining):
    books = supply(state)
    changed = Supply(
        Units(books.minted + minted), Units(books.redeemed + redeemed),
        Units(books.remaining + remaining),
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
    "the books say": lambda s: set_books(s, 1, 0, 0),
    "not disjoint": lambda s: CONSUMED.put(s, Consumed(((0, 5), (6, 7))), bytes(36)),
    "one to one": lambda s: RUNS.put(s, bytes(32), bytes(32)),
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
