"""Recordings: exact amounts, guessed columns, and every unusable row named."""

import os
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.measure import exact_volume
from ledger.types.reading import Unit
from simulator.dairy.errors import BadMap, BadRecording
from simulator.dairy.recording import METERS_MAX, decode_text, read_recording

SHARED = Path(os.environ.get("BILLCOIN_SHARED_DATA", Path(__file__).parents[5] / "shared/data"))
RECORDING = SHARED / "robot-milkings.csv"
HEADER = "Device Name,Begin Time,Yield\n"


def read(*rows, mapping="yield=Yield:lb"):
    return read_recording(HEADER + "\n".join(rows), mapping)


def test_pounds_are_kept_in_hundredths_and_in_order_of_time():
    recording = read("b,4/12/2021 9:50 AM,7.7", "a,4/12/2021 9:27 AM,39.82")
    assert recording.unit is Unit.CENTIPOUND
    assert [(m.device, m.steps, m.line) for m in recording.milkings] == [
        ("a", 3982, 3),
        ("b", 770, 2),
    ]
    assert recording.steps == 4752


def test_a_byte_order_mark_is_passed_over():
    raw = b"\xef\xbb\xbf" + (HEADER + "a,2021-04-01 08:00,1").encode()
    assert read_recording(decode_text(raw), "yield=Yield:lb").milkings[0].steps == 100


@pytest.mark.parametrize(
    ("unit", "amount", "meter_unit", "steps"),
    [
        ("lb", "1.5", Unit.CENTIPOUND, 150),
        ("kg", "12.345", Unit.GRAM, 12_345),
        ("kg", "0.000001", Unit.MILLIGRAM, 1),
        ("g", "7", Unit.GRAM, 7),
        ("g", "0.5", Unit.MILLIGRAM, 500),
        ("L", "9.25", Unit.MILLILITRE, 9_250),
        ("L", "0.0001", Unit.MICROLITRE, 100),
        ("mL", "3", Unit.MILLILITRE, 3),
    ],
)
def test_the_coarsest_unit_without_loss_is_chosen(unit, amount, meter_unit, steps):
    recording = read(f"a,2021-04-01 08:00,{amount}", mapping=f"yield=Yield:{unit}")
    assert (recording.unit, recording.milkings[0].steps) == (meter_unit, steps)


@given(st.lists(st.decimals(0, 999, places=2), min_size=1, max_size=30))
def test_no_hundredth_of_a_pound_is_lost(amounts):
    recording = read(*(f"a,2021-04-01 08:00,{amount}" for amount in amounts))
    assert Decimal(recording.steps).scaleb(-2) == sum(amounts)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,2021-04-01 08:00,", "no amount"),
        ("a,2021-04-01 08:00,lots", "not a plain number"),
        ("a,2021-04-01 08:00,NaN", "not a plain number"),
        ("a,2021-04-01 08:00,1e2", "not a plain number"),
        ("a,2021-04-01 08:00,-1", "negative"),
        ("a,2021-04-01 08:00,1.234", "decimals"),
        ("a,2021-04-01 08:00,1001", "in one milking"),
        (",2021-04-01 08:00,1", "Device Name is empty"),
        ("a,,1", "Begin Time is empty"),
        ("a,noon,1", "not a time"),
        ("a", "1 cells where the header names 3"),
        ("a,2021-04-01 08:00,12,5", "4 cells where the header names 3: put what holds"),
    ],
)
def test_an_unusable_row_is_named_with_its_line_and_reason(row, reason):
    recording = read("a,2021-04-01 07:00,5", row, "a,2021-04-01 09:00,6")
    assert [m.steps for m in recording.milkings] == [500, 600]
    ((line, told),) = [(s.line, s.reason) for s in recording.skipped]
    assert line == 3
    assert reason in told


