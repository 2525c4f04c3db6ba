"""The attestor's desk: one answer a claim, nothing signed that was not looked at, never back."""

import asyncio
import itertools

import pytest
from msgspec.structs import replace

from iot_minting.attestor import desk as desk_module
from iot_minting.attestor import judging
from iot_minting.attestor.desk import BEHIND_BLOCKS_MAX, LOOK_AGAIN_MS, WAITING_MAX, AttestorDesk
from iot_minting.attestor.errors import (
    BadRequest,
    JudgeFailed,
    MissingEnvelopes,
    NodeBehind,
    PassedWindow,
    QueueFull,
    StoreFull,
    TooHard,
    UnknownLineHere,
    WrongBundle,
)
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.store import AttestorStore
from iot_minting.wire.windows import DeviceBundle, KeptRange, WindowRequest
from ledger.evidence import evidence_root
from ledger.params import DAY_MS
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify
from ledger.primitives.merkle import merkle_root
from node.client.errors import NodeUnavailable
from tests.support.evidence.rig import CHAIN, START_MS, LineRig
from tests.support.ledger.dairy import key
from tests.support.minting.windows import (
    InlineJudge,
    RigFacts,
    Window,
    devices_of,
    make_window,
    named,
)

ATTESTOR = key("attestor-0")
RETENTION_MS = 30 * DAY_MS
NOW_MS = START_MS + DAY_MS


class Bench:
    """A desk over a real store, with a judge that can be watched."""

    def __init__(self, home, rig=None, store_bytes_max=2**40):
        self.rig = rig or LineRig()
        self.store = AttestorStore(home / "attestor.sqlite")
        self.store_bytes_max = store_bytes_max
        self.facts, self.judge, self.now_ms = RigFacts(self.rig), InlineJudge(), NOW_MS
        self.desk = AttestorDesk(
            ATTESTOR,
            self.store,
            self.facts,
            self.judge,
            AttestorMetrics(),
            now_ms=lambda: self.now_ms,
            retention_ms=RETENTION_MS,
            store_bytes_max=store_bytes_max,
        )

    def answer(self, window, height=0):
        raw = window if isinstance(window, bytes) else window.request(height)
        return asyncio.run(self.desk.answer(raw))

    def sign(self, window, height=0):
        given = self.answer(window, height)
        assert given.refusal is None, given.refusal
        return given.attestation

    def refuse(self, window, height=0):
        given = self.answer(window, height)
        assert given.attestation is None
        return given.refusal

    def tidy_up(self):
        asyncio.run(self.desk.tidy_up())


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
        return await asyncio.gather(*(bench.desk.answer(raw) for _ in range(WAITING_MAX)))

    answers = asyncio.run(run())
    assert all(each == answers[0] for each in answers)
    assert bench.judge.judged == 1


def test_who_finds_the_queue_full_is_sent_away(bench, window):
    async def run():
        raw = window.request()
        going = [bench.desk.answer(raw) for _ in range(WAITING_MAX + 1)]
        return await asyncio.gather(*going, return_exceptions=True)

    answers = asyncio.run(run())
    assert sum(isinstance(each, QueueFull) for each in answers) == 1
    assert bench.sign(window), "places come back"


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


def test_named_envelopes_are_taken_from_what_is_kept(bench):
    rig = bench.rig
    rig.run(60)
    first = make_window(rig, to_ms=START_MS + 20_000)
    bench.sign(first)
    longer = make_window(rig)
    devices = []
    for device in sorted(longer.bundle):
        held = len(first.bundle[device])
        assert 0 < held < len(longer.bundle[device])
        parts = longer.bundle[device]
        devices.append(DeviceBundle(device, named(parts[:held]), tuple(parts[held:])))
    request = WindowRequest(0, longer.claim, tuple(devices))
    assert bench.answer(encode(request)).attestation


def test_named_envelopes_that_are_not_kept_are_told_by_number(bench, window):
    device, *others = devices_of(window.bundle)
    cut = DeviceBundle(device.device, named(device.envelopes), ())
    request = WindowRequest(0, window.claim, (cut, *others))
    with pytest.raises(MissingEnvelopes) as told:
        bench.answer(encode(request))
    assert told.value.missing == tuple(
        (device.device, 0, seq) for seq in range(len(device.envelopes))
    )


@pytest.mark.parametrize("kept", [KeptRange(0, 5, 4), KeptRange(0, 0, 2**53)])
def test_ranges_that_run_backwards_or_for_ever_are_refused(bench, window, kept):
    part = DeviceBundle(min(window.bundle), (kept,), ())
    with pytest.raises(BadRequest):
        bench.answer(encode(WindowRequest(0, window.claim, (part,))))


def test_of_a_number_that_a_device_signed_twice_neither_is_meant(bench, window):
    bench.sign(window)
    twin = make_window(LineRig(), seconds=61)
    device = min(window.bundle)
    again = [e for e in twin.bundle[device] if e not in window.bundle[device]]
    assert again, "the last envelope has a second more"
    reading = again[0].reading()
    bench.refuse(twin.but(units=0, expires_ms=0))
    assert len(bench.store.numbered(device, reading.boot, reading.seq)) == 2
    part = DeviceBundle(device, (KeptRange(reading.boot, reading.seq, reading.seq),), ())
    with pytest.raises(MissingEnvelopes):
        bench.answer(encode(WindowRequest(0, window.but(units=1).claim, (part,))))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x00\x01\x02", bytes(1_000), b"\xdd" * 40])
