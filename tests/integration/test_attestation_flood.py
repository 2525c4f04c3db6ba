"""A licensed plant that floods its attestors: it fills its own place, and another's milk is signed.

Real stores and judges: only the chain is a rig that says what it is told.
"""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from iot_minting.attestor import quotas
from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.errors import CallerBusy, QueueFull, QuotaFull, Unjudged
from iot_minting.attestor.facts import FinalFacts
from iot_minting.attestor.judge_process import JudgePool
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.quotas import LINE_CLAIMS_MAX
from iot_minting.attestor.store import AttestorStore
from iot_minting.attestor.turns import EACH_MAX, JUDGES_MAX, WAITING_MAX
from ledger.params import DAY_MS
from ledger.primitives.keys import address_of
from tests.support.evidence.rig import CHAIN, MMU, MMU_KEY, START_MS, LineRig
from tests.support.ledger.dairy import key
from tests.support.minting.desks import ATTESTOR, NOW_MS
from tests.support.minting.windows import InlineJudge, make_window

OTHER = key("another mmu")
FLOODERS = 6
WINDOW_S = 20
WINDOWS = 8


class TwoLines:
    """What a node would say of two MMUs' lines."""

    def __init__(self, *rigs):
        self.rigs = {rig.facts.line_id: rig for rig in rigs}
        self.minted = {}

    async def line(self, line):
        return FinalFacts(1, self.rigs[line].facts)

    async def contestable_until_ms(self, lot, height):
        return self.minted.get(lot)


class Watched:
    """A judge that notes whose claim it begins with, in order."""

    def __init__(self, judge):
        self._judge, self.begun, self.busy = judge, [], asyncio.Event()

    async def judge(self, asked):
        self.begun.append(asked.facts.line.mmu)
        self.busy.set()
        return await self._judge.judge(asked)


class Flooded:
    """An attestor, a plant that floods it, and another whose line runs on honestly."""

    def __init__(self, home, judge):
        self.judge = Watched(judge)
        self.store = AttestorStore(home / "attestor.sqlite")
        self.bad, self.good = LineRig(), LineRig(first_seed=120)
        self.good.line = replace(
            self.good.line, plant="other", name="other", mmu=address_of(OTHER.public)
        )
        self.facts = TwoLines(self.bad, self.good)
        self.desk = AttestorDesk(
            ATTESTOR,
            CHAIN,
            self.store,
            self.facts,
            self.judge,
            AttestorMetrics(),
            now_ms=lambda: NOW_MS,
            retention_ms=30 * DAY_MS,
            store_bytes_max=2**40,
        )
        self.window = make_window(self.bad)
        self.good.run(WINDOW_S * (WINDOWS + 2))

    async def flood(self, first, window=None, asker=MMU_KEY):
        """Ask for one variant after another, each a little less than it counts, for ever."""
        less, window = first, window or self.window
        while True:
            less += FLOODERS
            variant = window.but(units=window.claim.units - less)
            try:
                await self.desk.answer(variant.request(asker=asker))
            except Unjudged:
                await asyncio.sleep(0.001)

    @asynccontextmanager
    async def flooding(self, more=0):
        going = [asyncio.create_task(self.flood(number)) for number in range(FLOODERS)]
        for other in range(more):
            window, asker = self.another(other)
            flood = (self.flood(number, window, asker) for number in range(FLOODERS))
            going.extend(map(asyncio.create_task, flood))
        try:
            yield
        finally:
            for each in going:
                each.cancel()
            await asyncio.gather(*going, return_exceptions=True)

    def another(self, number):
        """Let another MMU join the flood: give its window, and its key."""
        asker, rig = key(f"flooding mmu {number}"), LineRig()
        name = f"flooding {number}"
        rig.line = replace(rig.line, plant=name, name=name, mmu=address_of(asker.public))
        window = make_window(rig)
        self.facts.rigs[rig.facts.line_id] = rig
        return window, asker

    async def mint(self, number, *, again_s=0.0):
        """Have the honest line's next window signed, and minted; tell who was judged meanwhile.

        Where all places are taken it asks again, after a while.
        """
        before = len(self.judge.begun)
        window = make_window(self.good, to_ms=START_MS + WINDOW_S * 1_000 * (number + 1))
        while True:
            try:
                given = await self.desk.answer(window.request(asker=OTHER))
                break
            except QueueFull:
                assert again_s, "it was told to come again"
                await asyncio.sleep(again_s)
        assert given.attestation, given.refusal
        self.facts.minted[window.lot] = NOW_MS + 14 * DAY_MS
        self.good.accept(window.claim)
        return self.judge.begun[before:]