def test_of_two_readings_of_a_date_the_one_with_days_close_together_is_taken():
    american = read("a,4/6/2021 8:00 AM,1", "a,4/12/2021 8:00 AM,1")
    assert american.columns.date.startswith("%m/%d")
    european = read("a,6/4/2021 8:00 AM,1", "a,12/4/2021 8:00 AM,1")
    assert european.columns.date.startswith("%d/%m")


def test_a_map_names_columns_and_a_date_format_with_a_comma():
    text = 'robot,when,milk\nx,"April 6, 2021 08:00",3\n'
    mapping = "yield=milk:kg,device=robot,begin=when,date=%B %d, %Y %H:%M"
    (milking,) = read_recording(text, mapping).milkings
    assert (milking.device, milking.begin.day) == ("x", 6)


def test_a_file_without_devices_or_times_is_one_meter_in_its_own_order():
    recording = read_recording("Milk\n3\n1\n", "yield=Milk:L")
    assert recording.meters == ["meter"]
    assert [m.steps for m in recording.milkings] == [3_000, 1_000]


@pytest.mark.parametrize(
    ("text", "mapping", "fault", "told"),
    [
        ("", "", BadRecording, "empty"),
        ("Yield\n1\n", "", BadMap, "its unit is not told"),
        ("Yield\n1\n", "yield=Yield:stone", BadMap, "is no unit"),
        ("Yield\n1\n", "yield=Milk:lb", BadMap, "no column 'Milk'"),
        ("A,B\n1,2\n", "", BadMap, "no column looks like the milk"),
        ("Yield\n1\n", "colour=red", BadMap, "write yield="),
        ("Yield\n1\n", "yield=Yield:lb,yield=Yield:kg", BadMap, "twice"),
        ("Yield\nx\n", "yield=Yield:lb", BadRecording, "line 2"),
        ("Yield,Begin\n1,at dawn\n", "yield=Yield:lb", BadMap, "unknown form"),
        ('Yield\n"1\n' + "x" * 200_000, "yield=Yield:lb", BadRecording, "not CSV"),
    ],
)
def test_what_can_not_be_played_is_told_with_the_way_to_mend_it(text, mapping, fault, told):
    with pytest.raises(fault, match=told):
        read_recording(text, mapping)


def test_a_file_that_is_not_utf8_is_told_so():
    with pytest.raises(BadRecording, match="iconv"):
        decode_text(b"Yield\n\xff")


def test_too_many_devices_mean_a_wrong_column():
    rows = [f"d{n},2021-04-01 08:00,1" for n in range(METERS_MAX + 1)]
    with pytest.raises(BadRecording, match="is 'Device Name' the right one"):
        read(*rows)


@given(st.text(max_size=400), st.text(max_size=60))
def test_no_text_does_more_than_raise_a_fault(text, mapping):
    with suppress(BadMap, BadRecording):
        assert read_recording(text, mapping).milkings


@pytest.mark.parametrize("name", ["Yield (kg)", "milk_kg", "Weight [kg]"])
def test_a_unit_that_the_columns_name_tells_is_taken(name):
    recording = read_recording(f"{name}\n1.5\n")
    assert (recording.unit, recording.steps) == (Unit.GRAM, 1_500)


def test_decimals_beyond_any_meter_are_never_rounded_away():
    recording = read("a,2021-04-01 08:00,1." + "0" * 40, "a,2021-04-01 08:00,1." + "0" * 40 + "1")
    assert recording.steps == 100
    assert "decimals" in recording.skipped[0].reason


@pytest.mark.parametrize(
    "amount",
    [
        "1_2",
        "\uff11\uff12",
        "\u0661\u0662",
        "+12",
        "12.",
        ".5",
        "0x12",
        "1 2",
        "12\u00a0",
        "1" * 61,
    ],
)
def test_an_amount_is_plain_ascii_digits_or_the_row_is_not_used(amount):
    recording = read("a,2021-04-01 07:00,5", f"a,2021-04-01 08:00,{amount}")
    assert recording.steps == 500
    assert "is not a plain number" in recording.skipped[0].reason


