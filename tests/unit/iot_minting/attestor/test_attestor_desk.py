"""The attestor's desk: one answer a claim, nothing signed that was not looked at, never back."""

import asyncio
import itertools

import pytest
from msgspec.structs import replace

from iot_minting.attestor import desk as desk_module
from iot_minting.attestor.desk import BEHIND_BLOCKS_MAX
from iot_minting.attestor.errors import (
    CallerBusy,
    ForeignAsker,
    JudgeFailed,
    NodeBehind,
    PassedWindow,
    TooHard,
    UnknownAsker,
    UnknownLineHere,
    WrongBundle,
)
from iot_minting.attestor.turns import EACH_MAX
from iot_minting.wire.windows import WindowRequest, asking_bytes
from ledger.evidence import evidence_root
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify
from ledger.primitives.merkle import merkle_root
from node.client.errors import NodeUnavailable
from tests.support.evidence.rig import CHAIN, MMU_KEY, START_MS
from tests.support.ledger.dairy import key
from tests.support.minting.desks import ATTESTOR, Bench
from tests.support.minting.windows import (
    Window,
    devices_of,
    make_window,
)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def window(bench):
    return make_window(bench.rig)


def test_a_window_that_its_readings_prove_is_signed(bench, window):
    given = bench.sign(window)
    root = evidence_root(ATTESTOR.public, window.envelopes)
    assert (given.attestor, given.evidence_root) == (ATTESTOR.public, root)
    assert verify(ATTESTOR.public, window.claim.signing_bytes(CHAIN, root), given.signature)
    assert window.claim.units > 0


def test_more_than_the_readings_prove_is_refused_with_a_signature(bench, window):
    more = window.but(units=window.claim.units + 1)
    given = bench.refuse(more)
    assert (given.attestor, given.lot, given.code) == (ATTESTOR.public, more.lot, "claim_differs")
    assert given.height == bench.facts.height
    assert verify(ATTESTOR.public, given.signing_bytes(CHAIN), given.signature)


def test_the_same_claim_has_the_same_answer_and_is_judged_once(bench, window):
    more = window.but(units=window.claim.units + 1)
    assert bench.answer(window) == bench.answer(window)
    assert bench.answer(more) == bench.answer(more)
    assert bench.judge.judged == 2


def test_answers_outlive_the_process(bench, window, tmp_path):
    more = window.but(units=window.claim.units + 1)
    before = bench.answer(window), bench.answer(more)
    again = Bench(tmp_path, bench.rig)
    assert (again.answer(window), again.answer(more)) == before
    assert again.judge.judged == 0
    again.store.close()


def test_what_was_signed_is_told_after_the_line_has_gone_on(bench, window):
    given = bench.answer(window)
    bench.rig.accept(window.claim)
    assert bench.answer(window) == given


def test_many_who_ask_at_once_have_one_judgement(bench, window):
    async def run():
        raw = window.request()
        return await asyncio.gather(*(bench.desk.answer(raw) for _ in range(EACH_MAX)))

    answers = asyncio.run(run())
    assert all(each == answers[0] for each in answers)
    assert bench.judge.judged == 1


def test_who_asks_too_much_at_once_is_sent_away(bench, window):
    async def run():
        raw = window.request()
        going = [bench.desk.answer(raw) for _ in range(EACH_MAX + 1)]
        return await asyncio.gather(*going, return_exceptions=True)

    answers = asyncio.run(run())
    assert sum(isinstance(each, CallerBusy) for each in answers) == 1
    assert bench.sign(window), "places come back"


def test_nobody_but_a_lines_own_mmu_asks_about_it(bench, window):
    """Else whoever heard a claim could use up what is done for its MMU."""
    with pytest.raises(ForeignAsker):
        bench.answer(window.request(asker=key("somebody")))
    asker = key("somebody").public
    claim, devices = window.claim, devices_of(window.bundle)
    signature = MMU_KEY.sign(asking_bytes(CHAIN, window.lot, 0))
    for forged in (
        WindowRequest(0, claim, asker, signature, devices),
        WindowRequest(1, claim, MMU_KEY.public, signature, devices),
        WindowRequest(0, window.but(units=1).claim, MMU_KEY.public, signature, devices),
    ):
        with pytest.raises(UnknownAsker):
            bench.answer(encode(forged))
    with pytest.raises(UnknownAsker):
        bench.answer(window.request(chain_id=Hash(bytes(32))))
    assert bench.judge.judged == 0
    assert bench.sign(window)


def test_other_envelopes_under_a_claim_are_never_a_refusal_of_it(bench, window):
    """Whoever knows a lot's claim could else have it refused by sending half of its readings."""
    flow = bench.rig.devices[0].public
    half = {**window.bundle, flow: window.bundle[flow][:-1]}
    with pytest.raises(WrongBundle):
        bench.answer(Window(window.claim, half))
    with pytest.raises(WrongBundle):
        bench.answer(Window(window.claim, {}))
    assert bench.sign(window)


