"""Values of any type, and bytes that are almost their encodings: all drawn from one `Random`.

A type's own constraints are what is drawn from, its bounds more often than what lies between.
Mutants are encodings that were damaged; respellings say the same in MessagePack's other words, as
no encoder of ours would.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import msgspec
from msgspec import inspect as shapes

DEPTH_MAX = 6
ITEMS_MAX = 3
TRIES = 200
_INT_LEAST, _INT_MOST = -(2**63), 2**64 - 1
_TEXT = "aZ09 _é€😀\x00"
_HEX = "0123456789abcdef"


class Undrawable(Exception):
    """No value was found that the type's own checks let pass."""


def value_of(kind: object, random: Random) -> object:
    """Draw a value of a type."""
    return _value(shapes.type_info(kind), random, 0)


def _value(shape: shapes.Type, random: Random, depth: int) -> object:
    return _DRAWN[type(shape)](shape, random, depth)


def _int(shape, random: Random, depth: int) -> int:
    least = _first(shape.ge, None if shape.gt is None else shape.gt + 1, _INT_LEAST)
    most = _first(shape.le, None if shape.lt is None else shape.lt - 1, _INT_MOST)
    drawn = random.choice((least, most, 0, 1, 127, 128, 255, 65_536, 2**32, 2**63 - 1, None))
    if drawn is None or not least <= drawn <= most:
        return random.randint(least, most)
    return drawn


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _length(shape, random: Random, usual: int) -> int:
    least = shape.min_length or 0
    most = least + usual if shape.max_length is None else shape.max_length
    return random.choice(
        (least, min(most, least + 1), random.randint(least, min(most, least + usual)))
    )


def _bytes(shape, random: Random, depth: int) -> bytes:
    return random.randbytes(_length(shape, random, 40))


_PATTERNED = (
    "1.800000",
    "1.80",
    "dbill1qqqq",
    "01JD0000000000000000000000",
    "h1_" + "a" * 24,
    "DAY_LIMIT",
    "a" * 8,
)


def _str(shape, random: Random, depth: int) -> str:
    if shape.pattern is None:
        return "".join(random.choices(_TEXT, k=_length(shape, random, 20)))
    tried = (
        "".join(random.choices(alphabet, k=size))
        for alphabet in (_HEX, "abc")
        for size in (64, 1, 4)
    )
    words = re.findall(r"[a-z]+", shape.pattern)
    return next(text for text in (*tried, *words, *_PATTERNED) if re.search(shape.pattern, text))


def _tuple(shape, random: Random, depth: int) -> tuple:
    usual = 0 if depth >= DEPTH_MAX else ITEMS_MAX
    count = min(_length(shape, random, usual), max(usual, shape.min_length or 0))
    return tuple(_value(shape.item_type, random, depth + 1) for _ in range(count))


def _dict(shape, random: Random, depth: int) -> dict:
    return {
        _value(shape.key_type, random, depth + 1): _value(shape.value_type, random, depth + 1)
        for _ in range(max(shape.min_length or 0, random.randrange(ITEMS_MAX)))
    }


def _union(shape, random: Random, depth: int) -> object:
    kinds = shape.types
    if depth >= DEPTH_MAX:
        kinds = [one for one in kinds if isinstance(one, shapes.NoneType)] or kinds
    return _value(random.choice(kinds), random, depth + 1)


def _struct(shape, random: Random, depth: int) -> object:
    for _ in range(TRIES):
        drawn = {one.name: _value(one.type, random, depth + 1) for one in shape.fields}
        try:
            return shape.cls(**drawn)
        except (ValueError, AssertionError):
            continue  # The struct has a law that its fields' types do not tell.
    raise Undrawable(shape.cls.__name__)


_DRAWN: dict[type, Callable] = {
    shapes.AnyType: lambda *_: None,
    shapes.NoneType: lambda *_: None,
    shapes.RawType: lambda *_: msgspec.Raw(b"\xc0"),
    shapes.BoolType: lambda shape, random, depth: random.random() < 0.5,
    shapes.IntType: _int,
    shapes.FloatType: lambda shape, random, depth: random.choice((0.0, -1.5, 1e300)),
    shapes.StrType: _str,
    shapes.BytesType: _bytes,
    shapes.EnumType: lambda shape, random, depth: random.choice(list(shape.cls)),
    shapes.LiteralType: lambda shape, random, depth: random.choice(shape.values),
    shapes.UnionType: _union,
    shapes.VarTupleType: _tuple,
    shapes.ListType: lambda *of: list(_tuple(*of)),
    shapes.TupleType: lambda shape, random, depth: tuple(
        _value(one, random, depth + 1) for one in shape.item_types
    ),
    shapes.DictType: _dict,
    shapes.StructType: _struct,
    shapes.DataclassType: _struct,
    shapes.Metadata: lambda shape, random, depth: _value(shape.type, random, depth),
}


# Damage.


def mutant_of(raw: bytes, random: Random) -> bytes:
    """Damage an encoding in a few places."""
    out = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(_DAMAGES)(out, random)
    return bytes(out)


def _flip(out: bytearray, random: Random) -> None:
    if out:
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)


def _splice(out: bytearray, random: Random) -> None:
    at = random.randint(0, len(out))
    out[at : at + random.randrange(3)] = random.randbytes(random.randrange(4))


def _cut(out: bytearray, random: Random) -> None:
    del out[random.randint(0, len(out)) :]


