"""A device's chain to the judge: what is no link of it, and what may hide between two samples."""

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import BrokenLink, UnsignedEnvelope
from ledger.evidence import claim_window
from ledger.params import MARGIN_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import Unit, sign_reading
from tests.support.evidence.rig import CHAIN, START_MS, LineRig, good_value
from tests.support.evidence.windows import but, claim_all

FLOW, HOLD, VALVE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)


def good(kind: Instrument, begin: int, end: int) -> list[tuple[int, int]]:
    return [(at * 1_000, good_value(kind, at * 1_000)) for at in range(begin, end + 1)]


def test_a_reading_of_another_by_its_own_words_is_not_the_devices() -> None:
    rig = LineRig()
    rig.run(60)
    hold = rig.of(HOLD)
    posing = replace(hold.envelopes[2].reading(), device=rig.of(VALVE).public)
    hold.envelopes[2] = sign_reading(posing, CHAIN, hold.key)
    with pytest.raises(UnsignedEnvelope):
        claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, START_MS + 30_000)


@pytest.mark.parametrize(("boot", "seq"), [(0, 0), (1, 5)])
def test_only_a_later_boot_begins_a_chain_and_with_its_first(boot: int, seq: int) -> None:
    rig = LineRig()
    rig.run(80)
    rig.accept(claim_all(rig))
    hold = rig.of(HOLD)
    rig.run(60, begin_ms=81_000)
    hold.boot, hold.seq, hold.previous, hold.carried = boot, seq, ZERO_HASH, None
    bundle = rig.bundle()
    hold.envelopes.clear()
    hold.measure(good(HOLD, 81, 140))
    bundle[hold.public] = hold.envelopes
    with pytest.raises(BrokenLink):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + 110_000)


@pytest.mark.parametrize(("boots", "numbers"), [(0, 1), (1, 3)])
def test_no_number_is_left_out_though_each_names_the_one_before(boots: int, numbers: int) -> None:
    """Who could sign it later would have a reading that the attestors never saw."""
    rig = LineRig()
    rig.run(60)
    hold = rig.of(HOLD)
    hold.boot, hold.seq = hold.boot + boots, numbers + (0 if boots else hold.seq)
    rig.run(60, begin_ms=61_000)
    with pytest.raises(BrokenLink):
        claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, START_MS + 90_000)


def test_what_is_to_be_shown_again_is_shown_again() -> None:
    rig = LineRig()
    rig.run(60)
    rig.accept(claim_all(rig, to_ms=5_000))
    bundle = rig.bundle()
    assert rig.tips[rig.of(HOLD).public].again
    del bundle[rig.of(HOLD).public][0]
    with pytest.raises(BrokenLink):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + 30_000)


def test_a_step_that_took_no_time_counts_nothing() -> None:
    rig = LineRig()
    for device in rig.devices:
        if device.instrument is FLOW:
            later = [(at, value + 1) for at, value in good(FLOW, 60, 120)]
            device.measure(good(FLOW, 0, 60) + later)
        else:
            device.measure(good(device.instrument, 0, 120))
    assert claim_all(rig).lost_steps == 1


@pytest.mark.parametrize("kind", [FLOW, HOLD, VALVE])
def test_between_envelopes_that_share_no_sample_nothing_counts(kind: Instrument) -> None:
    """However near they stand: who signs so may hide what was between."""
    rig = LineRig()
    for device in rig.devices:
        device.measure(good(device.instrument, 0, 60))
        if device.instrument is kind:
            device.carried = None
        device.measure(good(device.instrument, 61, 120))
    assert claim_all(rig).lost_steps == 1_000


def test_a_total_below_zero_counts_nothing() -> None:
    rig = LineRig()
    rig.run(120, value=but(FLOW, lambda at: at - 60_000))
    claim = claim_all(rig)
    # An envelope with one of them measures nothing, and what follows it at once is too near.
    assert (claim.lost_steps, claim.intervals[0].from_ms) == (1_000, START_MS + 70_000)


@pytest.mark.parametrize(
    ("ahead", "lost"), [((1, 1), 0), ((2, 2), 1_002), ((1, 2), 2_002), ((-500, 1), 1_501)]
)
def test_a_meter_runs_one_step_ahead_of_its_line_and_all_that_ran_ahead_is_lost(
    ahead: tuple[int, int], lost: int
) -> None:
    """Steps beyond a litre a second, its limit, from 41 s on and from 42 s on."""
    first, later = ahead
    rig = LineRig(flow_max_l_per_h=3_600)
    fast = lambda at: at + (0 if at <= 40_000 else first if at <= 41_000 else later)  # noqa: E731
    rig.run(120, value=but(FLOW, fast))
    assert claim_all(rig).lost_steps == lost


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (HOLD, {"version": 1}),
        (HOLD, {"tamper": True}),
        (HOLD, {"stream": "other"}),
        (HOLD, {"unit": "other"}),
        (HOLD, {"samples": ((0, 74_500), (500, 74_500), (499, 74_500))}),
        (FLOW, {"unit": Unit.MICROLITRE}),
    ],
)
def test_what_is_no_measurement_proves_nothing_of_its_time(
    kind: Instrument, fields: dict[str, object]
) -> None:
    """An envelope that links as it should, and whose samples would be good."""
    for odd, lost in (({}, 0), (fields, 2_000)):
        rig = LineRig()
        for device in rig.devices:
            device.measure(good(device.instrument, 0, 60))
            if device.instrument is kind:
                device.sign([(60_500, good_value(kind, 60_500))])
                reading = replace(device.envelopes[-1].reading(), **odd)
                device.envelopes[-1] = sign_reading(reading, CHAIN, device.key)
                device.previous = device.envelopes[-1].digest()
            device.measure(good(device.instrument, 61, 120))
        # A report that the regulator looked into long ago.
        record = rig.records[rig.of(kind).public]
        rig.records[rig.of(kind).public] = replace(record, cleared=(9, 9))
        assert claim_all(rig).lost_steps == lost


def test_of_two_samples_at_one_time_the_bad_one_speaks() -> None:
    rig = LineRig()
    for device in rig.devices:
        samples = good(device.instrument, 0, 120)
        if device.instrument is HOLD:
            samples.insert(40, (40_000, 60_000))
        device.measure(samples)
    assert claim_all(rig).lost_steps == 2_000


def test_a_silence_after_a_clock_was_set_back_is_as_long_as_the_device_says() -> None:
    rig = LineRig()
    hold = rig.of(HOLD)
    for device in rig.devices:
        last_ms = 60_000 if device is hold else 120_000
        times = range(0, last_ms + 1, 1_000)
        device.measure([(at, good_value(device.instrument, at)) for at in times])
    hold.carried = None
    for times in (range(50_000, 59_001, 1_000), range(61_500, 120_001, 500)):
        hold.measure([(at, good_value(HOLD, at)) for at in times])
    claim = claim_all(rig)
    unseen = START_MS + 60_000, START_MS + 61_500
    assert all(each.to_ms <= unseen[0] or each.from_ms >= unseen[1] for each in claim.intervals)


def test_a_window_is_done_with_what_ends_at_its_margin() -> None:
    rig = LineRig()
    rig.run(120)
    end_ms = rig.of(HOLD).envelopes[1].reading().last_ms
    claim = claim_all(rig, to_ms=end_ms - START_MS + MARGIN_MS)
    assert {each.last.reading().last_ms for each in claim.devices if each.last} == {end_ms}
