"""What a source may say: exactly a price and a time; anything else is told, with its place."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.pricefeed.errors import QuoteRefused
from node.pricefeed.quotes import SOURCE_BYTES_MAX, Quote, format_myr, read_quote

AT_MS = 1_795_914_000_000  # 2026-11-29T01:00:00Z
CSV = b"as_of,myr_per_litre\n2026-11-28T09:00:00+08:00,3.60\n2026-11-29T09:00:00+08:00,3.62\n"


def json_of(price='"3.62"', as_of='"2026-11-29T01:00:00Z"'):
    return f'{{"myr_per_litre": {price}, "as_of": {as_of}}}'.encode()


@pytest.mark.parametrize(
    "raw",
    [
        json_of(),
        json_of('"3.620000"', '"2026-11-29T09:00:00+08:00"'),
        b"  \n" + json_of() + b"\n",
        CSV,
        CSV.replace(b"\n", b"\r\n"),
    ],
)
def test_one_price_is_read_alike_from_json_and_from_csv(raw):
    assert read_quote(raw) == Quote(3_620_000, AT_MS)


WRONG_PRICES = (
    "", " 3.62", "3.62 ", "3,62", "+3.62", "-3.62", "3.6200001", ".62", "3.", "3.6e1", "0x3", "NaN",
    "1_0", "٣.62", "３.62", "1234567", "3.62\n", "RM 3.62", "Infinity",
)  # fmt: skip
WRONG_TIMES = (
    "", "2026-11-29", "2026-11-29T01:00:00", "2026-11-29 01:00:00Z", "2026-13-29T01:00:00Z", "now",
    "2026-11-29T01:00Z", "1795914000", "2026-11-29T25:00:00Z", "٢026-11-29T01:00:00Z",
    "2026-11-29T01:00:00+99:00", "0001-01-01T00:00:00+23:59 ",
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG_PRICES)
def test_a_price_is_ascii_digits_and_at_most_six_decimals(text):
    import json

    for raw in (json_of(json.dumps(text)), CSV.replace(b"3.62", text.encode())):
        with pytest.raises(QuoteRefused) as caught:
            read_quote(raw)
        assert caught.value.code == "unreadable"


@pytest.mark.parametrize("text", WRONG_TIMES)
def test_a_time_is_a_date_and_an_hour_with_their_offset(text):
    import json

    with pytest.raises(QuoteRefused):
        read_quote(json_of(as_of=json.dumps(text)))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "neither"),
        (b"\xff", "byte 0"),
        (json_of("3.62"), "Expected `str`"),
        (json_of()[:-1], "not JSON"),
        (json_of().replace(b"}", b', "unit": "kg"}'), "unknown field `unit`"),
        (json_of().replace(b"{", b'{"as_of": "2020-01-01T00:00:00Z", '), "the name stands twice"),
        (b'{"myr_per_litre": "3.62"}', "as_of"),
        (CSV[:-1], "half written"),
        (CSV[:-3], "half written"),
        (b"as_of,myr_per_litre\n", "no line"),
        (b"as_of,myr_per_litre", "half written"),
        (CSV.replace(b"3.60", b"3,60"), "line 2 has 3 cells"),
        (CSV.replace(b"11-28", b"11-29"), "line 3 is not later"),
        (CSV.replace(b"as_of,", b"date,"), "neither"),
        (b"{" + b" " * SOURCE_BYTES_MAX, "bytes where at most"),
    ],
)
def test_what_is_wrong_with_a_source_is_told(raw, told):
    with pytest.raises(QuoteRefused, match=told):
        read_quote(raw)


def test_what_is_told_of_a_source_is_short_whatever_it_sends():
    raw = b'{"' + b"x" * 60_000 + b'": 1, "' + b"x" * 60_000 + b'": 2}'
    for wrong in (raw[:SOURCE_BYTES_MAX], raw[:60_010] + b"}", raw.replace(b"x" * 30_000, b"y")):
        with pytest.raises(QuoteRefused) as caught:
            read_quote(wrong)
        assert len(str(caught.value)) <= 300


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"{" * 10_000)
@example(b"[" * 10_000)
def test_any_bytes_are_a_quote_or_refused(raw):
    try:
        quote = read_quote(raw)
    except QuoteRefused:
        return
    assert quote.litre_micro_myr >= 0


@given(st.integers(0, 10**12 - 1))
def test_a_price_that_is_written_is_read_back(micro):
    raw = f'{{"myr_per_litre": "{format_myr(micro)}", "as_of": "2026-11-29T01:00:00Z"}}'
    assert read_quote(raw.encode()).litre_micro_myr == micro
