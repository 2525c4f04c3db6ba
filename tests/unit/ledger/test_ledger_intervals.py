"""What counts in a window is watched, good and within the line's rate; each step has one fate."""

import pytest
from msgspec.structs import replace

from ledger.params import MARGIN_MS, WATCH_GAP_MS
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, LINES
from ledger.types.evidence import HeatProcess, MilkKind
from ledger.types.reading import Unit, sign_reading
from ledger.types.vat import GaugeLow, VatState
from ledger.types.window import Interval
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import PLACES, START_MS, Counted, WindowTown, with_device

FLOW, HOLD, OUTLET, VALVE = PLACES


@pytest.fixture
def town():
    return Counted()


def test_the_window_that_the_others_break_is_good(town):
    assert len(town.good.intervals) == 1
    assert town.mint(town.good) == ""


def test_intervals_stand_in_order_within_the_window_and_sum_to_what_counted(town):
    (whole,) = town.good.intervals
    middle = (whole.from_ms + whole.to_ms) // 2000 * 1000
    half = whole.steps // 2
    one = Interval(whole.from_ms, middle, half)
    other = Interval(middle, whole.to_ms, whole.steps - half)
    for wrong in (
        (other, one),
        (replace(one, to_ms=middle + 1_000), other),
        (replace(whole, from_ms=whole.from_ms - 1_000),),
        (replace(whole, to_ms=town.good.to_ms + 1_000),),
        (replace(whole, to_ms=whole.from_ms),),
        (replace(whole, steps=whole.steps - 1),),
        (),
    ):
        assert town.counting(*wrong) == "bad_intervals"
    assert town.counting(one, other) == ""


def test_an_interval_goes_from_sample_to_sample_and_counts_what_rose_there(town):
    (whole,) = town.good.intervals
    lost = town.good.counted_steps
    # The flow meter's first envelope is shown, as good as any: it ends after 9 s.
    at = START_MS + 1_000
    off = Interval(at + 500, at + 3_000, 100)
    claim = {"counted_steps": 100, "lost_steps": lost - 100, "units": 100_000}
    assert town.counting(off, **claim) == "bad_intervals"
    more = {"counted_steps": 3_001, "lost_steps": lost - 3_001, "units": 3_001_000}
    assert town.counting(Interval(at, at + 3_000, 3_001), **more) == "bad_intervals"
    full = {"counted_steps": 3_000, "lost_steps": lost - 3_000, "units": 3_000_000}
    assert town.counting(Interval(at, at + 3_000, 3_000), **full) == ""
    assert whole.steps == lost


@pytest.mark.parametrize("kind", PLACES)
def test_whoever_watches_is_in_force_in_all_that_counts(town, kind):
    (whole,) = town.good.intervals
    for fields in (
        {"calibrated_until_ms": whole.to_ms},
        {"calibrated_from_ms": whole.from_ms + 1},
        {"stopped_ms": whole.to_ms},
    ):
        before = DEVICES.get(town.state, town.line.of(kind).public)
        town.device(kind, **fields)
        assert town.mint(town.good) == "unwatched_interval"
        DEVICES.put(town.state, before, town.line.of(kind).public)
    town.device(kind, calibrated_until_ms=whole.to_ms + 1, stopped_ms=whole.to_ms + 1)
    assert town.mint(town.good) == ""


@pytest.mark.parametrize("kind", PLACES)
def test_each_place_is_watched_from_end_to_end(town, kind):
    (whole,) = town.good.intervals
    town.entry(kind, from_ms=whole.from_ms + 1)
    assert town.mint(town.good) == "unwatched_interval"
    town.entry(kind, from_ms=START_MS, until_ms=whole.to_ms - 1)
    assert town.mint(town.good) in {"unwatched_interval", "window_unreached"}
    town.entry(kind, until_ms=FOR_EVER_MS)
    assert town.mint(town.good) == ""


def test_one_device_after_another_may_watch_a_place():
    town = Counted((*PLACES, HOLD))
    (whole,) = town.good.intervals
    first, second = (each for each in town.line.devices if each.instrument is HOLD)
    line = LINES.get(town.state, town.line.line_id)
    for gap_ms, code in ((1, "unwatched_interval"), (0, "")):
        spans = {
            first.public: (START_MS, whole.from_ms + 50_000),
            second.public: (whole.from_ms + 50_000 + gap_ms, FOR_EVER_MS),
        }
        entries = tuple(
            replace(each, from_ms=spans[each.device][0], until_ms=spans[each.device][1])
            if each.device in spans
            else each
            for each in line.devices
        )
        town.amend(devices=entries)
        assert town.mint(town.good) == code


