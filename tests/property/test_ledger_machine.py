"""Random programs of the ledger against a naive model: a few dictionaries and plain sums.

The model knows balances, nonces and lots, and decides for itself what becomes of a transaction.
After every block: balances, lots, supply and receipts agree, and an audit finds nothing. At the
end the chain is replayed from genesis and must reach the same root.
"""

from dataclasses import dataclass, field

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ledger.invariants import audit
from ledger.primitives.keys import address_of
from ledger.state import state_root
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    BONDS_ACCOUNT,
    LOCKED_ACCOUNT,
    LOTS,
    RESERVE_ACCOUNT,
    STAKE_ACCOUNT,
    VALIDATORS_ACCOUNT,
    account,
    supply,
)
from ledger.store import MemoryStore
from ledger.types.transfer import REDEMPTIONS_MAX
from ledger.types.window import ReleaseShare
from tests.support.ledger.dairy import NOW_MS, Chain, Dairy, bill, key
from tests.support.ledger.milking import Milking

NAMES = ("alice", "bob", "mmu", "farm-0", "farm-1", "farm-2", "carol")
DAIRY = Dairy()
PROPOSER = address_of(key("owner-0").public)
MMU = address_of(key("mmu").public)
STOCK, EXPIRED = (stock.lot_id() for stock in DAIRY.genesis.stock)
names = st.sampled_from(NAMES)
amounts = st.one_of(
    st.integers(0, 3), st.integers(1, bill(60)), st.integers(bill(900), bill(1_200))
)
parts = st.integers(1, bill(5)) | amounts


