"""A commit costs what it touches: neither root nor batch looks at the rest of the state."""

import pytest

from ledger.genesis import genesis_state
from ledger.primitives.amounts import Units
from ledger.primitives.keys import address_of
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate
from ledger.state.overlay import Overlay
from ledger.state.records import Account
from ledger.state.tables import ACCOUNTS
from ledger.store import MemoryStore
from tests.support.ledger.dairy import Chain, Dairy, bill, key

ALICE, TO_BOB = key("alice"), address_of(key("bob").public)


class Endless:
    """A state with a record under every key, that counts what is asked of it."""

    accumulator = EMPTY_ACCUMULATOR

    def __init__(self):
        self.asked = []

    def get(self, name):
        self.asked.append(name)
        return b"\x92" + name[-8:]


class Watched(MemoryStore):
    """Remembers how many cells each batch wrote, and how many were read for it."""

    def __init__(self):
        self.batches, self.reads = [], 0
        super().__init__()

    def _get(self, name):
        self.reads += 1
        return super()._get(name)

    def _write(self, cells):
        listed = list(cells)
        self.batches.append(len(listed))
        super()._write(listed)


@pytest.mark.parametrize("touched", [1, 64, 65, 1_000])
def test_a_root_reads_each_touched_record_once_and_no_other(touched):
    state = Endless()
    overlay = Overlay(state)
    names = [b"a" + number.to_bytes(32, "big") for number in range(touched)]
    for name in names:
        overlay.put(name, b"new")
    root = overlay.root()
    assert state.asked == names
    assert overlay.root() == root
    assert len(state.asked) == touched, "an unchanged root is not computed again"
    old = [(name, b"\x92" + name[-8:]) for name in names]
    assert overlay.accumulator == accumulate(EMPTY_ACCUMULATOR, old, [(n, b"new") for n in names])


@pytest.mark.parametrize("others", [0, 2_000])
def test_a_commit_reads_and_writes_as_much_in_a_large_state_as_in_a_small_one(others):
    balances = {"alice": bill(1_000), "mmu": bill(1), "regulator": bill(1)}
    dairy = Dairy(balances={**balances, **{f"other-{n}": 1_000 for n in range(others)}})
    store = Watched()
    chain = Chain(dairy, store)
    assert store.batches[0] > others
    store.reads = 0
    chain.block(*(dairy.transaction(dairy.pay(TO_BOB, 5), ALICE, n) for n in range(10)))
    changes = 3  # The payer, the payee, the proposer's owner or validator.
    indexes = 10 * (1 + 2) + 4 + 1
    assert store.batches[1] <= indexes + changes + 2 + 2
    assert store.reads < 60


def test_an_unchanged_record_does_not_change_the_root():
    dairy = Dairy()
    overlay = Overlay(genesis_state(dairy.genesis))
    before = overlay.root()
    ACCOUNTS.put(overlay, Account(Units(bill(1_000)), 0), address_of(ALICE.public))
    assert overlay.root() == before
