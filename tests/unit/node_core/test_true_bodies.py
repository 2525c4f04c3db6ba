"""What passes as the body of a block, and when: whatever was executed before, whoever's clock."""

from msgspec.structs import replace

from consensus.effects import Build, Check
from consensus.events import Verdict
from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.scalars import View
from ledger.types.block import decode_block
from node.core.application import CLOCK_DRIFT_MS, Prepared
from tests.support.ledger.dairy import Dairy
from tests.support.node.cluster import Cluster


class Pair:
    """A node that makes a block, and one that judges what comes under its hash."""

    def __init__(self, *, ahead_ms: int = 0) -> None:
        dairy = Dairy()
        net = Cluster(dairy.genesis, dairy.validator_keys, Params())
        maker, self.judge = net.nodes[0], net.nodes[1]
        machine = maker.machine
        leads = (View(v) for v in range(1, 100))
        plan = machine.application.plan
        self.view = next(v for v in leads if plan.schedule.leader(v) == machine.engine.me)
        self.parent = machine.application.tip.hash
        build = Build(self.view, View(0), self.parent)
        made = machine.application.prepare(build, machine.mempool, net.now_ms + ahead_ms)
        assert made is not None
        self.made: Prepared = made
        self.verdicts: list[Verdict] = []
        self.judge.machine._clock_ms = net.now_ms
        self.judge.machine._answer = self._note  # type: ignore[method-assign]  # Its verdicts.

    def _note(self, check: Check, verdict: Verdict, why: str) -> None:
        self.verdicts.append(verdict)

    def offer(self, payload: bytes, *, is_certified: bool = False) -> Verdict:
        check = Check(self.view, View(0), self.parent, self.made.hash, payload, is_certified)
        self.judge.machine._check(check)
        return self.verdicts[-1]


def test_garbage_is_no_body_even_of_a_block_that_was_executed() -> None:
    pair = Pair()
    assert pair.offer(b"garbage") is Verdict.INVALID
    assert pair.offer(pair.made.raw) is Verdict.VALID
    assert pair.offer(b"garbage") is Verdict.INVALID
    assert pair.offer(pair.made.raw) is Verdict.VALID


def test_another_body_under_an_executed_header_is_not_the_body() -> None:
    pair = Pair()
    assert pair.offer(pair.made.raw) is Verdict.VALID
    block = decode_block(pair.made.raw)
    other = encode(replace(block, transactions=(*block.transactions, b"\x90")))
    assert pair.offer(other) is Verdict.INVALID


def test_a_block_from_the_future_is_early_until_a_quorum_stands_behind_it() -> None:
    pair = Pair(ahead_ms=CLOCK_DRIFT_MS + 500)
    assert pair.offer(pair.made.raw) is Verdict.EARLY
    assert pair.offer(pair.made.raw, is_certified=True) is Verdict.VALID