def test_a_time_in_digits_that_are_not_ascii_is_no_time():
    recording = read("a,2021-04-01 07:00,5", "a,2021-04-0\u0661 08:00,6")
    assert recording.steps == 500
    assert "is not a time" in recording.skipped[0].reason


def test_no_part_of_an_unquoted_decimal_comma_is_ever_used():
    with pytest.raises(BadRecording, match="4 cells where the header names 3"):
        read("a,2021-04-01 08:00,12,5", "a,2021-04-01 18:00,13,7")


@pytest.mark.parametrize(("delimiter", "word"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")])
def test_a_delimiter_and_a_decimal_comma_are_read_where_the_map_says_so(delimiter, word):
    rows = [("Device", "Begin Time", "Yield (kg)"), ("a", "01.05.2024 06:00", '"12,5"')]
    text = "\n".join(delimiter.join(row) for row in rows)
    recording = read_recording(text, f"delimiter={word},decimal=comma")
    assert (recording.unit, recording.steps) == (Unit.GRAM, 12_500)


@pytest.mark.parametrize(
    ("text", "mapping", "told"),
    [
        ("Begin;Yield (kg)\n2024-05-01;1\n", "", "say --map delimiter=semicolon"),
        ("Begin\tYield (kg)\n2024-05-01\t1\n", "", "say --map delimiter=tab"),
        ("Yield (kg),Begin\n1,2024-05-01\n", "delimiter=tab", "say --map delimiter=comma"),
        ("sep=;\nYield (kg)\n1\n", "", "delete that line"),
        ('Yield (kg)\n"12,5"\n', "", "Say --map decimal=comma"),
        ("Yield (kg)\n12.5\n", "decimal=comma", "Say --map decimal=point"),
        ("Yield (kg)\n12\n", "decimal=dot", "it is one of point, comma"),
        ("Yield (kg)\n12\n", "delimiter=|", "it is one of comma, semicolon, tab"),
        ("Yield (kg),Yield (kg)\n12,13\n", "", "two columns are named"),
        ("Yield (kg),Begin\n12,2024-05-01\n", "date=%Q", "bad directive"),
        ("Yield (kg),Begin\n12,2024-05-01\n", "date=%Y %Y", "stands in it twice"),
    ],
)
def test_what_is_written_otherwise_is_refused_with_the_word_that_makes_it_read(text, mapping, told):
    with pytest.raises((BadRecording, BadMap), match=told):
        read_recording(text, mapping)


@pytest.mark.parametrize("form", ["utf-16", "utf-8-sig", "utf-8"])
def test_utf16_is_known_by_its_mark(form):
    text = "Milk (kg)\n12.5\n"
    assert read_recording(decode_text(text.encode(form))).steps == 12_500
    with pytest.raises(BadRecording, match="UTF-16"):
        decode_text(text.encode("utf-16")[:-1])


@pytest.mark.parametrize(
    "times",
    [
        ("2024-05-01T06:00:00+08:00", "2024-05-01T00:00:00Z"),
        ("2024-05-01 06:00+0800", "2024-05-01 00:00Z"),
        ("2024-05-01T06:00:00.25+08:00", "2024-05-01T00:00:00.25Z"),
    ],
)
def test_offsets_of_iso_8601_are_reckoned_with(times):
    milkings = read(*(f"a,{time},1" for time in reversed(times))).milkings
    assert [m.line for m in milkings] == [3, 2]
    first, last = (m.begin for m in milkings)
    assert (last - first).total_seconds() == 2 * 3600


@pytest.mark.skipif(not RECORDING.exists(), reason=f"{RECORDING} is not there")
def test_the_real_recording_keeps_its_total():
    recording = read_recording(decode_text(RECORDING.read_bytes()), "yield=Yield:lb")
    assert len(recording.milkings) == 1_936
    assert int(exact_volume(recording.unit, recording.steps, 1_030_000)) == 30_796_354_502