@dataclass
class Model:
    """What a person would keep on paper."""

    units: dict = field(default_factory=dict)
    nonces: dict = field(default_factory=dict)
    remaining: dict = field(default_factory=dict)
    minted: int = 0
    redeemed: int = 0

    def pay(self, sender, to, units, basket):
        """Decide on a payment and carry it out; give the code."""
        lots, burned = [lot for lot, _ in basket], sum(part for _, part in basket)
        if 0 in (units, *(part for _, part in basket)):
            return "zero_units"
        if lots != sorted(set(lots)):
            return "unordered_basket"
        if any(part > self.remaining[lot] for lot, part in basket):
            return "short_lot"
        if burned > units:
            return "redeems_too_much"
        if self.units.get(sender, 0) < units:
            return "insufficient_funds"
        if EXPIRED in lots:
            return "expired_lot"
        self.units[sender] -= units
        self.units[to] = self.units.get(to, 0) + units - burned
        self.redeemed += burned
        for lot, part in basket:
            self.remaining[lot] -= part
        return ""

    def mint(self, lot, parts):
        """Share whole litres as the design says: 90, 7, 1.2, 0.8 and 1 percent, the 7 locked."""
        total = sum(parts.values())
        self.remaining[lot] = total
        self.minted += total
        shares = {
            LOCKED_ACCOUNT: total * 7 // 100,
            VALIDATORS_ACCOUNT: total * 12 // 1_000,
            ATTESTORS_ACCOUNT: total * 8 // 1_000,
            RESERVE_ACCOUNT: total // 100,
        }
        shares |= {farm: part * 9 // 10 for farm, part in parts.items()}
        for address, units in shares.items():
            self.units[address] = self.units.get(address, 0) + units


class LedgerMachine(RuleBasedStateMachine):
    """Programs of payments, redemptions, mints and shares, in blocks of any size."""

    @initialize()
    def begin(self):
        self.chain = Chain(DAIRY, MemoryStore())
        self.blocks = []
        self.pending = []
        self.expected = []
        self.milking, self.mints = Milking(DAIRY), []
        self.fees = 0
        genesis = DAIRY.genesis
        self.model = Model({a.address: a.units for a in genesis.accounts})
        self.model.units[STAKE_ACCOUNT] = sum(v.stake_units for v in genesis.validators)
        self.model.units[BONDS_ACCOUNT] = DAIRY.bond
        self.model.remaining = {s.lot_id(): s.units for s in genesis.stock}
        self.model.minted = sum(s.units for s in genesis.stock)

    def charge(self, name, body):
        """Take the fee in the model; give the transaction, or None if it can't pay."""
        address = address_of(key(name).public)
        nonce = self.model.nonces.get(address, 0)
        transaction = DAIRY.transaction(body, key(name), nonce)
        fee = transaction.intent.fee_units
        if self.model.units.get(address, 0) < fee:
            return None
        self.model.units[address] -= fee
        self.model.nonces[address] = nonce + 1
        self.fees += fee
        return transaction

    @rule(sender=names, to=names, units=amounts)
    def transfer(self, sender, to, units):
        self.send(sender, to, units, [])

    @rule(
        sender=names, to=names, units=amounts, tidy=st.booleans(),
        parts=st.lists(st.tuples(st.integers(0, 20), parts), max_size=REDEMPTIONS_MAX),
    )  # fmt: skip
    def redeem(self, sender, to, units, tidy, parts):
        lots = list(self.model.remaining)
        basket = [(lots[number % len(lots)], burned) for number, burned in parts]
        self.send(sender, to, units, sorted(dict(basket).items()) if tidy else basket)

    def send(self, sender, to, units, basket):
        target = address_of(key(to).public)
        body = DAIRY.pay(target, units, *basket)
        transaction = self.charge(sender, body)
        if transaction is not None:
            code = self.model.pay(address_of(key(sender).public), target, units, basket)
            self.pending.append(transaction)
            self.expected.append(code)

    @precondition(lambda self: self.model.units[MMU] > bill(1))
    @rule(litres=st.tuples(*[st.integers(1, 30)] * 3), again=st.booleans())
    def mint(self, litres, again):
        """Collect and pasteurize; or claim again what was claimed. The MMU can pay the fees."""
        if again and self.mints:
            self.milk(self.mints[-1], "wrong_window")
            return
        batch = self.milking.next([bill(litre) for litre in litres])
        for body in (*batch.collections, batch.mint):
            self.milk(body, "")
        self.mints.append(batch.mint)
        farms = [address_of(k.public) for k in DAIRY.farm_keys]
        parts = dict(zip(farms, (bill(litre) for litre in litres), strict=True))
        self.model.mint(batch.lot, parts)

    @precondition(lambda self: self.mints and self.model.units[MMU] > bill(1))
    @rule(pick=st.integers(0, 20))
    def ask_for_the_share(self, pick):
        """All blocks are of one time: no lot is ever past doubt."""
        mint = self.mints[pick % len(self.mints)]
        self.milk(ReleaseShare(mint.claim.lot_id()), "share_locked")

    def milk(self, body, code):
        self.pending.append(self.charge("mmu", body))
        self.expected.append(code)

    @precondition(lambda self: self.pending)
    @rule()
    def end_block(self):
        outcome = self.chain.block(*self.pending, time_ms=NOW_MS)
        assert [receipt.code for receipt in outcome.receipts] == self.expected
        assert outcome.fees_units == self.fees
        self.model.units[PROPOSER] = self.model.units.get(PROPOSER, 0) + self.fees
        self.blocks.append(self.pending)
        self.pending, self.expected, self.fees = [], [], 0

    @invariant()
    def books_agree(self):
        if getattr(self, "pending", True):
            return
        store, model = self.chain.store, self.model
        for address, units in model.units.items():
            assert account(store, address).units == units
        for address, nonce in model.nonces.items():
            assert account(store, address).nonce == nonce
        for lot, remaining in model.remaining.items():
            assert LOTS.get(store, lot).remaining_units == remaining
        books = supply(store)
        assert (books.minted_units, books.redeemed_units) == (model.minted, model.redeemed)
        assert sum(model.units.values()) == sum(model.remaining.values()) == books.units

    def teardown(self):
        if not getattr(self, "blocks", None):
            return
        found = audit(self.chain.store.state(), self.chain.store.accumulator)
        assert found.findings == []
        replay = Chain(DAIRY, MemoryStore())
        for block in self.blocks:
            replay.block(*block, time_ms=NOW_MS)
        assert state_root(replay.store.accumulator) == state_root(self.chain.store.accumulator)
        assert replay.store.head().hash == self.chain.store.head().hash


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestLedgerMachine = LedgerMachine.TestCase
