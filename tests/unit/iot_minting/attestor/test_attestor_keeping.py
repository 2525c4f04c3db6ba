"""Evidence is kept as long as somebody may doubt, within bounds, and then forgotten."""

import pytest

from iot_minting.attestor.desk import LOOK_AGAIN_MS
from iot_minting.attestor.errors import (
    StoreFull,
)
from ledger.params import DAY_MS
from node.client.errors import NodeUnavailable
from tests.support.evidence.rig import START_MS
from tests.support.minting.desks import NOW_MS, RETENTION_MS, Bench
from tests.support.minting.windows import (
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
