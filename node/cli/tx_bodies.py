"""Bodies in words: a JSON object becomes any body of the law, with addresses as people write them.

`{"type": "freeze_account", "address": "dbill1...", "frozen": true}`: the type's name is its tag on
the wire, the fields are those of its struct in `ledger.types` by their public names. Bytes are hex;
where an address can stand, one of this network may. Units, times and prices are whole numbers.
What is signed has one meaning: equal names and other doubtful JSON are refused (`node.json_file`).
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import inspect

from ledger.primitives.errors import BadHex, PrimitiveFault
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import Address, Policy, PublicKey, parse_address
from ledger.types.transaction import Body
from node.errors import BadArgument
from node.json_file import read_json_object

_BODIES: Final = inspect.type_info(Body)
assert isinstance(_BODIES, inspect.UnionType)
_SHAPES: Final = {
    str(shape.tag): shape for shape in _BODIES.types if isinstance(shape, inspect.StructType)
}


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    threshold: int
    keys: list[str]


def read_body(path: Path, prefix: str) -> Body:
    """Read a body from a JSON file; raise `BadArgument` that says what is wrong where."""
    found: dict[str, object] = {**read_json_object(path)}
    shape = _SHAPES.get(str(found.pop("type", None)))
    if shape is None:
        raise BadArgument(f'{path}: "type" must be one of {", ".join(sorted(_SHAPES))}')
    try:
        body: Body = msgspec.convert(
            [shape.tag, *_fields(found, shape, prefix)], Body, builtin_types=(bytes,)
        )
    except (msgspec.ValidationError, PrimitiveFault, ValueError) as error:
        raise BadArgument(f"{path}: {error}") from error
    return body


def read_policy(path: Path) -> Policy:
    """Read `{"threshold": 2, "keys": ["...", ...]}`; the order of the keys does not matter."""
    found = read_json_object(path)
    try:
        words = msgspec.convert(found, _Policy)
        keys = sorted(PublicKey(parse_hex(key)) for key in words.keys)
        policy = msgspec.convert((words.threshold, keys), Policy, builtin_types=(bytes,))
        policy.check()
    except (msgspec.ValidationError, PrimitiveFault, ValueError) as error:
        raise BadArgument(f"{path}: it is no threshold with keys in hex: {error}") from error
    return policy


def _fields(found: dict[str, object], shape: inspect.StructType, prefix: str) -> list[object]:
    """Put a struct's fields into their order on the wire."""
    known = [field.encode_name for field in shape.fields]
    if set(found) - set(known):
        raise ValueError(f"{sorted(set(found) - set(known))} is no field; there are {known}")
    missing = [
        field.encode_name
        for field in shape.fields
        if field.required and field.encode_name not in found
    ]
    if missing:
        raise ValueError(f"{missing} must be there")
    return [
        _value(found[field.encode_name], field.type, prefix, field.encode_name)
        if field.encode_name in found
        else field.default
        for field in shape.fields
    ]


def _value(found: object, kind: inspect.Type, prefix: str, where: str) -> object:
    match kind:
        case inspect.BytesType() if isinstance(found, str):
            return _bytes(found, prefix, where)
        case inspect.StructType() if isinstance(found, dict):
            tag = [] if kind.tag is None else [kind.tag]
            return [*tag, *_fields(found, kind, prefix)]
        case inspect.UnionType() if found is not None:
            [inner] = (each for each in kind.types if not isinstance(each, inspect.NoneType))
            return _value(found, inner, prefix, where)
        case inspect.VarTupleType() if isinstance(found, list):
            return [_value(each, kind.item_type, prefix, where) for each in found]
        case _:
            return found


def _bytes(text: str, prefix: str, where: str) -> bytes | Address:
    if text.startswith(f"{prefix}1"):
        return parse_address(text, prefix)
    try:
        return parse_hex(text)
    except BadHex:
        raise ValueError(f"{where}: {text[:80]!r} is neither hex nor an address") from None
