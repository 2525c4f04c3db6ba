"""Laws of windows: any cutting of the same readings counts the same steps, and no freedom adds one.

The readings are a line's that runs well and badly by turns: cold, warm, diverted and silent for
times that cross every limit of the law, by instruments out of step that cut their envelopes each in
its own way.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors.bundle import BundleFault
from ledger.evidence import check_window, claim_window, reach, trim_bundle
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import START_MS, LineRig
from tests.support.evidence.troubles import KINDS, Trouble, build, shapes, troubles

cuts = st.lists(st.floats(0.02, 0.9), max_size=5)


def claim_up_to(rig: LineRig, to_ms: int) -> WindowClaim:
    """Claim a window, let an attestor check it, and move the line on."""
    facts, bundle = rig.facts, rig.bundle()
    claim = claim_window(facts, bundle, MilkKind.WHOLE, to_ms)
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    rig.accept(claim)
    return claim


def flow_samples(rig: LineRig) -> list[int]:
    readings = [each.reading() for each in rig.of(Instrument.FLOW_METER).envelopes]
    return sorted({r.t0_ms + offset for r in readings for offset, _ in r.samples})


@given(shapes, troubles, cuts)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_cutting_of_the_same_readings_counts_the_same(
    shape: list[tuple[int, int, int]], bad: list[Trouble], where: list[float]
) -> None:
    whole, cut = build(shape, bad), build(shape, bad)
    end_ms = reach(whole.facts, whole.bundle())
    if end_ms == START_MS:
        return
    one = claim_up_to(whole, end_ms)
    times = [at for at in flow_samples(cut) if START_MS < at < end_ms]
    ends = [*sorted({times[int(part * len(times))] for part in where if times}), end_ms]
    parts = [claim_up_to(cut, at) for at in ends]
    assert sum(each.counted_steps for each in parts) == one.counted_steps
    assert sum(each.diverted_steps for each in parts) == one.diverted_steps
    assert sum(each.lost_steps for each in parts) == one.lost_steps


@given(shapes, troubles, st.sets(st.integers(0, len(KINDS) - 1)), st.floats(0.1, 1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_who_withholds_readings_counts_no_more(
    shape: list[tuple[int, int, int]], bad: list[Trouble], mute: set[int], keep: float
) -> None:
    rig = build(shape, bad)
    facts, bundle = rig.facts, rig.bundle()
    end_ms = reach(facts, bundle)
    if end_ms == START_MS:
        return
    honest = claim_window(facts, bundle, MilkKind.WHOLE, end_ms).counted_steps
    silent = {rig.devices[number].public for number in mute}
    for key in silent:
        bundle[key] = bundle[key][: int(len(bundle[key]) * keep)]
    linked = {key for key in silent if bundle[key]}
    try:
        claim = claim_window(facts, bundle, MilkKind.WHOLE, end_ms, silent=linked)
    except BundleFault:
        return
    # A device that was never shown is not missed yet: it can hide here what it never said.
    if all(bundle[key] for key in silent):
        assert claim.counted_steps <= honest


@given(shapes, troubles, st.integers(0, len(KINDS) - 1), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_envelope_left_out_is_never_overlooked(
    shape: list[tuple[int, int, int]], bad: list[Trouble], number: int, data: st.DataObject
) -> None:
    rig = build(shape, bad)
    facts, bundle = rig.facts, rig.bundle()
    end_ms = reach(facts, bundle)
    if end_ms == START_MS:
        return
    honest = claim_window(facts, bundle, MilkKind.WHOLE, end_ms)
    key = rig.devices[number].public
    trimmed = trim_bundle(facts, bundle, honest)[key]
    if len(trimmed) < 3:
        return
    gone = data.draw(st.integers(1, len(trimmed) - 2))
    del bundle[key][bundle[key].index(trimmed[gone])]
    with pytest.raises(BundleFault):
        claim_window(facts, bundle, MilkKind.WHOLE, end_ms)
