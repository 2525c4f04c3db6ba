"""Evidence is kept as long as somebody may doubt, within bounds, and then forgotten."""

import asyncio
import sqlite3

import pytest

from iot_minting.attestor import quotas
from iot_minting.attestor.errors import NodeBehind, QuotaFull, StoreFull
from iot_minting.attestor.quotas import ENVELOPE_ROW_BYTES, Held, check_quota
from iot_minting.attestor.store import AttestorStore
from iot_minting.errors import Misconfigured
from ledger.params import DAY_MS
from node.client.errors import NodeUnavailable
from tests.support.evidence.rig import MMU, START_MS
from tests.support.minting.desks import NOW_MS, RETENTION_MS, Bench
from tests.support.minting.windows import make_window

CONTESTABLE_MS = NOW_MS + 14 * DAY_MS


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def window(bench):
    return make_window(bench.rig, 90)


def minted(bench, window, until_ms=CONTESTABLE_MS):
    """Let a window that was signed be minted, and the desk hear of it."""
    bench.facts.contestable[window.lot] = until_ms
    bench.rig.accept(window.claim)
    bench.sweep()


def variants(bench, window, count):
    """Ask for variants of a window, each a little less than it counts; give them."""
    asked = [window.but(units=window.claim.units - less) for less in range(1, count + 1)]
    for each in asked:
        bench.sign(each)
    return asked


def test_a_full_store_takes_nothing_more_and_forgets_nothing(tmp_path):
    full = Bench(tmp_path, store_bytes_max=1)
    with pytest.raises(StoreFull):
        full.answer(make_window(full.rig))
    full.store.close()


def test_evidence_is_kept_as_long_as_its_lot_may_be_doubted(bench, window):
    bench.sign(window)
    minted(bench, window)
    for bench.now_ms in (NOW_MS, NOW_MS + DAY_MS, CONTESTABLE_MS - 1):
        bench.sweep()
        assert bench.store.attestation(window.lot)
        assert bench.store.bundle_count(window.claim.readings_root)
    bench.now_ms = CONTESTABLE_MS
    bench.sweep()
    assert bench.store.attestation(window.lot) is None
    # What the next window follows stays: the last of each device.
    assert bench.store.counts() == {"claims": 0, "refusals": 0, "envelopes": len(bench.rig.tips)}


def test_a_doubt_that_is_open_keeps_the_evidence_however_long(bench, window):
    bench.sign(window)
    minted(bench, window)
    bench.facts.contestable[window.lot] = NOW_MS + 2 * RETENTION_MS
    bench.now_ms = NOW_MS + RETENTION_MS
    bench.sweep()
    assert bench.store.attestation(window.lot)
    assert bench.store.bundle_count(window.claim.readings_root)


def test_what_was_never_minted_and_what_was_refused_go_at_the_bound(bench, window):
    bench.sign(window)
    bench.refuse(window.but(units=window.claim.units + 1))
    bench.now_ms = NOW_MS + RETENTION_MS - 1
    bench.sweep()
    assert bench.store.attestation(window.lot)
    assert bench.store.counts()["refusals"] == 1
    bench.now_ms += 1
    bench.sweep()
    assert set(bench.store.counts().values()) == {0}


def test_what_a_line_has_passed_is_forgotten_and_what_was_minted_of_it_is_not(bench, window):
    shorter = make_window(bench.rig, to_ms=START_MS + 20_000)
    for each in (shorter, window, *variants(bench, window, 3)):
        bench.sign(each)
    assert bench.store.counts()["claims"] == 5
    minted(bench, shorter)
    assert bench.store.counts() == {
        "claims": 1, "refusals": 0, "envelopes": shorter.claim.readings_count
    }  # fmt: skip
    assert bench.store.attestation(shorter.lot)
    assert bench.store.bundle_count(window.claim.readings_root) == 0


def test_what_a_line_may_still_take_is_kept(bench, window):
    asked = variants(bench, window, 3)
    bench.sweep()
    assert all(bench.store.attestation(each.lot) for each in asked)


def test_an_attestor_goes_not_back_behind_what_it_forgot(bench, window):
    """Its node may forget blocks; what was signed, and dropped, stays signed."""
    line, tips = bench.rig.line, dict(bench.rig.tips)
    first = make_window(bench.rig, to_ms=START_MS + 20_000)
    bench.sign(first)
    minted(bench, first)
    second = make_window(bench.rig)
    bench.sign(second)
    minted(bench, second, until_ms=NOW_MS)
    assert bench.store.attestation(second.lot) is None
    bench.rig.line, bench.rig.tips = line, tips
    assert bench.store.latest_from_ms(bench.rig.facts.line_id) == second.claim.from_ms


def test_without_a_node_all_evidence_stays(bench, window):
    bench.sign(window)
    bench.now_ms, bench.facts.fault = NOW_MS + 2 * RETENTION_MS, NodeUnavailable("away")
    with pytest.raises(NodeUnavailable):
        bench.sweep()
    assert bench.store.attestation(window.lot)


