"""Amounts: plain decimals in and out, and nothing else."""

import pytest

from ledger.primitives.amounts import UNITS_MAX, Units, format_bill, parse_bill
from ledger.primitives.errors import BadAmount


@pytest.mark.parametrize(
    ("text", "units"),
    [("0", 0), ("1.8", 1_800_000), ("0.000001", 1), ("9223372036854.775807", UNITS_MAX)],
)
def test_decimals_are_read_exactly(text, units):
    assert parse_bill(text) == units
    assert parse_bill(format_bill(Units(units))) == units


@pytest.mark.parametrize(
    "text",
    ["", ".5", "1.", "01", "1_8", "1e2", "-1", "+1", " 1", "1.0000000", "１", "NaN",
     "9223372036854.775808", "99999999999999"],
)  # fmt: skip
def test_anything_but_plain_decimals_is_refused(text):
    with pytest.raises(BadAmount):
        parse_bill(text)