def _extend(out: bytearray, random: Random) -> None:
    out += random.randbytes(random.randint(1, 9))


def _repeat(out: bytearray, random: Random) -> None:
    at, size = random.randint(0, len(out)), random.randint(1, 40)
    out[at:at] = out[at : at + size]


def _promise(out: bytearray, random: Random) -> None:
    """Announce far more than follows: a decoder that believed it would run out of memory."""
    at = random.randint(0, len(out))
    out[at : at + 1] = (
        random.choice((0xC6, 0xC9, 0xDB, 0xDD, 0xDF)).to_bytes() + b"\xff\xff\xff\xff"
    )


def _nest(out: bytearray, random: Random) -> None:
    at = random.randint(0, len(out))
    out[at:at] = random.choice((b"\x91", b"\x81")) * random.choice((1, 40, 5_000))


_DAMAGES = (_flip, _flip, _splice, _splice, _cut, _extend, _repeat, _promise, _nest)


# Other words for the same.


@dataclass(frozen=True)
class Token:
    """One head of MessagePack: what it announces, where it stands, and its number."""

    family: str
    start: int
    stop: int
    number: int


def tokens(raw: bytes) -> Iterator[Token]:
    """Walk the heads of an encoding; payloads of strings and bytes are stepped over."""
    at = 0
    while at < len(raw):
        token = _token(raw, at)
        yield token
        at = token.stop + (token.number if token.family in ("bin", "str") else 0)


_SIZED = {
    0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"),
    0xCB: ("float", ">d"),
    0xCC: ("int", ">B"), 0xCD: ("int", ">H"), 0xCE: ("int", ">I"), 0xCF: ("int", ">Q"),
    0xD0: ("int", ">b"), 0xD1: ("int", ">h"), 0xD2: ("int", ">i"), 0xD3: ("int", ">q"),
    0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"),
    0xDC: ("array", ">H"), 0xDD: ("array", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip
_CONSTANT = {0xC0: "nil", 0xC2: "bool", 0xC3: "bool"}


def _token(raw: bytes, at: int) -> Token:
    head = raw[at]
    if head in _SIZED:
        family, form = _SIZED[head]
        stop = at + 1 + struct.calcsize(form)
        return Token(family, at, stop, struct.unpack(form, raw[at + 1 : stop])[0])
    if head in _CONSTANT:
        return Token(_CONSTANT[head], at, at + 1, head)
    if head < 0x80:
        return Token("int", at, at + 1, head)
    if head >= 0xE0:
        return Token("int", at, at + 1, head - 256)
    if head < 0x90:
        return Token("map", at, at + 1, head & 15)
    return (
        Token("array", at, at + 1, head & 15)
        if head < 0xA0
        else Token("str", at, at + 1, head & 31)
    )


_WIDER = {
    "int": ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"),
            (0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q")),
    "bin": ((0xC5, ">H"), (0xC6, ">I")),
    "str": ((0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I")),
    "array": ((0xDC, ">H"), (0xDD, ">I")),
    "map": ((0xDE, ">H"), (0xDF, ">I")),
}  # fmt: skip


def respelled(raw: bytes, random: Random) -> bytes | None:
    """Say one head of a canonical encoding in longer words; None if it has none that could."""
    places = [token for token in tokens(raw) if token.family in _WIDER]
    if not places:
        return None
    token = random.choice(places)
    heads = [
        bytes([code]) + struct.pack(form, token.number)
        for code, form in _WIDER[token.family]
        if _fits(form, token.number)
    ]
    longer = [head for head in heads if head != raw[token.start : token.stop]]
    return raw[: token.start] + random.choice(longer) + raw[token.stop :] if longer else None


def _fits(form: str, number: int) -> bool:
    try:
        struct.pack(form, number)
    except struct.error:
        return False
    return True


def recast(raw: bytes, random: Random) -> bytes | None:
    """Turn one token of an encoding into its sibling of another family; None if it has none."""
    siblings: dict[str, Callable[[Token], bytes]] = {
        "str": lambda token: struct.pack(">BI", 0xC6, token.number),
        "bin": lambda token: struct.pack(">BI", 0xDB, token.number),
        "int": lambda token: struct.pack(">Bd", 0xCB, token.number),
        "bool": lambda token: bytes([token.number - 0xC2]),
        "nil": lambda token: b"\x90",
        "map": lambda token: struct.pack(">BI", 0xDD, 2 * token.number),
    }
    places = [token for token in tokens(raw) if token.family in siblings]
    if not places:
        return None
    token = random.choice(places)
    return raw[: token.start] + siblings[token.family](token) + raw[token.stop :]


def with_a_key_twice(raw: bytes) -> bytes | None:
    """Put the first entry of the first map in twice; None if there is no map with one."""
    for token in tokens(raw):
        if token.family == "map" and token.number:
            entry = raw[token.stop : _end(raw, token.stop, 2)]
            head = struct.pack(">BH", 0xDE, token.number + 1)
            if token.number < 15:
                head = bytes([0x80 + token.number + 1])
            return raw[: token.start] + head + entry + raw[token.stop :]
    return None


def _end(raw: bytes, at: int, count: int) -> int:
    """Find where so many values end."""
    while count:
        token = _token(raw, at)
        at = token.stop + (token.number if token.family in ("bin", "str") else 0)
        count += {"array": token.number, "map": 2 * token.number}.get(token.family, 0) - 1
    return at