def test_nothing_counts_after_a_silent_device_was_heard_but_for_a_margin():
    town = Counted()
    hold = town.line.of(HOLD).public
    part = next(each for each in town.good.devices if each.device == hold)
    (whole,) = town.good.intervals
    silent = with_device(town.good, hold, silent=True)
    assert town.mint(silent) == "unwatched_interval"
    counted = part.end.reading().last_ms - START_MS - MARGIN_MS
    cut = replace(whole, to_ms=START_MS + counted, steps=counted)
    fields = {
        "counted_steps": counted,
        "lost_steps": town.good.counted_steps - counted,
        "units": counted * 1_000,
    }
    assert town.mint(replace(silent, intervals=(cut,), **fields)) == ""


def test_a_silent_device_was_on_duty_until_it_left_alone():
    town = Counted((*PLACES, HOLD))
    spare = town.line.devices[-1].public
    part = next(each for each in town.good.devices if each.device == spare)
    silent = with_device(town.good, spare, silent=True)
    assert town.mint(silent) == "unwatched_interval"
    line = LINES.get(town.state, town.line.line_id)
    left_ms = part.end.reading().last_ms - MARGIN_MS
    town.amend(
        devices=tuple(
            replace(each, until_ms=left_ms) if each.device == spare else each
            for each in line.devices
        )
    )
    assert town.mint(silent) == ""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (HOLD, 73_299), (HOLD, 160_001), (OUTLET, 3_841), (OUTLET, -2_001), (VALVE, 0),
        (VALVE, 2),
    ],
)  # fmt: skip
def test_no_sample_that_is_shown_speaks_against_what_counts(town, kind, value):
    assert town.samples(kind, value) == "bad_sample"


def test_a_total_that_no_meter_shows_is_no_measurement(town):
    assert town.samples(FLOW, -1) == "bad_reading"


@pytest.mark.parametrize(("kind", "value"), [(HOLD, 73_300), (OUTLET, 3_840), (VALVE, 1)])
def test_limits_may_be_reached(town, kind, value):
    assert town.samples(kind, value) == ""


@pytest.mark.parametrize(("place", "code"), [(2, ""), (4, "bad_sample")])
def test_what_a_device_showed_before_it_came_to_the_line_is_no_matter(place, code):
    town = Counted((*PLACES, HOLD))
    spare = town.line.devices[-1]
    town.amend(
        devices=tuple(
            replace(each, from_ms=START_MS + 35_000) if each.device == spare.public else each
            for each in LINES.get(town.state, town.line.line_id).devices
        )
    )
    reading = spare.envelopes[place].reading()
    cold = tuple((offset, 60_000) for offset, _ in reading.samples)
    shown = sign_reading(replace(reading, samples=cold), town.dairy.chain_id, spare.key)
    assert town.mint(with_device(town.good, spare.public, worst=shown)) == code


def test_what_does_not_count_may_be_cold(town):
    (whole,) = town.good.intervals
    cold = Interval(whole.from_ms, START_MS + 49_000, 49_000)
    town.good = replace(
        town.good,
        intervals=(cold,),
        counted_steps=49_000,
        units=49_000_000,
        lost_steps=town.good.counted_steps - 49_000,
    )
    # The envelope begins with the sample of 49 s, the end of what counts.
    assert town.samples(HOLD, 60_000) == ""


@pytest.mark.parametrize("kind", PLACES)
def test_no_silence_that_is_shown_lies_in_what_counts(town, kind):
    (since, was), *_ = town.line.of(kind).envelopes[5].reading().samples
    gap = ((since, was), (since + WATCH_GAP_MS + 1, was))
    assert town.worst(kind, samples=gap) == "unwatched_interval"
    assert town.worst(kind, samples=((since, was), (since + WATCH_GAP_MS, was))) == ""


def test_a_tampered_reading_proves_nothing_of_its_time(town):
    assert town.worst(HOLD, tamper=True) == "tampered_reading"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"unit": Unit.FLAG},
        {"unit": "furlong"},
        {"stream": "outlet_temperature"},
        {"samples": ((5, 75_000), (0, 75_000), (9_000, 75_000))},
    ],
)
def test_what_is_no_measurement_proves_nothing_of_its_time(town, changes):
    assert town.worst(HOLD, **changes) == "bad_reading"


