"""What an attestor asks of its node: the records as they are, of its own chain, or nothing."""

import asyncio

import pytest
from msgspec.structs import replace

from iot_minting.attestor.facts import NodeLines, find_chain
from ledger.params import DAY_MS
from ledger.primitives.hashing import Hash
from node.client.errors import NodeUnavailable, Rejected
from node.client.line_views import ProvenView
from tests.support.evidence.rig import CHAIN, LineRig
from tests.support.minting.line_node import line_view
from tests.support.minting.windows import make_window
from tests.support.node.fake_node import FakeNode

LOT = Hash(b"l" * 32)
HEIGHT = 0
UNTIL_MS = 10 * DAY_MS


class Node(FakeNode):
    """A node that shows what a test wants, or says that there is none."""

    def __init__(self):
        super().__init__()
        self.shown = None
        self.code = ""

    async def line(self, _):
        return self._show()

    async def proven(self, _):
        return self._show()

    def _show(self):
        if self.code:
            raise Rejected(self.code, "there is none", 404)
        return self.shown


@pytest.fixture
def node():
    return Node()


def line(node):
    return asyncio.run(NodeLines(node, CHAIN).line(LOT))


def contestable(node):
    return asyncio.run(NodeLines(node, CHAIN).contestable_until_ms(LOT, HEIGHT))


def test_facts_are_the_records_of_one_final_state(node):
    rig = LineRig()
    window = make_window(rig)
    rig.accept(window.claim)
    assert rig.facts.tips
    node.shown = line_view(rig.facts, 9)
    final = line(node)
    assert (final.height, final.facts) == (9, rig.facts)


def test_a_line_that_is_not_there_is_told_by_height(node):
    node.code = "unknown_line"
    final = line(node)
    assert (final.height, final.facts) == (0, None)


def test_a_node_of_another_chain_is_no_node(node):
    node.shown = replace(line_view(LineRig().facts, 9), chain_id=Hash(bytes(32)))
    with pytest.raises(NodeUnavailable):
        line(node)


@pytest.mark.parametrize("field", ["record", "rules"])
def test_records_that_can_not_be_read_are_no_facts(node, field):
    node.shown = replace(line_view(LineRig().facts, 9), **{field: b"\xc1"})
    with pytest.raises(NodeUnavailable):
        line(node)


@pytest.mark.parametrize("ask", [line, contestable])
def test_what_else_a_node_refuses_is_not_taken_for_an_answer(node, ask):
    node.code = "bad_line"
    with pytest.raises(Rejected):
        ask(node)


def proven(*, doubted, as_of_ms):
    return ProvenView(
        lot=LOT,
        line=LOT,
        mmu=LOT,
        from_ms=0,
        to_ms=1,
        readings_root=LOT,
        readings_count=1,
        attestors=(),
        contestable_until_ms=UNTIL_MS,
        doubted=doubted,
        as_of_ms=as_of_ms,
        record=b"",
    )


def test_a_lot_may_be_doubted_until_its_time_and_while_a_doubt_stands(node):
    node.shown = proven(doubted=False, as_of_ms=UNTIL_MS)
    assert contestable(node) == UNTIL_MS
    node.shown = proven(doubted=True, as_of_ms=UNTIL_MS)
    assert contestable(node) == UNTIL_MS + DAY_MS


def test_of_a_lot_that_no_window_proved_there_is_no_time(node):
    node.code = "unproven_lot"
    assert contestable(node) is None


def test_a_node_that_lags_says_nothing_of_a_lot_that_it_does_not_know(node):
    node.code = "unproven_lot"
    with pytest.raises(NodeUnavailable, match="is at block 0, 1 is final"):
        asyncio.run(NodeLines(node, CHAIN).contestable_until_ms(LOT, HEIGHT + 1))


def test_the_chain_is_asked_for_until_a_node_answers_or_it_is_to_end(node):
    async def run():
        ended = asyncio.Event()
        node.silence()
        going = asyncio.create_task(find_chain(node, ended))
        await asyncio.sleep(0)
        node.silence(False)
        assert await going == node.chain.chain_id
        ended.set()
        assert await find_chain(node, ended) is None

    asyncio.run(run())