def test_evidence_that_two_windows_share_goes_with_the_last(bench):
    rig = bench.rig
    rig.run(60)
    first, longer = make_window(rig, to_ms=START_MS + 20_000), make_window(rig)
    bench.sign(first)
    bench.sign(longer)
    minted(bench, longer)
    assert bench.store.bundle_count(first.claim.readings_root) == 0
    assert bench.store.bundle_count(longer.claim.readings_root) == longer.claim.readings_count
    assert bench.store.counts()["envelopes"] == longer.claim.readings_count


# Quotas.


def test_claims_that_wait_to_be_minted_are_few(bench, window, monkeypatch):
    monkeypatch.setattr(quotas, "LINE_CLAIMS_MAX", 3)
    variants(bench, window, 3)
    with pytest.raises(QuotaFull) as told:
        bench.answer(window)
    assert "3 claims of this line" in str(told.value)
    assert "LINE_CLAIMS_MAX is 3" in str(told.value)
    assert bench.judge.judged == 3
    # What was signed is told all the same.
    assert bench.sign(window.but(units=window.claim.units - 1))


def test_a_line_that_has_gone_on_makes_room_at_once(bench, window, monkeypatch):
    """Nobody waits for a sweep: what can't be minted any more is let go as the bound is met."""
    monkeypatch.setattr(quotas, "LINE_CLAIMS_MAX", 3)
    first = make_window(bench.rig, to_ms=START_MS + 20_000)
    bench.sign(first)
    variants(bench, window, 2)
    bench.facts.contestable[first.lot] = CONTESTABLE_MS
    bench.rig.accept(first.claim)
    assert bench.sign(make_window(bench.rig))
    assert bench.store.counts()["claims"] == 2


def test_a_quota_that_is_full_without_a_node_says_so(bench, window, monkeypatch):
    monkeypatch.setattr(quotas, "LINE_CLAIMS_MAX", 1)
    variants(bench, window, 1)
    settled = bench.facts.line
    asked = iter([None, NodeUnavailable("away")])

    async def line(name):
        if (fault := next(asked)) is not None:
            raise fault
        return await settled(name)

    bench.facts.line = line
    with pytest.raises(NodeBehind):
        bench.answer(window)


@pytest.mark.parametrize(
    ("line", "mmu", "bound"),
    [
        (Held(quotas.LINE_CLAIMS_MAX, 0), Held(0, 0), "LINE_CLAIMS_MAX"),
        (Held(0, quotas.LINE_BYTES_MAX), Held(0, 0), "LINE_BYTES_MAX"),
        (Held(0, 0), Held(quotas.MMU_CLAIMS_MAX, 0), "MMU_CLAIMS_MAX"),
        (Held(0, 0), Held(0, quotas.MMU_BYTES_MAX), "MMU_BYTES_MAX"),
    ],
)
def test_every_bound_is_named_to_whom_it_stops(line, mmu, bound):
    with pytest.raises(QuotaFull, match=bound):
        check_quota(line, mmu)
    less = [Held(max(0, each.claims - 1), max(0, each.weight_bytes - 1)) for each in (line, mmu)]
    check_quota(*less)


def test_what_is_kept_takes_no_more_room_than_it_was_weighed_for(bench, tmp_path):
    rig = bench.rig
    rig.run(2_000, size=1)
    empty_bytes = bench.store.size_bytes()
    for to_s in (500, 1_000, 1_900):
        bench.sign(make_window(rig, to_ms=START_MS + to_s * 1_000))
    line, mmu = bench.store.held(rig.facts.line_id, MMU)
    assert line == mmu
    grown_bytes = bench.store.size_bytes() - empty_bytes
    assert line.weight_bytes >= grown_bytes
    # And not many times more, where nothing is shared.
    [alone] = [make_window(rig, to_ms=START_MS + 1_900_000)]
    assert alone.claim.readings_count * ENVELOPE_ROW_BYTES < 2 * grown_bytes


def test_refusals_of_an_mmus_claims_take_no_more_than_their_place(bench, window, monkeypatch):
    from iot_minting.attestor import store

    monkeypatch.setattr(store, "MMU_REFUSALS_MAX", 2)
    lies = [window.but(units=window.claim.units + more) for more in (1, 2, 3)]
    for each in lies:
        bench.refuse(each)
    kept = [refused.lot for _, refused in bench.store.refusals(2**53, 10)]
    assert kept == [lies[2].lot, lies[1].lot]
    monkeypatch.setattr(store, "MMU_REFUSAL_BYTES_MAX", 1)
    bench.refuse(window.but(units=window.claim.units + 4))
    assert bench.store.counts()["refusals"] == 1


def test_a_store_of_another_layout_is_refused(tmp_path):
    path = tmp_path / "attestor.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE claims (lot BLOB)")
    db.close()
    with pytest.raises(Misconfigured, match="layout 0"):
        AttestorStore(path)


def test_what_a_node_that_lags_does_not_know_is_kept(bench, window):
    bench.sign(window)
    bench.rig.accept(window.claim)

    async def lags(lot, height):
        assert (lot, height) == (window.lot, bench.facts.height)
        raise NodeUnavailable("a node lags")

    bench.facts.contestable_until_ms = lags
    with pytest.raises(NodeUnavailable):
        asyncio.run(bench.desk.keeping.sweep())
    assert bench.store.attestation(window.lot)
