"""A dead gateway: who signed for a lot shows what is asked of it, one after another, in time.

Real stores, windows, answers and law; the chain makes a block when a test says so.
"""

import asyncio

import pytest

from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.facts import NodeLines
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.questions import QuestionBook, answer_ms
from iot_minting.attestor.replying import Replies
from iot_minting.attestor.store import STORE_NAME, AttestorStore
from iot_minting.wire.questions import name_question
from ledger.evidence import trim_bundle
from ledger.params import DAY_MS
from ledger.primitives.keys import address_of
from ledger.state.tables import DOUBTS, PROVEN, parameters
from ledger.types.doubt import AskEvidence, VoidUnanswered
from ledger.types.transfer import Transfer
from ledger.types.window import MintWindow
from tests.support.ledger.cheating import FLOW, HOLD, Cheat
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.ledger.town import PURSES
from tests.support.minting.town_node import TownNode
from tests.support.minting.windows import InlineJudge, Window

NAMES = tuple(f"attestor-{number}" for number in range(4))
RICH = bill(200)


class Attestor:
    """One attestor over its home: it may be killed, and begun again."""

    def __init__(self, name, home, node):
        self.key, self.home, self.node = key(name), home / name, node
        self.home.mkdir()
        self.begin()

    def begin(self):
        chain_id, metrics = self.node.chain.chain_id, AttestorMetrics()
        self.store = AttestorStore(self.home / STORE_NAME)
        self.book = QuestionBook(self.home / STORE_NAME)
        self.desk = AttestorDesk(
            self.key,
            chain_id,
            self.store,
            NodeLines(self.node, chain_id),
            InlineJudge(),
            metrics,
            now_ms=self.now_ms,
            retention_ms=30 * DAY_MS,
            store_bytes_max=2**40,
        )
        self.replies = Replies(
            self.key, chain_id, self.store, self.book, self.node, metrics, self.now_ms
        )
        self.read = self.book.height() or 0

    def now_ms(self):
        return self.node.town.time_ms

    def kill(self):
        self.book.close()
        self.store.close()

    def catch_up(self):
        """Read the blocks that there are."""
        for block in self.node.chain_blocks()[self.read :]:
            self.replies.note(block)
            self.read = block.height

    def step(self):
        self.catch_up()
        asyncio.run(self.replies.step())

    @property
    def units(self):
        return self.node.units_of(self.key)


class Village:
    """A town whose lot attestors signed for at their own desks, from their own stores."""

    def __init__(self, home, balances=None, **given):
        purses = PURSES | (balances or dict.fromkeys(NAMES, RICH))
        self.town = Cheat(dairy=Dairy(balances=purses, **given))
        self.node = TownNode(self.town)
        self.attestors = [Attestor(name, home, self.node) for name in NAMES]

    def mint(self, until=None, signers=NAMES):
        """Have the line's next window signed and minted; give its lot."""
        town = self.town
        claim = town.claim(until)
        facts, bundle = town.line.facts(town.state), town.line.bundle(town.state)
        window = Window(claim, trim_bundle(facts, bundle, claim))
        raw = window.request(asker=key("mmu"), chain_id=town.dairy.chain_id)
        given = [asyncio.run(each.desk.answer(raw)).attestation for each in self.attestors]
        wanted = {key(name).public for name in signers}
        signed = sorted((g for g in given if g.attestor in wanted), key=lambda g: g.attestor)
        assert self.node.do("mmu", MintWindow(claim, tuple(signed))) == ""
        return claim.lot_id()

    def ask(self, lot, kind, boot, seq):
        body = AskEvidence(lot, self.town.line.of(kind).public, boot, seq, bill(10))
        assert self.node.do("alice", body) == ""
        return body

    def order(self, asked, asked_ms):
        """Give the lot's attestors by when they are to answer, with that time."""
        signers = PROVEN.get(self.town.state, asked.lot).attestors
        times = {
            each: answer_ms(
                name_question(asked), asked_ms, self.answer_ms, signers, each.key.public
            )
            for each in self.attestors
        }
        return sorted(times.items(), key=lambda each: each[1])

    @property
    def answer_ms(self):
        return parameters(self.town.state).doubt.answer_ms

    def close(self):
        for each in self.attestors:
            each.kill()


@pytest.fixture
def village(tmp_path):
    made = Village(tmp_path)
    made.town.good(*made.town.line.devices, begin=0, end=60)
    hold = made.town.line.of(HOLD)
    hold.boot, hold.seq = 5, 0
    made.town.good(*made.town.line.devices, begin=61, end=120)
    yield made
    made.close()


@pytest.mark.parametrize("number", [(0, 3), (0, 99), (3, 7), (5, 0)])
def test_the_lot_of_a_dead_gateway_survives_a_question(village, number):
    lot = village.mint()
    asked = village.ask(lot, HOLD, *number)
    order = village.order(asked, village.town.time_ms)
    first, due_ms = order[0]
    before = {each: each.units for each in village.attestors}
    for village.town.time_ms in (due_ms - 1, due_ms):
        for each in village.attestors:
            each.step()
    assert DOUBTS.get(village.town.state, lot) is None, "the question is closed"
    paid = [each for each in village.attestors if each.units < before[each]]
    assert paid == [first], "one paid, not all"
    village.town.time_ms = due_ms + 2 * village.answer_ms
    for each in village.attestors:
        each.step()
        assert each.book.open() == []
    void = VoidUnanswered(lot, asked.device, asked.boot, asked.seq)
    assert village.town.do("alice", void) == "unknown_question"
    assert not any(each.void for each in PROVEN.get(village.town.state, lot).intervals)
    village.town.close()


