"""The published schema of a genesis file: current, told in words, and as strict as the reader."""

import json
from pathlib import Path

import pytest

from ledger.errors.store import BadGenesis
from ledger.genesis import format_genesis, format_schema, genesis_schema, parse_genesis
from ledger.genesis.schema import WORDS
from tests.support.encoding import json_schema
from tests.support.ledger.dairy import Dairy
from tests.support.ledger.lines import with_line

PUBLISHED = Path(__file__).parents[3] / "docs/spec/genesis.schema.json"
SAMPLE = format_genesis(with_line(Dairy().genesis))
SCHEMA = genesis_schema()


def holds(schema, value):
    return json_schema.holds(schema, value, SCHEMA)


def test_what_is_published_is_current():
    assert PUBLISHED.read_text() == format_schema(), "billcoin genesis schema > " + str(PUBLISHED)


def test_the_sample_is_of_the_schema():
    assert holds(SCHEMA, json.loads(SAMPLE))


def test_every_field_is_told_in_words():
    for name, definition in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        for field, told in definition.get("properties", {}).items():
            what = SCHEMA["$defs"].get(str(told.get("$ref", told.get("items", {}).get("$ref")))
                                       .split("/")[-1], {})  # fmt: skip
            assert told.get("description") or what.get("description"), f"{name}.{field}"
    for part, words in WORDS.items():
        assert set(words) <= set(part.__struct_fields__), "words for a field that is gone"


def places(at, way=()):
    """Every place of the sample, but for all lines of a list beside the first."""
    yield way
    steps = (
        at.items() if isinstance(at, dict) else enumerate(at[:1]) if isinstance(at, list) else ()
    )
    for step, below in steps:
        yield from places(below, (*way, step))


def changed(way, value):
    file = json.loads(SAMPLE)
    *above, last = way
    at = file
    for step in above:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return file


@pytest.mark.parametrize("way", [w for w in places(json.loads(SAMPLE)) if w], ids=str)
def test_what_the_schema_refuses_the_reader_refuses_too(way):
    wrong = [None, -1, 2**64, "", "zz" * 40, [], {}, *([...] if isinstance(way[-1], str) else [])]
    for value in wrong:
        file = changed(way, value)
        if not holds(SCHEMA, file):
            with pytest.raises(BadGenesis):
                parse_genesis(json.dumps(file))


def test_a_parameter_left_to_the_programs_default_is_refused():
    for way in [w for w in places(json.loads(SAMPLE)) if w[:1] == ("parameters",) and w[1:]]:
        file = changed(way, ...)
        assert not holds(SCHEMA, file), way
        with pytest.raises(BadGenesis, match=way[-1]):
            parse_genesis(json.dumps(file))
