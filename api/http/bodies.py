"""Bodies and queries, read strictly into structs.

A body is read in this order: its kind, its size, its JSON (no name twice, no number as a float, no
text that is no Unicode), then its members. Whatever is wrong is a `MalformedRequest` that points at
each fault: an unknown member is as wrong as a missing one, since a misspelt `amout` must not be
taken for none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

import msgspec
from msgspec import inspect
from starlette.requests import Request

from api.errors import MalformedRequest, Pointer, TooLarge, UnsupportedCoding, UnsupportedType
from api.http.scalars import DecimalNumber, Scalar
from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import Json, NumberText, decode_json

S = TypeVar("S", bound=msgspec.Struct)

FAULTS_MAX: Final = 16
"""So many faults of one request are pointed at."""
NUL: Final = "\0"
_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z][A-Z_]+", re.ASCII)
_AT: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]*)\]")
_NAMED: Final = re.compile(r"(?:missing required|contains unknown) field `(?P<name>[^`]*)`")


async def read_bytes(request: Request, limit: int) -> bytes:
    """Read a JSON body of at most `limit` bytes; raise `UnsupportedType` or `TooLarge`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedType(f"this route reads application/json, not {kind[:60] or 'nothing'}")
    coding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedCoding(f"a body in {coding[:60]!r} is not read: send it as it is")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:12]) > limit:
        raise TooLarge(f"at most {limit} bytes are read here")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"at most {limit} bytes are read here")
        parts.append(part)
    return b"".join(parts)


def read_json(raw: bytes) -> dict[str, Json]:
    """Read a JSON object; numbers stay text, and what could be read in two ways is refused."""
    try:
        value = decode_json(raw, len(raw), numbers_as_text=True)
    except BadJson as fault:
        where = fault.place if fault.place.startswith("/") else ""
        raise MalformedRequest(
            f"the body is not JSON as it should be: {fault}",
            errors=(Pointer(where, "INVALID_JSON"),),
        ) from fault
    if not isinstance(value, dict):
        raise MalformedRequest(
            "the body is not a JSON object", errors=(Pointer("", "NOT_AN_OBJECT"),)
        )
    return value


def decode_body(raw: bytes, kind: type[S]) -> S:
    """Read a body into a struct; raise `MalformedRequest` that points at every fault."""
    members = {name: _settled(value) for name, value in read_json(raw).items()}
    return _converted(members, kind, "")


def decode_query(pairs: Sequence[tuple[str, str]], kind: type[S]) -> S:
    """Read a query string's pairs into a struct; pointers then begin with `/query`."""
    wholes, booleans = _fields_of(kind, inspect.IntType), _fields_of(kind, inspect.BoolType)
    members: dict[str, object] = {}
    faults = []
    for name, text in pairs:
        if name in members:
            faults.append(Pointer(f"/query{_step(name)}", "TWICE"))
        whole = name in wholes and _WHOLE.fullmatch(text) is not None
        members[name] = int(text) if whole else text
        if name in booleans:
            members[name] = {"true": True, "false": False}.get(text, text)
    if faults:
        raise _malformed(faults)
    return _converted(members, kind, "/query")


@cache
def _fields_of(kind: type[msgspec.Struct], form: type[inspect.Type]) -> frozenset[str]:
    """List the members of a query that are of a form, by their names on the wire."""
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType), kind
    return frozenset(
        field.encode_name
        for field in shape.fields
        if any(isinstance(part, form) for part in _parts(field.type))
    )


def _parts(shape: inspect.Type) -> tuple[inspect.Type, ...]:
    match shape:
        case inspect.Metadata(type=inner):
            return _parts(inner)
        case inspect.UnionType(types=types):
            return tuple(part for one in types for part in _parts(one))
    return (shape,)


def _settled(value: object) -> object:
    """Make whole numbers of those that are written so; others keep their text, as no string."""
    match value:
        case NumberText():
            return int(value) if _WHOLE.fullmatch(value) else DecimalNumber(str(value))
        case list():
            return [_settled(item) for item in value]
        case dict():
            return {name: _settled(member) for name, member in value.items()}
    return value


