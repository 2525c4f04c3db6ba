"""The judge of windows: what honest readings prove, and what a claimant can't make of bad ones."""

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import (
    BrokenLink,
    UnheardDevice,
    UnreportedTamper,
)
from ledger.evidence import (
    check_window,
    claim_window,
    reach,
    trim_bundle,
)
from ledger.params import MARGIN_MS
from ledger.state.lines import LineDevice
from ledger.types.evidence import Instrument, MilkKind
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
        times = range(0, 180_001, 1_000)
        if device is old:
            times = range(0, 61_001 + MARGIN_MS, 1_000)
        if device is new:
            times = range(58_000, 180_001, 1_000)
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
    # The old one has said all that it had to, and nobody waits for more.
    assert claim.to_ms > START_MS + 61_000 + MARGIN_MS
    # The one step that neither of them saw from end to end, if there is any, and no more.
    assert claim.lost_steps <= 1_000


def test_a_new_device_that_loses_its_journal_does_not_stop_its_line() -> None:
    rig = LineRig()
    rig.run(60)
    rig.accept(claim_all(rig, to_ms=5_000))
    hold = rig.of(HOLD)
    assert rig.tips[hold.public].again
    lost = len(hold.envelopes)
    hold.restart(lost=True)
    rig.run(80, begin_ms=61_000)
    del hold.envelopes[:lost]
    claim = claim_all(rig)
    assert [each.broken for each in claim.devices if each.device == hold.public] == [True]
    # Nobody knows what it would have said since it was first heard.
    assert claim.intervals[0].from_ms == START_MS + 61_000
