"""The codec: one value has one spelling."""

import msgspec
import pytest

from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import Malformed, NonCanonical, Oversized
from ledger.types.block import BLOCK_BYTES_MAX, Block, decode_block
from ledger.types.reading import decode_envelope
from ledger.types.transaction import Transaction, decode_transaction
from tests.support.ledger.dairy import Dairy, key


def test_a_wider_integer_than_needed_is_refused():
    raw = encode((1, 2))
    assert decode(raw, tuple[int, int], 100) == (1, 2)
    # 0xcc 0x01 spells 1 in two bytes.
    with pytest.raises(NonCanonical):
        decode(raw[:1] + b"\xcc\x01\x02", tuple[int, int], 100)


def test_bytes_after_the_end_are_refused():
    with pytest.raises(Malformed):
        decode(encode(1) + b"\x00", int, 100)


def test_more_bytes_than_the_type_may_have_are_not_looked_at():
    with pytest.raises(Oversized):
        decode(bytes(101), bytes, 100)


def test_a_transaction_reads_back_and_its_id_ignores_signatures():
    dairy = Dairy()
    made = dairy.transaction(dairy.pay(bytes(32), 5), key("alice"), 0)
    raw = encode(made)
    assert decode_transaction(raw) == made
    unsigned = Transaction(made.intent, ((0, bytes(64)),))
    assert unsigned.id == made.id


def test_deep_nesting_is_a_fault_and_no_crash():
    with pytest.raises(Malformed):
        decode_transaction(b"\x91" * 60_000)


def test_empty_input_is_malformed_everywhere():
    for read in (decode_transaction, decode_block, decode_envelope):
        with pytest.raises(Malformed):
            read(b"")


def test_a_block_of_too_many_bytes_is_refused():
    with pytest.raises(Oversized):
        decode_block(bytes(BLOCK_BYTES_MAX + 1))


def test_unknown_fields_are_refused():
    with pytest.raises(Malformed):
        decode(msgspec.msgpack.encode([[0] * 20, []]), Block, 1_000)