def test_envelopes_under_a_foreign_key_are_not_the_claims(bench, window):
    first, second, *rest = sorted(window.bundle)
    joined = {first: (*window.bundle[first], *window.bundle[second])}
    joined |= {each: window.bundle[each] for each in rest}
    with pytest.raises(WrongBundle):
        bench.answer(Window(window.claim, joined))
    assert bench.judge.judged == 0


def forged(window, rig):
    """Claim a window of which one envelope's signature is not its device's."""
    flow = rig.devices[0].public
    bad = replace(window.bundle[flow][0], signature=bytes(64))
    bundle = {**window.bundle, flow: [bad, *window.bundle[flow][1:]]}
    lie = Window(window.claim, bundle)
    return lie.but(readings_root=merkle_root([each.digest() for each in lie.envelopes]))


def test_what_no_device_signed_is_refused_and_not_kept(bench, window):
    lie = forged(window, bench.rig)
    assert bench.refuse(lie).code == "unsigned_envelope"
    assert bench.store.bundle_count(lie.claim.readings_root) == 0
    assert bench.store.counts()["envelopes"] == 0


def test_the_evidence_of_an_answer_is_kept_in_order(bench, window):
    more = window.but(units=window.claim.units + 1)
    for each in (more, window):
        bench.answer(each)
        root, count = each.claim.readings_root, each.claim.readings_count
        assert bench.store.bundle_count(root) == count
        assert bench.store.bundle_page(root, 0) == [encode(e) for e in each.envelopes]
    assert bench.store.counts() == {
        "claims": 1,
        "refusals": 1,
        "envelopes": window.claim.readings_count,
    }


def test_a_claim_built_by_later_blocks_is_judged_anew_after_a_refusal(bench, window):
    """A refusal says by which blocks it was found; it bars nobody who knows of later ones."""
    device = bench.rig.devices[1].public
    sound = bench.rig.records[device]
    bench.rig.records[device] = replace(sound, stopped_ms=START_MS)
    assert bench.refuse(window, height=7).height == 7
    bench.rig.records[device] = sound
    assert bench.refuse(window, height=7), "nothing new is asked"
    bench.facts.height = 8
    assert bench.sign(window, height=8)


def test_a_node_that_lags_is_waited_for(bench, window, monkeypatch):
    monkeypatch.setattr(desk_module, "BEHIND_STEP_S", 0.001)
    heights = itertools.count(5)
    original = bench.facts.line

    async def rising(line):
        bench.facts.height = next(heights)
        return await original(line)

    bench.facts.line = rising
    assert bench.sign(window, height=9)
    assert bench.facts.height == 9


@pytest.mark.parametrize("ahead", [1, BEHIND_BLOCKS_MAX + 1])
def test_a_node_that_stays_behind_refuses_nothing(bench, window, monkeypatch, ahead):
    monkeypatch.setattr(desk_module, "BEHIND_S", 0.01)
    with pytest.raises(NodeBehind):
        bench.answer(window, height=bench.facts.height + ahead)
    assert bench.store.counts()["refusals"] == 0


def test_without_a_node_nothing_is_answered(bench, window):
    bench.facts.fault = NodeUnavailable("away")
    with pytest.raises(NodeBehind):
        bench.answer(window)


def test_a_line_that_the_chain_does_not_know_is_told(bench, window):
    with pytest.raises(UnknownLineHere):
        bench.answer(window.but(line=Hash(bytes(32))))


def test_a_window_after_the_lines_next_one_waits_for_our_node(bench, window):
    with pytest.raises(NodeBehind):
        bench.answer(window.but(from_ms=window.claim.from_ms + 1))


def test_a_window_that_the_line_has_passed_is_not_looked_at(bench, window):
    with pytest.raises(PassedWindow):
        bench.answer(window.but(from_ms=window.claim.from_ms - 1))
    assert bench.judge.judged == 0


def test_a_claim_that_was_lost_may_be_built_anew_from_the_same_time(bench, window):
    shorter = make_window(bench.rig, to_ms=START_MS + 20_000)
    assert shorter.lot != window.lot
    assert bench.sign(window)
    assert bench.sign(shorter)


def test_an_attestor_never_goes_back_even_if_its_node_does(bench, window):
    line, tips = bench.rig.line, dict(bench.rig.tips)
    first = make_window(bench.rig, to_ms=START_MS + 20_000)
    assert bench.sign(first)
    bench.rig.accept(first.claim)
    assert bench.sign(make_window(bench.rig))
    bench.rig.line, bench.rig.tips = line, tips
    with pytest.raises(PassedWindow):
        bench.answer(window)


@pytest.mark.parametrize("fault", [TooHard(60), JudgeFailed("it died")])
def test_without_a_verdict_nothing_is_signed_or_kept(bench, window, fault):
    bench.judge.fault = fault
    with pytest.raises(type(fault)):
        bench.answer(window)
    assert set(bench.store.counts().values()) == {0}
    bench.judge.fault = None
    assert bench.sign(window)
