"""JSON from outside, read so that two readers can never see two values.

RFC 8259 leaves open what many parsers settle by guessing: which of two equal names counts, how
deep a text may nest, whether `NaN` and lone surrogates are there. I-JSON (RFC 7493) closes most of
it; this reader is of that kind and refuses the rest. What it gives has one meaning.

Invariant: whatever bytes come in, out comes a value or a `BadJson` that says where. A place in a
text that is JSON is a JSON pointer (RFC 6901); in one that isn't, a line and a column. Which names
and types a reader wants is not this module's: give the value to `msgspec.convert`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Final

from ledger.primitives.errors import BadJson

DEPTH_MAX: Final = 32
"""Arrays and objects within one another; the law's own files have fewer than ten."""
NUMBER_CHARS_MAX: Final = 40
INTEGER_LEAST: Final = -(2**63)
INTEGER_MOST: Final = 2**64 - 1
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class NumberText(str):
    """A JSON number as it was written: for who reads decimals, and must not see a float."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Members:
    """An object before its names are looked at."""

    pairs: list[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A value that no reader gets; its place is not known yet."""

    why: str


def decode_json(raw: bytes, limit: int, *, numbers_as_text: bool = False) -> Json:
    """Decode at most `limit` bytes of UTF-8; raise `BadJson`, which says where and why.

    Numbers are `int` (of 64 bits) and finite `float`, or all of them `NumberText` if asked for.

    >>> decode_json(b'{"units": 7, "to": "a", "to": "b"}', 100)
    Traceback (most recent call last):
    ledger.primitives.errors.BadJson: /to: the name stands twice
    """
    if len(raw) > limit:
        raise BadJson("", f"{len(raw)} bytes where at most {limit} are allowed")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise BadJson("", "it begins with a byte order mark: save it as UTF-8 without one")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson("", f"byte {error.start} is not UTF-8") from error
    try:
        value = json.loads(
            text,
            parse_int=_number(NumberText if numbers_as_text else _integer),
            parse_float=_number(NumberText if numbers_as_text else _decimal),
            parse_constant=lambda name: _Refused(f"{name} is not a number of JSON"),
            object_pairs_hook=_Members,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadJson(place, f"not JSON: {error.msg}") from error
    except RecursionError as error:
        raise BadJson("", f"it nests deeper than {DEPTH_MAX}") from error
    return _settle(value, "", 0)


def _number(read: Callable[[str], object]) -> Callable[[str], object]:
    """Guard a reader of numbers against those that cost more to read than they are worth."""

    def guarded(text: str) -> object:
        if len(text) > NUMBER_CHARS_MAX:
            return _Refused(f"a number of more than {NUMBER_CHARS_MAX} characters")
        return read(text)

    return guarded


def _integer(text: str) -> object:
    value = int(text)
    if INTEGER_LEAST <= value <= INTEGER_MOST:
        return value
    return _Refused(f"{text} does not fit in 64 bits")


def _decimal(text: str) -> object:
    value = float(text)
    return value if isfinite(value) else _Refused(f"{text} is too large a number")


def _settle(value: object, place: str, depth: int) -> Json:
    """Give the value that stands at a place, after looking at all that stands in it."""
    match value:
        case _Refused(why):
            raise BadJson(place, why)
        case str():
            _check_text(value, place)
            return value
        case None | bool() | int() | float():
            return value
    if depth == DEPTH_MAX:
        raise BadJson(place, f"it nests deeper than {DEPTH_MAX}")
    if isinstance(value, list):
        return [_settle(item, f"{place}/{i}", depth + 1) for i, item in enumerate(value)]
    assert isinstance(value, _Members), "json gives what its hooks make"
    members: dict[str, Json] = {}
    for name, member in value.pairs:
        _check_text(name, place)
        within = f"{place}/{name.replace('~', '~0').replace('/', '~1')}"
        if name in members:
            raise BadJson(within, "the name stands twice")
        members[name] = _settle(member, within, depth + 1)
    return members


def _check_text(text: str, place: str) -> None:
    """Refuse text that is no Unicode: no UTF-8 can be made of it again."""
    if not text.isascii() and _LONE_SURROGATE.search(text):
        raise BadJson(place, "half of a surrogate pair stands in a text")
