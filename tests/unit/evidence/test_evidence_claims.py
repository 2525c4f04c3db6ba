"""Claims against their readings: what is more than they prove is refused, what is less is good."""

from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import (
    BundleFault,
    ClaimDiffers,
    UnfitWindow,
    UnsignedEnvelope,
)
from ledger.evidence import (
    JudgedWindow,
    check_window,
    claim_window,
    evidence_root,
    trim_bundle,
)
from ledger.params import DAY_MS
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.window import INTERVALS_MAX, Interval
from tests.support.evidence.rig import START_MS, LineRig, good_value
from tests.support.evidence.windows import between, but, claim_all

MILLILITRE = 1_000
MINUTE = 60_000
FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


def test_a_claim_of_more_is_refused() -> None:
    rig = LineRig()
    rig.run(120, value=but(HOLD, between(40_000, 41_000, 70_000)))
    claim = claim_all(rig)
    facts = rig.facts
    bundle = trim_bundle(facts, rig.bundle(), claim)
    first, second = claim.intervals
    whole = replace(first, to_ms=second.to_ms, steps=first.steps + second.steps)
    wrong = [
        replace(claim, units=claim.units + 1),
        replace(claim, intervals=(whole,)),
        replace(
            claim,
            intervals=(replace(first, steps=first.steps + 1), second),
            counted_steps=claim.counted_steps + 1,
            lost_steps=claim.lost_steps - 1,
        ),
        replace(claim, lost_steps=claim.lost_steps - 1, diverted_steps=1),
        replace(claim, lost_steps=claim.lost_steps - 1, cleaning_steps=1),
        replace(claim, lost_steps=0),
        replace(claim, expires_ms=claim.expires_ms + 1),
        replace(claim, readings_count=claim.readings_count + 1),
        replace(claim, readings_root=b"x" * 32),
        replace(claim, devices=claim.devices[:-1]),
        replace(
            claim, devices=(replace(claim.devices[0], worst=None, end=None), *claim.devices[1:])
        ),
    ]
    for each in wrong:
        with pytest.raises(ClaimDiffers):
            check_window(facts, each, bundle)


def test_a_claim_of_less_is_good() -> None:
    rig = LineRig()
    rig.run(120)
    facts, bundle = rig.facts, rig.bundle()

    def less(window: JudgedWindow) -> list[Interval]:
        (whole,) = window.intervals()
        return [Interval(whole.from_ms, whole.to_ms, 10_000)]

    claim = claim_window(facts, bundle, MilkKind.WHOLE, START_MS + MINUTE, choose=less)
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    assert (claim.counted_steps, claim.lost_steps) == (10_000, 50_000)


def test_intervals_hold_what_counts_each_once_and_nothing_else() -> None:
    """Shown as a gateway would that lies about them alone: each device's worst is that of these."""
    rig = LineRig()
    rig.run(120, value=but(HOLD, between(40_000, 50_000, 70_000)))
    facts, bundle = rig.facts, rig.bundle()
    first, second = claim_all(rig).intervals
    whole = replace(first, to_ms=second.to_ms, steps=first.steps + second.steps)
    again = Interval(first.to_ms - 5_000, first.to_ms, 5_000)
    wrong = {
        "twice": (first, again, second),
        "across the cold": (whole,),
        "what rose before": (first, replace(second, steps=second.steps + 1)),
        "what rose after": (replace(first, steps=first.steps + 1), second),
    }
    for told, intervals in wrong.items():
        lie = claim_window(
            facts, bundle, MilkKind.WHOLE, claim_all(rig).to_ms, choose=lambda _, i=intervals: i
        )
        assert lie.lost_steps >= 0, told
        with pytest.raises(ClaimDiffers, match="interval"):
            check_window(facts, lie, trim_bundle(facts, bundle, lie))