def test_garbage_is_no_request(bench, raw):
    with pytest.raises(BadRequest):
        bench.answer(raw)


def test_a_request_has_one_spelling(bench, window):
    raw = window.request()
    assert raw[1] == 0, "the height"
    with pytest.raises(BadRequest):
        bench.answer(raw[:1] + b"\xcc\x00" + raw[2:])


def test_devices_stand_in_order_each_once(bench, window):
    devices = devices_of(window.bundle)
    for wrong in (devices[::-1], (devices[0], devices[0])):
        with pytest.raises(BadRequest):
            bench.answer(encode(WindowRequest(0, window.claim, wrong)))


def test_a_bomb_of_samples_is_not_judged(bench, window, monkeypatch):
    shown = sum(len(each.reading().samples) for each in window.envelopes)
    monkeypatch.setattr(judging, "WINDOW_SAMPLES_MAX", shown - 1)
    with pytest.raises(BadRequest):
        bench.answer(window)
    monkeypatch.setattr(judging, "WINDOW_SAMPLES_MAX", shown)
    assert bench.sign(window)


def test_a_bomb_of_envelopes_is_not_judged(bench, window, monkeypatch):
    monkeypatch.setattr(judging, "ENVELOPES_MAX", window.claim.readings_count - 1)
    with pytest.raises(BadRequest):
        bench.answer(window)
    assert bench.judge.judged == 0


@pytest.mark.parametrize("fault", [TooHard(60), JudgeFailed("it died")])
def test_without_a_verdict_nothing_is_signed_or_kept(bench, window, fault):
    bench.judge.fault = fault
    with pytest.raises(type(fault)):
        bench.answer(window)
    assert set(bench.store.counts().values()) == {0}
    bench.judge.fault = None
    assert bench.sign(window)


def test_a_full_store_takes_nothing_more_and_forgets_nothing(tmp_path):
    full = Bench(tmp_path, store_bytes_max=1)
    with pytest.raises(StoreFull):
        full.answer(make_window(full.rig))
    full.store.close()


def test_evidence_is_kept_as_long_as_its_lot_may_be_doubted(bench, window):
    bench.sign(window)
    contestable_ms = NOW_MS + 14 * DAY_MS
    bench.facts.contestable[window.lot] = contestable_ms
    for bench.now_ms in (NOW_MS, NOW_MS + LOOK_AGAIN_MS, contestable_ms - 1):
        bench.tidy_up()
        assert bench.store.attestation(window.lot)
        assert bench.store.bundle_count(window.claim.readings_root)
    bench.now_ms = contestable_ms
    bench.tidy_up()
    assert bench.store.attestation(window.lot) is None
    assert set(bench.store.counts().values()) == {0}


def test_a_doubt_that_is_open_keeps_the_evidence(bench, window):
    bench.sign(window)
    bench.facts.contestable[window.lot] = NOW_MS + 14 * DAY_MS
    bench.now_ms = NOW_MS + LOOK_AGAIN_MS
    bench.tidy_up()
    bench.facts.contestable[window.lot] = NOW_MS + 20 * DAY_MS
    bench.now_ms = NOW_MS + 14 * DAY_MS
    bench.tidy_up()
    assert bench.store.attestation(window.lot)


def test_nothing_is_kept_longer_than_the_bound(bench, window):
    bench.sign(window)
    bench.refuse(window.but(units=window.claim.units + 1))
    bench.facts.contestable[window.lot] = 2**53
    bench.now_ms = NOW_MS + LOOK_AGAIN_MS
    bench.tidy_up()
    bench.now_ms = NOW_MS + RETENTION_MS
    bench.tidy_up()
    assert set(bench.store.counts().values()) == {0}


def test_evidence_of_a_lost_claim_goes_at_the_bound(bench, window):
    bench.sign(window)
    for day in range(1, 30):
        bench.now_ms = NOW_MS + day * DAY_MS
        bench.tidy_up()
        assert bench.store.attestation(window.lot)
    bench.now_ms = NOW_MS + RETENTION_MS
    bench.tidy_up()
    assert bench.store.attestation(window.lot) is None


def test_without_a_node_all_evidence_stays(bench, window):
    bench.sign(window)
    bench.now_ms, bench.facts.fault = NOW_MS + 2 * RETENTION_MS, NodeUnavailable("away")
    with pytest.raises(NodeUnavailable):
        bench.tidy_up()
    assert bench.store.attestation(window.lot)


def test_evidence_that_two_windows_share_goes_with_the_last(bench):
    rig = bench.rig
    rig.run(60)
    first, longer = make_window(rig, to_ms=START_MS + 20_000), make_window(rig)
    bench.sign(first)
    bench.sign(longer)
    bench.facts.contestable = {first.lot: NOW_MS + 14 * DAY_MS, longer.lot: NOW_MS + 15 * DAY_MS}
    for bench.now_ms in (NOW_MS + LOOK_AGAIN_MS, NOW_MS + 14 * DAY_MS):
        bench.tidy_up()
    assert bench.store.bundle_count(first.claim.readings_root) == 0
    assert bench.store.bundle_count(longer.claim.readings_root) == longer.claim.readings_count