@pytest.fixture
def flooded(tmp_path):
    made = Flooded(tmp_path, InlineJudge())
    yield made
    made.store.close()


def test_a_plant_that_asks_for_thousands_of_variants_fills_its_own_place_alone(flooded):
    async def run():
        refused = 0
        for less in range(2_000):
            variant = flooded.window.but(units=flooded.window.claim.units - less)
            try:
                await flooded.desk.answer(variant.request(asker=MMU_KEY))
            except QuotaFull:
                refused += 1
        assert refused == 2_000 - LINE_CLAIMS_MAX
        assert len(flooded.judge.begun) == LINE_CLAIMS_MAX, "no more of them was judged"
        for number in range(WINDOWS):
            await flooded.mint(number)
        # Its line goes on: all that was asked for in vain is gone, and what was minted is kept.
        flooded.facts.minted[flooded.window.lot] = NOW_MS + 14 * DAY_MS
        flooded.bad.accept(flooded.window.claim)
        await flooded.desk.keeping.sweep()

    asyncio.run(run())
    assert flooded.store.counts()["claims"] == 1 + WINDOWS
    assert flooded.store.bundle_count(flooded.window.claim.readings_root)


def test_alternative_readings_by_the_megabyte_stop_at_the_bound(flooded, monkeypatch):
    """A plant has the keys of its instruments: each variant may bring envelopes of its own."""
    weights = []

    async def run():
        for number in range(50):
            rig = LineRig()
            rig.run(200 + number, size=1)
            window = make_window(rig)
            weights.append(quotas.weigh(window.envelopes))
            monkeypatch.setattr(quotas, "LINE_BYTES_MAX", 4 * weights[0])
            await flooded.desk.answer(window.request(asker=MMU_KEY))

    empty_bytes = flooded.store.size_bytes()
    with pytest.raises(QuotaFull, match="LINE_BYTES_MAX"):
        asyncio.run(run())
    # The last may begin while there is room, so there is one more at most.
    line, _ = flooded.store.held(flooded.bad.facts.line_id, MMU)
    assert line.weight_bytes <= 4 * weights[0] + max(weights)
    assert flooded.store.size_bytes() - empty_bytes <= line.weight_bytes


def test_a_flood_neither_slows_nor_starves_anothers_milk(tmp_path):
    """With real judges: the flood has one of them at a time, whatever it asks."""

    async def run():
        pool = JudgePool(JUDGES_MAX)
        flooded = Flooded(tmp_path, pool)
        try:
            async with flooded.flooding():
                await flooded.judge.busy.wait()
                for number in range(WINDOWS):
                    judged = await flooded.mint(number)
                    begun = judged.index(flooded.good.line.mmu)
                    # What was under way, and what was next: no more of it comes before.
                    assert judged[:begun].count(MMU) <= EACH_MAX
                assert flooded.judge.begun.count(MMU), "it did flood"
        finally:
            await pool.end()
            flooded.store.close()

    asyncio.run(run())


@pytest.mark.parametrize("mmus", [WAITING_MAX, 2 * WAITING_MAX])
def test_as_many_floods_as_places_let_anothers_milk_be_signed(tmp_path, mmus):
    """Of each no more than two come before it: what was under way, and its next turn."""

    async def run():
        pool = JudgePool(JUDGES_MAX)
        flooded = Flooded(tmp_path, pool)
        try:
            async with flooded.flooding(more=mmus - 1):
                await flooded.judge.busy.wait()
                for number in range(WINDOWS):
                    judged = await flooded.mint(number, again_s=0.05)
                    before = Counter(judged[: judged.index(flooded.good.line.mmu)])
                    assert max(before.values(), default=0) <= EACH_MAX
            assert len(set(flooded.judge.begun)) == mmus + 1, "they all did flood"
        finally:
            await pool.end()
            flooded.store.close()

    asyncio.run(run())


def test_a_flood_of_one_caller_is_told_to_wait_for_its_answers(tmp_path):
    async def run():
        flooded = Flooded(tmp_path, InlineJudge())
        going = [
            flooded.desk.answer(
                flooded.window.but(units=flooded.window.claim.units - less).request(asker=MMU_KEY)
            )
            for less in range(10)
        ]
        answers = await asyncio.gather(*going, return_exceptions=True)
        assert sum(isinstance(each, CallerBusy) for each in answers) == 10 - EACH_MAX
        flooded.store.close()

    asyncio.run(run())
