"""A plant that fills an attestor's disk with refusals, until no other plant's window is judged."""

import pytest
from msgspec.structs import replace

from iot_minting.attestor import store as store_module
from ledger.primitives.merkle import merkle_root
from tests.support.minting.desks import Bench
from tests.support.minting.windows import Window, make_window

KEPT = 5


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MMU_REFUSALS_MAX", KEPT)
    made = Bench(tmp_path)
    yield made
    made.store.close()


def shortened(window, count):
    """A claim over the same readings without the last few of a device."""
    first = min(window.bundle)
    bundle = {**window.bundle, first: window.bundle[first][:-count]}
    leaves = [each.digest() for key in sorted(bundle) for each in bundle[key]]
    claim = replace(window.claim, readings_root=merkle_root(leaves), readings_count=len(leaves))
    return Window(claim, bundle)


def test_refusals_over_ever_other_readings_take_no_more_than_their_place(bench):
    window = make_window(bench.rig, 200)
    bench.sign(window)
    asked = [shortened(window, count) for count in range(1, 13)]
    for each in asked:
        bench.refuse(each)
    bench.sweep()
    kept = [bool(bench.store.bundle_count(each.claim.readings_root)) for each in asked]
    assert kept == [False] * (len(asked) - KEPT) + [True] * KEPT
    assert bench.store.counts()["refusals"] == KEPT
    assert bench.store.bundle_count(window.claim.readings_root)


def test_a_refusal_that_made_room_is_judged_anew(bench):
    window = make_window(bench.rig, 60)
    asked = [window.but(units=window.claim.units + more) for more in range(1, KEPT + 2)]
    for each in asked:
        bench.refuse(each)
    judged = bench.judge.judged
    assert bench.refuse(asked[0]).code == "claim_differs"
    assert bench.judge.judged == judged + 1
    assert bench.refuse(asked[-1]).code == "claim_differs"
    assert bench.judge.judged == judged + 1
