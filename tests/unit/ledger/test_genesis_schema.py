"""The published schema of a genesis file: current, told in words, and as strict as the reader."""

import json
import re
from pathlib import Path

import pytest

from ledger.errors.store import BadGenesis
from ledger.genesis import format_genesis, format_schema, genesis_schema, parse_genesis
from ledger.genesis.schema import WORDS
from tests.support.ledger.dairy import Dairy

PUBLISHED = Path(__file__).parents[3] / "docs/spec/genesis.schema.json"
SAMPLE = format_genesis(Dairy().genesis)
SCHEMA = genesis_schema()
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "const", "description", "enum", "items",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "not", "oneOf",
    "pattern", "properties", "required", "title", "type",
}  # fmt: skip


def holds(schema, value):
    """Tell whether a value is of a schema, by the words of JSON Schema that ours uses."""
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema and not holds(SCHEMA["$defs"][schema["$ref"].split("/")[-1]], value):
        return False
    if "type" in schema and (
        not isinstance(value, TYPES[schema["type"]])
        or (isinstance(value, bool) and schema["type"] != "boolean")
    ):
        return False
    sound = [
        value in schema.get("enum", [value]),
        value == schema.get("const", value),
        "not" not in schema or not holds(schema["not"], value),
        "oneOf" not in schema or sum(holds(each, value) for each in schema["oneOf"]) == 1,
    ]
    if isinstance(value, int):
        sound += [schema.get("minimum", value) <= value <= schema.get("maximum", value)]
    if isinstance(value, str):
        long = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        sound += [long, re.search(schema.get("pattern", ""), value) is not None]
    if isinstance(value, list):
        sound += [schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))]
        sound += [holds(schema.get("items", True), each) for each in value]
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        sound += [name in value for name in schema.get("required", [])]
        sound += [
            holds(fields.get(name, schema.get("additionalProperties", True)), each)
            for name, each in value.items()
        ]
    return all(sound)


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
