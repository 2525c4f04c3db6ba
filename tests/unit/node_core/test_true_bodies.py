"""What passes as the body of a block, and when: whatever was executed before, whoever's clock."""

import pytest
from msgspec.structs import replace

from consensus.effects import Build, Check
from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.scalars import View
from ledger.types.block import decode_block
from node.core.application import CLOCK_DRIFT_MS, BlockFault, EarlyBlock, Prepared
from node.core.verifier import Verifier
from tests.support.ledger.dairy import Dairy
from tests.support.node.cluster import Cluster


class Pair:
    """A node that makes a block, and one that judges what comes under its hash."""

    def __init__(self, *, ahead_ms: int = 0) -> None:
        dairy = Dairy()
        net = Cluster(dairy.genesis, dairy.validator_keys, Params())
        machine, self.clock_ms = net.nodes[0].machine, net.now_ms
        leads = (View(v) for v in range(1, 100))
        plan = machine.application.plan
        self.view = next(v for v in leads if plan.schedule.leader(v) == machine.engine.me)
        self.parent = machine.application.tip.hash
        build, clock_ms = Build(self.view, View(0), self.parent), net.now_ms + ahead_ms
        made = machine.application.prepare(build, machine.mempool, clock_ms, net.drawer(0))
        assert made is not None
        self.made: Prepared = made
        self.judge = net.nodes[1].machine.application

    def offer(self, payload: bytes, *, is_certified: bool = False) -> None:
        """Judge a body as a node does that is asked to; raise `BlockFault` unless it is good."""
        check = Check(self.view, View(0), self.parent, self.made.hash, payload, is_certified)
        parsed = self.judge.parse(payload, check.block_hash)
        assert self.judge.unverified(parsed, Verifier()) == []
        self.judge.check_header(parsed, check, self.clock_ms)
        self.judge.execute(parsed)


def test_garbage_is_no_body_even_of_a_block_that_was_executed() -> None:
    pair = Pair()
    for _ in range(2):
        with pytest.raises(BlockFault, match="does not decode"):
            pair.offer(b"garbage")
        pair.offer(pair.made.raw)


def test_another_body_under_an_executed_header_is_not_the_body() -> None:
    pair = Pair()
    pair.offer(pair.made.raw)
    block = decode_block(pair.made.raw)
    other = encode(replace(block, transactions=(*block.transactions, b"\x90")))
    with pytest.raises(BlockFault):
        pair.offer(other)


def test_a_block_from_the_future_is_early_until_a_quorum_stands_behind_it() -> None:
    pair = Pair(ahead_ms=CLOCK_DRIFT_MS + 500)
    with pytest.raises(EarlyBlock):
        pair.offer(pair.made.raw)
    pair.offer(pair.made.raw, is_certified=True)
