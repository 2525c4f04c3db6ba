"""The judge of windows: what honest readings prove, and what a claimant can't make of bad ones."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import (
    BrokenLink,
    BundleFault,
    ClaimDiffers,
    UnfitWindow,
    UnheardDevice,
    UnreportedTamper,
    UnsignedEnvelope,
)
from ledger.evidence import (
    JudgedWindow,
    check_window,
    claim_window,
    evidence_root,
    reach,
    trim_bundle,
)
from ledger.params import MARGIN_MS
from ledger.state.lines import LineDevice
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from ledger.types.window import Interval, WindowClaim
from tests.support.evidence.rig import START_MS, LineRig, good_value

MILLILITRE = 1_000
MINUTE = 60_000
FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


def claim_all(rig: LineRig, to_ms: int | None = None, **freedom: object) -> WindowClaim:
    facts, bundle = rig.facts, rig.bundle()
    end_ms = reach(facts, bundle) if to_ms is None else START_MS + to_ms
    claim = claim_window(facts, bundle, MilkKind.WHOLE, end_ms, **freedom)  # type: ignore[arg-type]
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    return claim


def but(kind: Instrument, wrong: Callable[[int], int | None]) -> Callable[[Instrument, int], int]:
    """Let one instrument show something else at times."""

    def value(instrument: Instrument, at_ms: int) -> int:
        found = wrong(at_ms) if instrument is kind else None
        return good_value(instrument, at_ms) if found is None else found

    return value


def between(since_ms: int, until_ms: int, shown: int) -> Callable[[int], int | None]:
    return lambda at_ms: shown if since_ms <= at_ms < until_ms else None


def test_good_milk_counts_whole_up_to_the_margin() -> None:
    rig = LineRig()
    rig.run(120)
    claim = claim_all(rig)
    assert claim.to_ms == START_MS + 2 * MINUTE - MARGIN_MS
    assert claim.units == (2 * MINUTE - MARGIN_MS) * MILLILITRE
    assert [each.steps for each in claim.intervals] == [claim.counted_steps]
    assert (claim.diverted_steps, claim.lost_steps, claim.cleaning_steps) == (0, 0, 0)


def test_instruments_out_of_step_prove_as_much() -> None:
    rig = LineRig()
    rig.run(120, skew_ms=230, every_ms=700)
    claim = claim_all(rig)
    # The others begin up to 690 ms after the flow meter, whose first step nobody watched.
    assert claim.lost_steps == 700
    assert claim.counted_steps + 700 == claim.to_ms - START_MS


@pytest.mark.parametrize(
    ("kind", "shown"), [(HOLD, 73_000), (OUTLET, 4_000), (HOLD, -300_000), (OUTLET, -300_000)]
)
def test_a_bad_sample_voids_what_is_beside_it(kind: Instrument, shown: int) -> None:
    rig = LineRig()
    rig.run(120, value=but(kind, between(40_000, 40_001, shown)))
    claim = claim_all(rig)
    assert claim.lost_steps == 2_000
    assert next(each.to_ms - START_MS for each in claim.intervals) == 39_000


def test_cold_milk_sent_forward_voids_a_quarter_minute_either_side() -> None:
    rig = LineRig()
    rig.run(120, value=but(HOLD, between(50_000, 55_000, 60_000)))
    claim = claim_all(rig)
    first, second = claim.intervals
    # Cold from the last good sample to the next: 49 to 55 s; and 15 s around that.
    assert (first.to_ms - START_MS, second.from_ms - START_MS) == (34_000, 70_000)


def test_cold_milk_that_was_diverted_in_time_voids_nothing_else() -> None:
    def value(instrument: Instrument, at_ms: int) -> int:
        if instrument is HOLD and 50_000 <= at_ms < 60_000:
            return 60_000
        if instrument is VALVE and 49_000 <= at_ms < 62_000:
            return 0
        return good_value(instrument, at_ms)

    rig = LineRig()
    rig.run(120, value=value)
    claim = claim_all(rig)
    assert claim.diverted_steps == 12_000
    assert next(each.to_ms - START_MS for each in claim.intervals) == 48_000
    assert claim.lost_steps == 2_000


@pytest.mark.parametrize("kind", [FLOW, HOLD, OUTLET, VALVE])
def test_a_silence_counts_for_nothing(kind: Instrument) -> None:
    rig = LineRig()
    for device in rig.devices:
        quiet = range(30_000, 33_000) if device.instrument is kind else range(0)
        device.measure(
            [
                (at, good_value(device.instrument, at))
                for at in range(0, 120_001, 1_000)
                if at not in quiet
            ]
        )
    claim = claim_all(rig)
    assert claim.lost_steps == 4_000


def test_a_rate_over_the_lines_limit_voids_its_stretch() -> None:
    rig = LineRig(flow_max_l_per_h=3_600)
    faster = lambda at: at if at <= 40_000 else at + 500  # noqa: E731
    rig.run(120, value=but(FLOW, faster))
    claim = claim_all(rig)
    assert claim.lost_steps == 1_500
    assert len(claim.intervals) == 2


def test_a_reset_counts_from_its_first_sample() -> None:
    rig = LineRig()
    rig.run(120, value=but(FLOW, lambda at: at if at < 40_000 else at - 40_000))
    claim = claim_all(rig)
    assert claim.lost_steps == 0
    assert claim.counted_steps == claim.to_ms - START_MS - 1_000


def test_an_envelope_left_out_breaks_the_link() -> None:
    rig = LineRig()
    rig.run(120)
    bundle = rig.bundle()
    del bundle[rig.of(HOLD).public][3]
    with pytest.raises(BrokenLink):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + MINUTE)


def test_a_tail_left_out_is_a_device_unheard() -> None:
    rig = LineRig()
    rig.run(120)
    bundle = rig.bundle()
    bundle[rig.of(HOLD).public] = bundle[rig.of(HOLD).public][:5]
    with pytest.raises(UnheardDevice):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + MINUTE)


def test_a_device_called_silent_watched_nothing_near_its_last_word() -> None:
    rig = LineRig()
    rig.run(120)
    bundle = rig.bundle()
    hold = rig.of(HOLD).public
    bundle[hold] = bundle[hold][:5]
    claim = claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + MINUTE, silent={hold})
    check_window(rig.facts, claim, trim_bundle(rig.facts, bundle, claim))
    last_ms = bundle[hold][-1].reading().last_ms
    assert claim.intervals[-1].to_ms <= last_ms - MARGIN_MS


def test_a_restart_sheds_nothing() -> None:
    rig = LineRig()
    rig.run(40)
    rig.of(HOLD).restart()
    rig.run(80, begin_ms=41_000, value=good_value)
    claim = claim_all(rig)
    assert claim.lost_steps == 0


def test_a_lost_journal_proves_nothing_across_the_break() -> None:
    rig = LineRig()
    rig.run(60)
    rig.accept(claim_all(rig))
    rig.of(HOLD).restart(lost=True)
    rig.run(80, begin_ms=61_000)
    hold = rig.of(HOLD)
    bundle = rig.bundle()
    # The part between its tip and the break is lost with the journal.
    bundle[hold.public] = [e for e in bundle[hold.public] if e.reading().boot == 1]
    claim = claim_window(rig.facts, bundle, MilkKind.WHOLE, reach(rig.facts, bundle))
    [shown] = [each for each in claim.devices if each.device == hold.public]
    assert shown.broken
    assert claim.intervals[0].from_ms == START_MS + 61_000


def test_a_spare_that_was_never_heard_is_not_missed_but_once_heard_it_judges() -> None:
    rig = LineRig(FLOW, HOLD, HOLD, OUTLET, VALVE)
    spare = rig.devices[2]
    for device in rig.devices:
        if device is not spare:
            device.measure(
                [(at, good_value(device.instrument, at)) for at in range(0, 120_001, 1_000)]
            )
    claim = claim_all(rig)
    assert claim.lost_steps == 0
    spare.measure([(at, 20_000) for at in range(60_000, 120_001, 1_000)])
    assert claim_all(rig).intervals[-1].to_ms <= START_MS + 60_000 - 15_000


def test_a_spare_shown_once_can_not_be_left_out_again() -> None:
    rig = LineRig(FLOW, HOLD, HOLD, OUTLET, VALVE)
    rig.run(60)
    rig.accept(claim_all(rig, to_ms=5_000))
    assert {each.public for each in rig.devices} == set(rig.tips)


def test_tampering_must_be_reported_before_anything_is_claimed() -> None:
    rig = LineRig()
    rig.run(60)
    rig.of(OUTLET).sign([(60_500, 3_000)], tamper=True)
    rig.run(60, begin_ms=61_000)
    with pytest.raises(UnreportedTamper):
        claim_all(rig)
    outlet = rig.of(OUTLET).public
    rig.records[outlet] = replace(rig.records[outlet], stopped_ms=START_MS + 60_000)
    assert claim_all(rig).intervals[-1].to_ms < START_MS + 60_000


def test_a_stopped_or_uncalibrated_device_watches_nothing() -> None:
    rig = LineRig()
    rig.run(120)
    hold = rig.of(HOLD).public
    for change in (
        {"stopped_ms": START_MS + 30_000},
        {"calibrated_until_ms": START_MS + 30_000},
    ):
        rig.records[hold] = replace(rig.records[hold], **change)  # type: ignore[arg-type]
        assert claim_all(rig).intervals[-1].to_ms < START_MS + 30_000


def test_an_exchange_of_a_watcher_resets_nothing() -> None:
    rig = LineRig(FLOW, HOLD, HOLD, OUTLET, VALVE)
    old, new = rig.devices[1], rig.devices[2]
    for device in rig.devices:
        times = range(0, 120_001, 1_000)
        if device is old:
            times = range(0, 81_001, 1_000)
        if device is new:
            times = range(58_000, 120_001, 1_000)
        device.measure([(at, good_value(device.instrument, at)) for at in times])
    spans = {
        old.public: (START_MS, START_MS + 60_000),
        new.public: (START_MS + 60_000, 2**53),
    }
    rig.line = replace(
        rig.line,
        devices=tuple(
            LineDevice(each.device, *spans.get(each.device, (each.from_ms, each.until_ms)))
            for each in rig.line.devices
        ),
    )
    claim = claim_all(rig)
    # The one step that neither of them saw from end to end, if there is any, and no more.
    assert claim.lost_steps <= 1_000


def exchanged_flow_meter() -> LineRig:
    """Let one flow meter leave after a minute, and another, which counted before, take over."""
    rig = LineRig(FLOW, FLOW, HOLD, OUTLET, VALVE)
    old, new = rig.devices[:2]
    for device in rig.devices:
        times = range(0, 61_001 if device is old else 150_001, 1_000)
        offset = 7_000_000 if device is new else 0
        device.measure([(at, offset + good_value(device.instrument, at)) for at in times])
    left_ms = START_MS + 60_500
    spans = {old.public: (START_MS, left_ms), new.public: (left_ms, 2**53)}
    devices = tuple(
        LineDevice(each.device, *spans.get(each.device, (each.from_ms, each.until_ms)))
        for each in rig.line.devices
    )
    rig.line = replace(rig.line, devices=devices)
    return rig


def test_an_exchanged_flow_meter_hands_over_and_its_own_past_is_no_loss() -> None:
    rig = exchanged_flow_meter()
    old = rig.devices[0].public
    assert reach(rig.facts, rig.bundle()) < START_MS + 60_500
    end_ms = reach(rig.facts, rig.bundle(), {old})
    assert end_ms == START_MS + 60_500
    first = claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, end_ms, silent={old})
    check_window(rig.facts, first, trim_bundle(rig.facts, rig.bundle(), first))
    rig.accept(first)
    second = claim_all(rig)
    assert second.to_ms == START_MS + 150_000 - MARGIN_MS
    # The step that was under way when it took over, and no more.
    assert second.lost_steps == 1_000


def test_a_silent_flow_meter_does_not_hold_its_line() -> None:
    rig = LineRig()
    flow = rig.of(FLOW)
    for device in rig.devices:
        times = range(0, 30_001 if device is flow else 120_001, 1_000)
        device.measure([(at, good_value(device.instrument, at)) for at in times])
    end_ms = reach(rig.facts, rig.bundle(), {flow.public})
    assert end_ms == START_MS + 120_000 - MARGIN_MS
    claim = claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, end_ms, silent={flow.public})
    check_window(rig.facts, claim, trim_bundle(rig.facts, rig.bundle(), claim))
    assert claim.intervals[-1].to_ms <= START_MS + 30_000 - MARGIN_MS
    everyone = {device.public for device in rig.devices}
    assert reach(rig.facts, rig.bundle(), everyone) == START_MS


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


def vat(drained_from_ms: int, drained_l: int, *, hot_ms: int = 1_805_000) -> LineRig:
    """Heat a vat of 100 L for a time, then drain it at a litre a second."""

    def value(instrument: Instrument, at_ms: int) -> int:
        flowed = min(max(0, at_ms - drained_from_ms), drained_l * 1_000)
        match instrument:
            case Instrument.FLOW_METER:
                return flowed
            case Instrument.HOLD_THERMOMETER:
                return 63_500 if at_ms <= hot_ms else 40_000
            case Instrument.TANK_GAUGE:
                return 100_000 - min(flowed, 100_000)
            case _:
                return good_value(instrument, at_ms)

    rig = LineRig(
        FLOW,
        HOLD,
        OUTLET,
        VALVE,
        GAUGE,
        process=HeatProcess.BATCH,
        flow_max_l_per_h=0,
        vat_units=100_000_000,
    )
    rig.run(2_100, value=value, size=60)
    return rig


def test_a_vat_counts_what_it_held_once_its_half_hour_is_over() -> None:
    assert claim_all(vat(1_810_000, 90)).counted_steps == 90_000


def test_a_vat_gives_no_more_than_it_holds() -> None:
    assert claim_all(vat(1_810_000, 150)).counted_steps == 100_000


def test_a_vat_that_drains_too_early_or_was_cold_gives_nothing() -> None:
    assert claim_all(vat(1_700_000, 90)).counted_steps == 0
    assert claim_all(vat(1_810_000, 90, hot_ms=1_700_000)).counted_steps == 0


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
