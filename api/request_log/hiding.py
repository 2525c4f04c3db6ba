"""What of a request is kept, and what is hidden: names stay, and values that are no secret.

A value that a route marks as unlogged is hidden, however the request was answered and whatever was
wrong with it. So is the value of a name that the route does not know: a `cuponCode` holds what was
meant for `couponCode`. A body that can't be read is not kept where a route takes a secret. Pure.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, Protocol
from urllib.parse import unquote_plus

import msgspec
from msgspec import inspect

from api.http.unlogged import HIDDEN, hide_codes, holds_code
from api.request_log.model import KeptParts
from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import Json, NumberText, decode_json

_UNKNOWN: Final = inspect.CustomType(object)
"""A form of which nothing is known."""


class Readable(Protocol):
    """What a route says of its requests."""

    @property
    def path(self) -> str: ...  # noqa: D102 - an `api.http.routes.Route` tells
    @property
    def unlogged(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def query(self) -> type[msgspec.Struct] | None: ...  # noqa: D102
    @property
    def body(self) -> type[msgspec.Struct] | None: ...  # noqa: D102


def kept_of(route: Readable, names: Mapping[str, str], query: str, body: bytes | None) -> KeptParts:
    """Give what may be kept of a request to a route; `names` are those of its path."""
    return KeptParts(
        path=_path(route, names),
        query=_query(query, {} if route.query is None else _members_of(route.query)),
        body=None if body is None or route.body is None else _body(body, route.body),
    )


def _path(route: Readable, names: Mapping[str, str]) -> str:
    def shown(segment: str) -> str:
        if not segment.startswith("{"):
            return segment
        name = segment[1:-1]
        return HIDDEN if name in route.unlogged else hide_codes(names[name])

    return "/".join(shown(segment) for segment in route.path.split("/"))


def _query(text: str, known: Mapping[str, inspect.Type]) -> str:
    """Keep each part as it was written, if its name is known and its value is no secret."""

    def shown(part: str) -> str:
        name, equals, value = part.partition("=")
        form = known.get(unquote_plus(name))
        if form is not None and not _is_unlogged(form) and not holds_code(unquote_plus(value)):
            return part
        if holds_code(unquote_plus(name)) or not equals:
            return HIDDEN if part else ""
        return f"{name}={HIDDEN}"

    return "&".join(shown(part) for part in text.split("&"))


def _body(raw: bytes, kind: type[msgspec.Struct]) -> bytes | None:
    """Keep a body as it was sent if nothing in it is hidden, and else anew, without that."""
    try:
        value = decode_json(raw, len(raw), numbers_as_text=True)
    except BadJson:
        return None if _takes_secrets(kind) else _unread(raw)
    shown = _value(value, _form_of(kind))
    return raw if shown == value else msgspec.json.encode(_written(shown))


def _unread(raw: bytes) -> bytes:
    return hide_codes(raw.decode("utf-8", "replace")).encode()


def _value(value: Json, form: inspect.Type) -> Json:
    """Hide what is unlogged in a value of a form, or in what was sent in its place."""
    if _is_unlogged(form):
        return HIDDEN
    match value:
        case NumberText():
            return value
        case str():
            return hide_codes(value)
        case list():
            item = _item_of(form)
            return [_value(one, item) for one in value]
        case dict():
            return _object(value, form)
    return value


def _object(value: dict[str, Json], form: inspect.Type) -> dict[str, Json]:
    plain = _plain(form)
    if isinstance(plain, inspect.DictType):
        return {hide_codes(name): _value(one, plain.value_type) for name, one in value.items()}
    known = _members_of(plain.cls) if isinstance(plain, inspect.StructType) else {}
    return {
        hide_codes(name): HIDDEN if name not in known else _value(one, known[name])
        for name, one in value.items()
    }


def _written(value: Json) -> object:
    """Give a value for an encoder: its numbers as they were written."""
    match value:
        case NumberText():
            return msgspec.Raw(value.encode())
        case list():
            return [_written(one) for one in value]
        case dict():
            return {name: _written(one) for name, one in value.items()}
    return value


@cache
def _form_of(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _members_of(kind: type[msgspec.Struct]) -> Mapping[str, inspect.Type]:
    """List a struct's members by their names on the wire."""
    form = _form_of(kind)
    assert isinstance(form, inspect.StructType), kind
    return {field.encode_name: field.type for field in form.fields}


def _item_of(form: inspect.Type) -> inspect.Type:
    plain = _plain(form)
    if isinstance(plain, inspect.ListType | inspect.SetType | inspect.VarTupleType):
        return plain.item_type
    return _UNKNOWN


def _plain(form: inspect.Type) -> inspect.Type:
    """Give the form that holds others, without what stands around it."""
    match form:
        case inspect.Metadata(type=inner):
            return _plain(inner)
        case inspect.UnionType(types=types):
            held = (_plain(one) for one in types)
            return next((one for one in held if isinstance(one, _HOLDERS)), _UNKNOWN)
    return form


_HOLDERS: Final = (
    inspect.StructType,
    inspect.DictType,
    inspect.ListType,
    inspect.SetType,
    inspect.VarTupleType,
)


def _is_unlogged(form: inspect.Type) -> bool:
    match form:
        case inspect.Metadata(type=inner, extra=extra):
            return bool(extra and extra.get("unlogged")) or _is_unlogged(inner)
        case inspect.UnionType(types=types):
            return any(_is_unlogged(one) for one in types)
    return False


@cache
def _takes_secrets(kind: type[msgspec.Struct]) -> bool:
    """Tell whether a body of a kind has an unlogged member, however deep."""
    return _holds_unlogged(_form_of(kind))


def _holds_unlogged(form: inspect.Type) -> bool:
    if _is_unlogged(form):
        return True
    plain = _plain(form)
    if isinstance(plain, inspect.StructType):
        return any(_holds_unlogged(field.type) for field in plain.fields)
    if isinstance(plain, inspect.DictType):
        return _holds_unlogged(plain.value_type)
    return (
        plain is not _UNKNOWN and isinstance(plain, _HOLDERS) and _holds_unlogged(_item_of(plain))
    )