def test_a_flow_meter_keeps_its_unit(town):
    assert town.worst(FLOW, unit=Unit.MICROLITRE) == "bad_reading"


def test_a_line_carries_no_more_than_its_limit_and_a_step(town):
    (whole,) = town.good.intervals
    # A litre a second is 3,600 L/h.
    town.amend(flow_max_l_per_h=3_599)
    assert town.mint(town.good) == "interval_too_fast"
    most = 3_599 * (whole.to_ms - whole.from_ms) // 3_600 + 1
    kept = {"counted_steps": most, "lost_steps": whole.steps - most, "units": most * 1_000}
    assert town.counting(replace(whole, steps=most), **kept) == ""


def test_a_drain_is_no_more_than_its_vat():
    town = Counted()
    (whole,) = town.good.intervals
    town.amend(process=HeatProcess.BATCH, vat_units=whole.steps * 1_000 - 1, flow_max_l_per_h=0)
    assert town.mint(town.good) == "interval_too_fast"
    gauge = GaugeLow(town.line.of(OUTLET).public, bill(200), bill(200))
    held = VatState(63_300, 0, START_MS, START_MS - 1_800_000, 0, (gauge,))
    flow = town.line.of(FLOW).public
    town.amend(vat_units=whole.steps * 1_000, vat=held, flow_device=flow)
    town.good = replace(town.good, holds=(held.since_ms,))
    assert town.mint(replace(town.good, kind=MilkKind.UHT)) == "wrong_process"
    # In a vat milk was held before it flows: what the thermometer shows then is no matter.
    assert town.samples(HOLD, 40_000) == ""


def test_no_more_is_claimed_than_the_counted_steps_are(town):
    assert town.mint(replace(town.good, units=town.good.units + 1)) == "window_over_flow"


def test_without_a_flow_meter_nothing_counts(town):
    flow = town.line.of(FLOW).public
    line = LINES.get(town.state, town.line.line_id)
    town.amend(devices=tuple(each for each in line.devices if each.device != flow))
    left = tuple(each for each in town.good.devices if each.device != flow)
    claim = replace(town.good, devices=left, readings_count=sum(each.count for each in left))
    assert town.mint(claim) == "unwatched_interval"
    empty = replace(claim, intervals=(), counted_steps=0, lost_steps=0, units=0)
    assert town.mint(replace(empty, units=1)) == "window_over_flow"
    assert town.mint(empty) == ""


def test_what_was_never_shown_is_on_duty_from_when_it_was_heard():
    town = WindowTown((*PLACES, HOLD))
    spare = town.line.devices.pop()
    town.run(120)
    spare.measure([(at * 1_000, 75_000) for at in range(100, 125)], 10)
    town.line.devices.append(spare)
    key = spare.public
    claim = town.claim()
    assert town.line.tip(town.state, key) is None
    device = DEVICES.get(town.state, key)
    DEVICES.put(town.state, replace(device, calibrated_from_ms=START_MS + 99_000), key)
    assert town.mint(claim) == ""


def test_a_spare_that_was_never_heard_need_not_be_in_force():
    town = WindowTown((*PLACES, HOLD))
    spare = town.line.devices.pop()
    town.run(120)
    device = DEVICES.get(town.state, spare.public)
    DEVICES.put(town.state, replace(device, stopped_ms=START_MS), spare.public)
    assert town.mint() == ""


def test_who_spoke_before_is_in_force_from_where_the_last_window_ended():
    """Not only from the first of its readings that the claim shows."""
    town = WindowTown()
    town.run(200)
    assert town.mint(town.claim(60)) == ""
    claim, key = town.claim(), town.line.of(HOLD).public
    part = next(each for each in claim.devices if each.device == key)
    assert part.last.reading().t0_ms > START_MS + 70_000
    device = DEVICES.get(town.state, key)
    DEVICES.put(town.state, replace(device, calibrated_from_ms=START_MS + 70_000), key)
    assert town.mint(with_device(claim, key, worst=None)) == "unwatched_interval"
    DEVICES.put(town.state, device, key)
    assert town.mint(with_device(claim, key, worst=None)) == ""
