"""Every encoding in the code, and every reader: what it takes, it takes in one spelling."""

import ast
import inspect
import re
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ledger.rules import LAWS
from tests.support.encoding.laws import (
    NOT_NAMED_READERS,
    Programs,
    check_type,
    decodes,
    make_readers,
)
from tests.support.encoding.types import encoded_types, modules, readers
from tests.support.encoding.values import respelled, tokens, with_a_key_twice

TYPES = encoded_types()
READERS = make_readers()
PROGRAMS = Programs()
FEW = settings(max_examples=15)
RANDOMS = st.integers(0, 2**64 - 1).map(Random)


def test_who_expects_undecodable_bytes_expects_undecodable_text():
    """msgspec raises `UnicodeDecodeError` for it, which is none of its own errors."""
    handlers = [
        (module.__name__, handler.lineno, ast.unparse(handler.type))
        for module in modules()
        for handler in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(handler, ast.ExceptHandler) and handler.type is not None
    ]
    decoding = [one for one in handlers if re.search(r"MsgspecError|msgspec.DecodeError", one[2])]
    assert decoding
    assert not [one for one in decoding if not re.search("UnicodeDecodeError|ValueError", one[2])]


def test_the_types_are_found():
    named = {name.rpartition(".")[2] for name in TYPES}
    assert named >= {"Transaction", "Header", "Proposal", "Proof", "Blocks", "Ask", "Account"}
    assert "consensus.journal: Record" in TYPES


def test_every_reader_in_the_code_is_fed():
    assert set(readers()) == set(READERS) - NOT_NAMED_READERS


def test_every_law_has_a_program():
    assert PROGRAMS.kinds() == set(LAWS)


@pytest.mark.parametrize("name", TYPES)
@FEW
@given(random=RANDOMS)
def test_one_value_one_encoding_and_all_else_is_a_fault(name, random):
    check_type(name, TYPES[name], random)


@pytest.mark.parametrize("name", READERS)
@given(random=RANDOMS)
def test_a_reader_reads_or_raises_its_fault(name, random):
    READERS[name].check(random)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_its_samples(name):
    for sample in READERS[name].samples:
        READERS[name].feed(sample)


@pytest.mark.parametrize("kind", sorted(LAWS, key=lambda kind: kind.__name__))
@FEW
@given(random=RANDOMS)
def test_any_well_formed_body_is_answered(kind, random):
    PROGRAMS.check(kind, random)


@pytest.mark.parametrize(
    ("raw", "longer"),
    [
        (b"\x05", {b"\xcc\x05", b"\xcd\x00\x05", b"\xd0\x05"}),
        (b"\xff", {b"\xd0\xff", b"\xd1\xff\xff"}),
        (b"\xa1a", {b"\xd9\x01a", b"\xda\x00\x01a"}),
        (b"\xc4\x01a", {b"\xc5\x00\x01a", b"\xc6\x00\x00\x00\x01a"}),
        (b"\x90", {b"\xdc\x00\x00", b"\xdd\x00\x00\x00\x00"}),
        (b"\x80", {b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00"}),
    ],
)
def test_the_fuzzer_knows_longer_words(raw, longer):
    assert longer <= {respelled(raw, Random(seed)) for seed in range(200)}
    assert not any(decodes(other, object) for other in longer)


def test_the_fuzzer_knows_keys_that_stand_twice():
    assert with_a_key_twice(b"\x91\x81\xa1a\x01") == b"\x91\x82\xa1a\x01\xa1a\x01"
    assert not decodes(b"\x82\xa1a\x01\xa1a\x01", dict[str, int])
    assert [token.family for token in tokens(b"\x92\xc4\x01a\xc0")] == ["array", "bin", "nil"]