def test_counted_steps_are_those_of_the_intervals() -> None:
    rig = LineRig()
    rig.run(120, value=but(HOLD, between(40_000, 50_000, 70_000)))
    claim = claim_all(rig)
    more = replace(claim, counted_steps=claim.counted_steps + 1, lost_steps=claim.lost_steps - 1)
    with pytest.raises(ClaimDiffers, match="counted_steps"):
        check_window(rig.facts, more, trim_bundle(rig.facts, rig.bundle(), more))


def test_milk_keeps_for_half_of_its_days_at_least() -> None:
    rig = LineRig()
    rig.run(60)
    claim = claim_all(rig)
    half_ms = rig.rules.shelf_days[MilkKind.WHOLE] * DAY_MS // 2
    for early, fits in ((0, True), (1, False)):
        short = replace(claim, expires_ms=claim.intervals[0].from_ms + half_ms - early)
        with nullcontext() if fits else pytest.raises(ClaimDiffers, match="expires_ms"):
            check_window(rig.facts, short, trim_bundle(rig.facts, rig.bundle(), short))


def test_of_more_intervals_than_a_claim_lists_the_largest_are_claimed() -> None:
    rig = LineRig()
    cold = lambda at: 70_000 if at % 4_000 == 0 and at != 200_000 else None  # noqa: E731
    rig.run(320, value=but(HOLD, cold))
    claim = claim_all(rig)
    assert len(claim.intervals) == INTERVALS_MAX
    assert max(each.steps for each in claim.intervals) == 6_000


def test_another_window_or_end_is_refused() -> None:
    rig = LineRig()
    rig.run(120)
    facts, bundle = rig.facts, rig.bundle()
    for to_ms in (START_MS, START_MS + 500):
        with pytest.raises(UnfitWindow):
            claim_window(facts, bundle, MilkKind.WHOLE, to_ms)
    claim = claim_window(facts, bundle, MilkKind.WHOLE, START_MS + MINUTE)
    with pytest.raises(UnfitWindow):
        check_window(facts, replace(claim, from_ms=claim.from_ms + 1), bundle)
    with pytest.raises(UnfitWindow):
        check_window(facts, replace(claim, line=b"l" * 32), trim_bundle(facts, bundle, claim))


def test_a_foreign_signature_is_no_reading() -> None:
    rig = LineRig()
    rig.run(120)
    bundle = rig.bundle()
    key = rig.of(HOLD).public
    bundle[key][2] = replace(bundle[key][2], signature=bytes(64))
    with pytest.raises(UnsignedEnvelope):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + MINUTE)


def test_cleaning_needs_a_gauge_that_does_not_fall() -> None:
    def value(instrument: Instrument, at_ms: int) -> int:
        if instrument is HOLD:
            return 30_000
        if instrument is GAUGE:
            return 10_000_000 - max(0, at_ms - 60_000)
        return good_value(instrument, at_ms)

    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE)
    rig.run(120, value=value)
    claim = claim_all(rig, cleaning=True)
    assert (claim.cleaning_steps, claim.counted_steps) == (60_000, 0)
    plain = LineRig()
    plain.run(120, value=but(HOLD, lambda at: 30_000))
    assert claim_all(plain, cleaning=True).cleaning_steps == 0


def test_nobody_signs_for_envelopes_by_copying_anothers_root() -> None:
    rig = LineRig()
    rig.run(60)
    envelopes = rig.of(FLOW).envelopes
    one, other = (rig.devices[i].public for i in (0, 1))
    assert evidence_root(one, envelopes) != evidence_root(other, envelopes)
    assert evidence_root(one, envelopes) != evidence_root(one, envelopes[:-1])


def test_faults_tell_what_and_where() -> None:
    rig = LineRig()
    rig.run(120)
    bundle = rig.bundle()
    bundle[rig.of(HOLD).public] = bundle[rig.of(HOLD).public][:5]
    with pytest.raises(BundleFault, match=rig.of(HOLD).public.hex()):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + MINUTE)
