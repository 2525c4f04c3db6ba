"""The strict reader of JSON over invented text: it gives back what was written, or refuses."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import DEPTH_MAX, Json, decode_json

LIMIT = 1_000_000
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def depth_of(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(VALUES, st.booleans())
def test_what_is_written_reads_back_as_the_same_value(value: Json, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    if depth_of(value) <= DEPTH_MAX:
        assert decode_json(raw, LIMIT) == value


@given(st.binary(max_size=200) | st.text('[]{}":,0123456789.eE-+ntfalsu\\"', max_size=60))
def test_any_bytes_are_one_value_or_a_fault(raw: bytes | str) -> None:
    raw = raw.encode() if isinstance(raw, str) else raw
    try:
        value = decode_json(raw, LIMIT)
    except BadJson:
        return
    assert decode_json(json.dumps(value).encode(), LIMIT) == value
    assert value == json.loads(raw)


@given(
    st.dictionaries(TEXTS, st.integers(0, 9), min_size=1, max_size=5),
    st.data(),
    st.lists(st.sampled_from([("[", "]"), ('{"a":', "}")]), max_size=6),
)
def test_an_equal_name_is_refused_wherever_it_stands(
    members: dict[str, int], data: st.DataObject, around: list[tuple[str, str]]
) -> None:
    pairs = list(members.items())
    twice = data.draw(st.sampled_from(pairs))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (twice[0], data.draw(st.integers(0, 9))))
    written = ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs)
    text = "{" + written + "}"
    for opening, closing in around:
        text = opening + text + closing
    with pytest.raises(BadJson, match="twice"):
        decode_json(text.encode(), LIMIT)