def _read_scalar(kind: type, value: object) -> object:
    if issubclass(kind, Scalar):
        return kind.read(value)
    raise NotImplementedError(f"{kind.__name__} is no scalar")


def write_scalar(value: object) -> str:
    """Give a scalar's one text, for an encoder of requests."""
    if isinstance(value, Scalar):
        return value.written()
    raise NotImplementedError(f"{type(value).__name__} is no scalar")


def _converted(members: Mapping[str, object], kind: type[S], where: str) -> S:
    if nuls := list(_nuls(members, where)):
        raise _malformed(nuls)
    try:
        return msgspec.convert(members, kind, dec_hook=_read_scalar)
    except msgspec.ValidationError as fault:
        raise _malformed(_faults(members, kind, where) or [_fault(fault, where)]) from fault


def _nuls(value: object, where: str) -> Iterator[Pointer]:
    """Point at texts that hold a NUL, wherever they are: PostgreSQL keeps none."""
    match value:
        case str() if NUL in value:
            yield Pointer(where, "HOLDS_NUL")
        case list():
            for place, item in enumerate(value):
                yield from _nuls(item, f"{where}/{place}")
        case dict():
            for name, member in value.items():
                if NUL in name:
                    yield Pointer(where, "HOLDS_NUL")
                yield from _nuls(member, where + _step(name))


def _malformed(faults: Sequence[Pointer]) -> MalformedRequest:
    told = faults[:FAULTS_MAX]
    where = ", ".join(f"{fault.pointer or 'the whole'} ({fault.code})" for fault in told)
    return MalformedRequest(f"these members can't be used: {where}", errors=tuple(told))


def _faults(members: Mapping[str, object], kind: type[msgspec.Struct], where: str) -> list[Pointer]:
    """Look at each member by itself, since a conversion stops at its first fault."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = [
        Pointer(f"{where}{_step(name)}", "UNKNOWN_FIELD") for name in members if name not in fields
    ]
    for name, field in fields.items():
        place = f"{where}{_step(name)}"
        if name not in members:
            if field.required:
                found.append(Pointer(place, "MISSING"))
            continue
        try:
            msgspec.convert(members[name], field.type, dec_hook=_read_scalar)
        except msgspec.ValidationError as fault:
            found.append(_fault(fault, place))
    return found


def _fault(fault: msgspec.ValidationError, where: str) -> Pointer:
    """Say in a pointer and a code what a conversion says in words."""
    text = str(fault)
    at = _AT.search(text)
    message = text[: at.start()] if at else text
    steps = _STEP.finditer(at["path"]) if at else ()
    place = where + "".join(_step(step["name"] or step["index"]) for step in steps)
    if named := _NAMED.search(message):
        missing = message.startswith("Object missing")
        return Pointer(place + _step(named["name"]), "MISSING" if missing else "UNKNOWN_FIELD")
    return Pointer(place, _code(message))


def _step(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


_CODES: Final = (
    ("Expected `str`, got", "NOT_A_STRING"),
    ("Expected `int`, got", "NOT_A_WHOLE_NUMBER"),
    ("Expected `bool`, got", "NOT_A_BOOLEAN"),
    ("Expected `array`, got", "NOT_AN_ARRAY"),
    ("Expected `object`, got", "NOT_AN_OBJECT"),
    ("Expected `int`", "OUT_OF_RANGE"),
    ("Expected `str` of length", "WRONG_LENGTH"),
    ("Expected `array` of length", "WRONG_LENGTH"),
    ("Expected `object` of length", "WRONG_LENGTH"),
    ("Expected `str` matching", "WRONG_FORMAT"),
    ("Invalid enum value", "UNKNOWN_VALUE"),
    ("Expected ", "WRONG_TYPE"),
)


def _code(message: str) -> str:
    """Give the code of a conversion's words; a scalar's own words are its code."""
    if _CODE.fullmatch(message):
        return message
    return next((code for words, code in _CODES if message.startswith(words)), "REFUSED")
