"""Hex: pairs of digits and no more, so that a text's length is its bytes' length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.primitives.errors import BadHex
from ledger.primitives.hexadecimal import parse_hex

ZEROS = "00" * 31


@given(st.binary(max_size=80))
def test_what_is_written_in_hex_reads_back(raw):
    assert parse_hex(raw.hex()) == parse_hex(raw.hex().upper(), len(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [ZEROS + "  ", f" {ZEROS}0", ZEROS + "\t\n", ZEROS + "0", ZEROS + "0x", ZEROS + "0_0",
     ZEROS + "０0", ZEROS + "٠0", ZEROS, ZEROS + "0000", ""],
    ids=ascii,
)  # fmt: skip
def test_64_characters_that_are_not_32_bytes_are_refused(text):
    with pytest.raises(BadHex, match="64 digits of hex"):
        parse_hex(text, 32)


@pytest.mark.parametrize("text", ["0", "00 11", " 00", "00\n", "0g", "²²"])
def test_text_of_any_length_is_pairs_of_digits(text):
    with pytest.raises(BadHex):
        parse_hex(text)
