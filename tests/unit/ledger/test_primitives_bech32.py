"""Bech32m against the vectors of BIP 350."""

import pytest

from ledger.primitives.bech32 import decode_bech32m, encode_bech32m
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import Address, format_address, parse_address

VALID = [
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
]
INVALID = [
    "\x201xj0phk",
    "\x7f1g6xzxy",
    "\x801vctc34",
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
    "qyrz8wqd2c9m",
    "1qyrz8wqd2c9m",
    "y1b0jsk6g",
    "lt1igcx5c0",
    "in1muywd",
    "mm1crxm3i",
    "au1s5cgom",
    "M1VUXWEZ",
    "16plkw9",
    "1p2gdwpf",
]


@pytest.mark.parametrize("text", VALID)
def test_what_bip_350_calls_valid_reads_and_writes_back(text):
    prefix, payload = decode_bech32m(text)
    assert encode_bech32m(prefix, payload) == text.lower()


@pytest.mark.parametrize("text", INVALID)
def test_what_bip_350_calls_invalid_is_refused(text):
    with pytest.raises(BadAddress):
        decode_bech32m(text)


def test_a_good_checksum_over_bits_that_are_no_bytes_is_refused_for_its_padding():
    text = "11" + "l" * 83 + "udsr8"
    with pytest.raises(BadAddress, match="padding"):
        decode_bech32m(text)


def test_a_mix_of_capitals_and_small_letters_is_refused():
    with pytest.raises(BadAddress, match="capitals"):
        decode_bech32m("a1LQFN3A")


def test_an_address_of_another_network_is_refused():
    text = format_address(Address(bytes(32)), "dbill")
    assert parse_address(text, "dbill") == bytes(32)
    with pytest.raises(BadAddress, match="network"):
        parse_address(text, "bill")


def test_an_address_of_another_length_is_refused():
    with pytest.raises(BadAddress, match="31 bytes"):
        parse_address(encode_bech32m("dbill", bytes(31)), "dbill")


def test_every_single_typing_error_is_caught():
    text = format_address(Address(bytes(range(32))), "dbill")
    for place in range(len("dbill1"), len(text)):
        wrong = text[:place] + ("q" if text[place] != "q" else "p") + text[place + 1 :]
        with pytest.raises(BadAddress):
            parse_address(wrong, "dbill")
