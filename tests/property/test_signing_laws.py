"""Whatever a service asks, the chain takes and a crash ends: a signer's laws hold.

A thief holds the service and all bytes that were ever signed. He asks for anything under any id,
lets the chain take bytes when it suits him, keeps others back until they lapse, and kills the
signer at will. The chain keeps the account's numbers strictly; time goes on.
"""

import tempfile
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from api.signing.process.desk import SignedAnswer
from api.signing.process.nonces import EntryState, fate
from api.signing.process.rules import DAY_MS
from api.signing.wire import IN_FLIGHT_MAX, SigningKind, kind_of
from ledger.types.transaction import decode_transaction
from node.client.views import TransactionState, TransactionView
from tests.support.api.signing import (
    LITRE,
    OPERATING,
    PAYER,
    START_MS,
    STUDENT,
    DeskRig,
    asked,
    coupon,
    grant,
    limits,
    look,
    paid,
    refund,
    rules,
    top_up,
    ulid,
)

VALID_BLOCKS = 20
BLOCK_MS = 60_000
PAYMENTS = {bytes([i]) * 32: i * LITRE for i in (1, 2)}
IDS = [f"01ARZ3NDEKTSV4RRFFQ69G5FA{letter}" for letter in "ABC"]
DAY = 3 * LITRE
LIMITS = {kind: limits(each=2 * LITRE, day=DAY, times=9) for kind in SigningKind}
amounts = st.sampled_from([0, 1, LITRE // 2, LITRE, LITRE + 1, 2 * LITRE, 9 * LITRE])

orders = st.one_of(
    st.builds(refund, amounts, st.sampled_from(sorted(PAYMENTS))),
    st.builds(
        lambda units, letter: coupon((b"\7" * 32, units), reference=letter * 32),
        amounts,
        st.sampled_from([b"x", b"y"]),
    ),
    st.builds(
        top_up,
        amounts,
        st.sampled_from([STUDENT, PAYER]),
        st.sampled_from(IDS) | st.builds(ulid),
    ),
    st.builds(
        grant,
        amounts,
        st.sampled_from([STUDENT, PAYER]),
        st.sampled_from(["h1_" + "a" * 24, "h1_" + "b" * 24]),
    ),
)


class ThiefAndSigner(RuleBasedStateMachine):
    """The signer's desk, a chain of strict numbers, and all that was ever signed."""

    @initialize()
    def begin(self):
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        kinds = {str(kind): given for kind, given in LIMITS.items()}
        self.rig = DeskRig(Path(folder), rules(day=8 * LITRE, **kinds), VALID_BLOCKS)
        self.height, self.nonce = 10, 0
        self.by_request = defaultdict(set)
        self.signed = {}
        """Every transaction, with when it was signed and what for."""
        self.taken = {}
        """What the chain took: id -> code."""
        self.start()

    def teardown(self):
        if hasattr(self, "stack"):
            self.stack.close()

    def start(self):
        self.process = ExitStack()
        self.desk = self.process.enter_context(self.rig.open())
        self.stack.push(self.process)

    def look(self):
        now_ms = START_MS + self.height * BLOCK_MS
        self.rig.wall_ms = now_ms
        return look(self.height, now_ms, self.nonce, 1_000 * LITRE)

    @rule(order=orders, request_id=st.builds(ulid) | st.sampled_from(IDS))
    def ask_anything(self, order, request_id):
        self.ask(order, request_id)

    def ask(self, order, request_id):
        facts = None
        if hasattr(order, "tx_hash"):
            facts = paid(PAYMENTS[bytes.fromhex(order.tx_hash)])
        seen = self.look()
        for answer in self.desk.sign_batch([asked(order, facts, request_id)], seen):
            if isinstance(answer, SignedAnswer):
                made = decode_transaction(answer.raw)
                self.by_request[request_id].add(answer.raw)
                self.signed.setdefault(made.id, (made, seen.time_ms, kind_of(order)))

    @rule(half_days=st.integers(0, 1))
    def drain(self, half_days):
        """Ask for all that a day gives, and perhaps half a day later once more."""
        self.height += half_days * DAY_MS // BLOCK_MS // 2
        for _ in range(4):
            self.ask(top_up(LITRE), ulid())

    @rule()
    def kill(self):
        self.process.close()
        self.start()

    @rule(dice=st.randoms(use_true_random=False), code=st.sampled_from(["", "", "short_lot"]))
    def take(self, dice, code):
        """Let the chain take the thief's bytes that bear the next numbers."""
        while fits := [
            made
            for made, _, _ in self.signed.values()
            if made.intent.nonce == self.nonce and made.intent.valid_until_height > self.height
        ]:
            made = dice.choice(sorted(fits, key=lambda one: one.id))
            self.taken[made.id] = code
            self.nonce += 1
            self.height += 1

    @rule(count=st.sampled_from([1, VALID_BLOCKS - 2, VALID_BLOCKS, DAY_MS // BLOCK_MS // 2]))
    def wait(self, count):
        self.height += count

    @rule()
    def learn(self):
        """Note what became of what is on its way, as the process does each turn."""
        fates = []
        for entry in self.desk.journal.live(OPERATING):
            code = self.taken.get(entry.txid)
            state = TransactionState.UNKNOWN if code is None else TransactionState.FINAL
            view = TransactionView(entry.txid, state, code=code or "")
            became = fate(view, entry.nonce, entry.valid_until_height, self.height, self.nonce)
            fates.append((entry.txid, became))
        self.desk.journal.note_fates(fates)
        assert self.desk.lacking(self.look()) == 0, "everything that the chain took was signed here"

    def moved(self):
        return [
            (made.intent.body, signed_ms, kind)
            for made, signed_ms, kind in self.signed.values()
            if self.taken.get(made.id) == ""
        ]

    @invariant()
    def one_request_has_one_transaction(self):
        assert all(len(raws) <= 1 for raws in getattr(self, "by_request", {}).values())

    @invariant()
    def no_payment_is_given_back_twice(self):
        given = defaultdict(int)
        for body, _, _ in self.moved() if hasattr(self, "signed") else ():
            given[body.reference] += body.units
        assert all(given[tx_hash] <= units for tx_hash, units in PAYMENTS.items())

    @invariant()
    def nothing_else_is_paid_twice(self):
        if hasattr(self, "signed"):
            others = [b.reference for b, _, _ in self.moved() if b.reference not in PAYMENTS]
            assert len(set(others)) == len(others)

    @invariant()
    def any_24_hours_stay_within_the_limits(self):
        if not hasattr(self, "signed"):
            return
        moved = self.moved()
        for _, from_ms, _ in moved:
            day = Counter()
            for body, at_ms, kind in moved:
                if from_ms <= at_ms < from_ms + DAY_MS:
                    day[kind] += body.units
            assert day.total() <= 8 * LITRE
            assert max(day.values()) <= DAY

    @invariant()
    def few_are_on_their_way(self):
        if hasattr(self, "desk"):
            assert len(self.desk.journal.live(OPERATING)) <= IN_FLIGHT_MAX
            states = {entry.state for entry in self.desk.journal.live(OPERATING)}
            assert states <= {EntryState.LIVE}


TestThiefAndSigner = ThiefAndSigner.TestCase
TestThiefAndSigner.settings = settings(max_examples=80, stateful_step_count=40)