def test_where_the_first_is_dead_too_the_next_answers_in_time(village):
    lot = village.mint()
    asked = village.ask(lot, FLOW, 0, 4)
    asked_ms = village.town.time_ms
    order = village.order(asked, asked_ms)
    assert [due for _, due in order] == sorted({due for _, due in order}), "each has its own time"
    assert asked_ms + village.answer_ms // 4 <= order[0][1]
    assert order[-1][1] <= asked_ms + village.answer_ms * 3 // 4
    (last, due_ms), *_ = reversed(order)
    village.town.time_ms = due_ms - 1
    last.step()
    assert DOUBTS.get(village.town.state, lot) is not None
    village.town.time_ms = due_ms
    last.step()
    assert DOUBTS.get(village.town.state, lot) is None


def test_who_signed_and_was_not_needed_answers_last(village):
    lot = village.mint(signers=NAMES[:3])
    asked = village.ask(lot, FLOW, 0, 4)
    order = village.order(asked, village.town.time_ms)
    spare, due_ms = order[-1]
    assert spare.key.public == key(NAMES[3]).public
    village.town.time_ms = due_ms
    spare.step()
    assert DOUBTS.get(village.town.state, lot) is None


@pytest.mark.parametrize("when", ["noted", "signed", "sent"])
def test_an_answer_outlives_a_kill_at_any_point(village, when):
    lot = village.mint()
    asked = village.ask(lot, FLOW, 0, 4)
    (first, due_ms), *_ = village.order(asked, village.town.time_ms)
    village.node.automatic = False
    first.catch_up()
    village.town.time_ms = due_ms
    if when != "noted":
        village.node.silence(when == "signed")
        try:
            first.step()
        except Exception:
            assert when == "signed"
        village.node.silence(False)
        if when == "signed":
            assert first.book.open()
    first.kill()
    first.begin()
    village.node.automatic = True
    before = first.units
    first.step()
    first.step()
    assert DOUBTS.get(village.town.state, lot) is None
    assert before - first.units < bill(1)
    sent = [raw for block in village.node.chain_blocks() for raw in block.transactions]
    assert len(sent) == len(set(sent)) == 3, "a mint, a question, one answer"


def test_an_answer_that_was_lost_on_its_way_is_sent_again_and_then_signed_anew(village):
    lot = village.mint()
    asked = village.ask(lot, FLOW, 0, 4)
    (first, due_ms), *_ = village.order(asked, village.town.time_ms)
    village.node.automatic, village.town.time_ms = False, due_ms
    first.step()
    village.node.forget_waiting()
    first.step()
    assert village.node.submissions == 2
    village.node.forget_waiting()
    # Its account is used for something else meanwhile: these bytes can't become final any more.
    assert village.node.do(NAMES[village.attestors.index(first)], Transfer(
        address_of(key("bob").public), bill(1), bytes(32), ()
    )) == ""  # fmt: skip
    first.step()
    village.node.automatic = True
    first.step()
    assert DOUBTS.get(village.town.state, lot) is None


def test_who_can_not_pay_waits_until_it_can(tmp_path):
    village = Village(tmp_path, balances={"dave": RICH})
    village.town.good(*village.town.line.devices, begin=0, end=120)
    lot = village.mint()
    asked = village.ask(lot, FLOW, 0, 4)
    (first, due_ms), *_ = village.order(asked, village.town.time_ms)
    village.town.time_ms = due_ms
    first.step()
    assert DOUBTS.get(village.town.state, lot) is not None
    pay = Transfer(address_of(first.key.public), bill(1), bytes(32), ())
    assert village.node.do("dave", pay) == ""
    first.step()
    assert DOUBTS.get(village.town.state, lot) is None
    village.close()


def test_a_question_about_a_lot_that_was_not_signed_here_is_anothers(village):
    lot = village.mint()
    for each in village.attestors:
        each.store.forget([lot])
    village.ask(lot, FLOW, 0, 4)
    for each in village.attestors:
        each.catch_up()
        assert each.book.open() == []


def test_a_question_between_two_windows_is_answered_though_the_first_is_forgotten(village):
    """The envelope that the second window follows is kept for it, whatever made no lot."""
    town, hold = village.town, village.town.line.of(HOLD).public
    first = village.mint(until=85)
    for each in village.attestors:
        asyncio.run(each.desk.keeping.sweep())
        each.store.forget([first])
    town.good(*town.line.devices, begin=121, end=180)
    tip = town.line.tip(town.state, hold)
    lot = village.mint()
    for each in village.attestors:
        asyncio.run(each.desk.keeping.sweep())
    span = next(s for s in PROVEN.get(town.state, lot).spans if s.device == hold)
    assert span.after == (tip.boot, tip.seq)
    assert span.boot > tip.boot, "it was started anew in between"
    asked = village.ask(lot, HOLD, tip.boot, tip.seq + 7)
    (one, due_ms), *_ = village.order(asked, town.time_ms)
    town.time_ms = due_ms
    one.step()
    assert DOUBTS.get(town.state, lot) is None
