"""JSON from outside: one meaning, or a fault that says where."""

import pytest

from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import DEPTH_MAX, NumberText, decode_json

LIMIT = 100_000


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


@pytest.mark.parametrize(
    ("raw", "place", "why"),
    [
        (b'{"to": 1, "to": 2}', "/to", "stands twice"),
        (b'{"to": 1, "to": 1}', "/to", "stands twice"),
        (rb'{"to": 1, "t\u006f": 2}', "/to", "stands twice"),
        (b'{"a": [{"b": 0}, {"b": 0, "b": 0}]}', "/a/1/b", "stands twice"),
        (b'{"a/b~": {"": 0, "": 0}}', "/a~1b~0/", "stands twice"),
        (b'{"x": NaN}', "/x", "NaN"),
        (b"[0, -Infinity]", "/1", "-Infinity"),
        (b'{"x": 1e999}', "/x", "too large"),
        (b'{"x": 18446744073709551616}', "/x", "64 bits"),
        (b'{"x": -9223372036854775809}', "/x", "64 bits"),
        (b'{"x": ' + b"9" * 5_000 + b"}", "/x", "more than 40 characters"),
        (b"[1." + b"0" * 5_000 + b"]", "/0", "more than 40 characters"),
        (rb'["\ud800"]', "/0", "surrogate"),
        (rb'{"\udc00": 0}', "", "surrogate"),
        (b'\xef\xbb\xbf{"a": 1}', "", "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "", "not UTF-8"),
        (b'{"a": "\xff"}', "", "byte 7"),
        (b'{"a": "\xed\xa0\x80"}', "", "not UTF-8"),
        (b"", "line 1, column 1", "not JSON"),
        (b'{"a": 1}\n{"b": 2}', "line 2, column 1", "not JSON"),
        (b'{"a": 01}', "line 1, column 8", "not JSON"),
        (b"{'a': 1}", "line 1, column 2", "not JSON"),
        (b'{"a": 1,}', "line 1, column", "not JSON"),
        (b'["a\nb"]', "line 1, column 4", "not JSON"),
        ("[١]".encode(), "line 1, column 2", "not JSON"),
        (nested(DEPTH_MAX + 1), "/0" * DEPTH_MAX, "nests deeper than 32"),
        (nested(DEPTH_MAX + 1, '{"a":', "}").replace(b":}", b":0}"), "/a" * DEPTH_MAX, "nests"),
        (nested(50_000), "", "nests deeper than 32"),
        (b" " * (LIMIT + 1), "", "at most 100000"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_place(
    raw: bytes, place: str, why: str
) -> None:
    with pytest.raises(BadJson, match=why) as caught:
        decode_json(raw, LIMIT)
    assert caught.value.place.startswith(place)
    assert str(caught.value).isprintable()


def test_plain_json_is_read_as_it_is_meant() -> None:
    raw = '{"a": [1, -2, 0.5, 1e3, true, false, null, "ü😀", {}], "z": 18446744073709551615}'
    assert decode_json(raw.encode(), LIMIT) == {
        "a": [1, -2, 0.5, 1000.0, True, False, None, "ü😀", {}],
        "z": 2**64 - 1,
    }
    assert decode_json(rb'"\ud83d\ude00"', LIMIT) == "😀"
    assert decode_json(nested(DEPTH_MAX), LIMIT)


def test_numbers_can_be_had_as_they_were_written() -> None:
    value = decode_json(b'[1.80, 1e5, 7, "7"]', LIMIT, numbers_as_text=True)
    assert value == ["1.80", "1e5", "7", "7"]
    assert [isinstance(item, NumberText) for item in value] == [True, True, True, False]


def test_a_name_cannot_break_the_line_that_a_fault_is_told_in() -> None:
    with pytest.raises(BadJson) as caught:
        decode_json(rb'{"a\nb\u001b[2J": NaN}', LIMIT)
    assert str(caught.value).isprintable()


def test_a_fault_quotes_so_much_of_a_name_and_no_more() -> None:
    with pytest.raises(BadJson) as caught:
        decode_json(b'{"%s": NaN}' % (b"x" * 90_000), LIMIT)
    assert len(str(caught.value)) < 200
