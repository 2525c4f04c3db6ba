"""Laws of refutation: no reading refutes milk that the judge counts; each bad one refutes a lie."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.errors.doubt import NothingRefuted, UnclaimedReading
from ledger.evidence import claim_window, reach
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.context import Call
from ledger.rules.doubts import judged_by
from ledger.rules.refuting import check_refutation
from ledger.state.overlay import EMPTY, Overlay
from ledger.state.proven import ClaimedSpan, Proven, ProvenInterval
from ledger.state.records import Lot
from ledger.state.tables import DEVICES, LOTS, PROVEN
from ledger.types.doubt import RefuteLot
from ledger.types.evidence import MilkKind
from ledger.types.reading import Envelope
from ledger.types.window import Interval
from tests.support.evidence.rig import MMU, START_MS, LineRig
from tests.support.evidence.troubles import BAD, Trouble, build, shapes, troubles

LOT = ZERO_HASH
CALL = Call(Address(bytes(32)), 0, 0)


def proven_by(rig: LineRig, intervals: tuple[Interval, ...], to_ms: int) -> Overlay:
    """Give a state in which a lot counts intervals of a rig's readings, all of them claimed."""
    state = Overlay(EMPTY)
    lot = Lot(MilkKind.WHOLE, "plant", "line", MMU, Units(1), Units(1), to_ms, 1, ZERO_HASH)
    LOTS.put(state, lot, LOT)
    spans = []
    for device in rig.devices:
        DEVICES.put(state, rig.records[device.public], device.public)
        if device.envelopes:
            last = device.envelopes[-1].reading()
            known = ClaimedSpan(device.public, None, last.boot, last.seq, START_MS)
            begun = (rig.records[device.public].calibrated_from_ms,)
            spans.append(replace(known, calibrated_ms=begun))
    proven = Proven(
        line=ZERO_HASH, mmu=MMU, tank=ZERO_HASH, from_ms=START_MS, to_ms=to_ms,
        intervals=tuple(
            ProvenInterval(each.from_ms, each.to_ms, each.steps, Units(1)) for each in intervals
        ),
        spans=tuple(spans), readings_root=ZERO_HASH, readings_count=1, attestors=(), sources=(),
        judged_by=judged_by(rig.rules, rig.line, MilkKind.WHOLE), contestable_until_ms=2**53,
    )  # fmt: skip
    PROVEN.put(state, proven, LOT)
    return state


def refutes(state: Overlay, device: PublicKey, interval: int, *envelopes: Envelope) -> bool:
    try:
        check_refutation(state, CALL, RefuteLot(LOT, interval, device, envelopes))
    except (NothingRefuted, UnclaimedReading):
        return False
    return True


@given(shapes, troubles, st.floats(0.1, 1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_a_line_measured_refutes_what_the_judge_counts(
    shape: list[tuple[int, int, int]], bad: list[Trouble], part: float
) -> None:
    rig = build(shape, bad)
    facts, bundle = rig.facts, rig.bundle()
    reached_ms = reach(facts, bundle)
    times = [
        each.reading().t0_ms
        for each in rig.devices[0].envelopes
        if START_MS < each.reading().t0_ms <= reached_ms
    ]
    if not times:
        return
    to_ms = times[int(part * (len(times) - 1))]
    claim = claim_window(facts, bundle, MilkKind.WHOLE, to_ms)
    state = proven_by(rig, claim.intervals, to_ms)
    for device in rig.devices:
        for number in range(len(claim.intervals)):
            for envelope in device.envelopes:
                assert not refutes(state, device.public, number, envelope)
            for pair in zip(device.envelopes, device.envelopes[1:], strict=False):
                assert not refutes(state, device.public, number, *pair)


@given(shapes, troubles)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_bad_sample_refutes_an_interval_that_has_it(
    shape: list[tuple[int, int, int]], bad: list[Trouble]
) -> None:
    rig = build(shape, bad)
    to_ms = START_MS + 80_000
    state = proven_by(rig, (Interval(START_MS, to_ms, 1),), to_ms)
    for device in rig.devices:
        for envelope in device.envelopes:
            reading = envelope.reading()
            samples = [(reading.t0_ms + offset, value) for offset, value in reading.samples]
            if any(at <= to_ms and value == BAD.get(device.instrument) for at, value in samples):
                assert refutes(state, device.public, 0, envelope)
