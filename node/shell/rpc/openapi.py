"""The OpenAPI document of a node's HTTP interface, made from the table that routes and client read.

`python -m node.shell.rpc.openapi > docs/spec/node.openapi.json` writes it anew; a test compares.
Schemas tell what `present` makes of the views: amounts in BILL, ids in hex, addresses in bech32m.
"""

import json
import sys
from collections import defaultdict
from http import HTTPStatus
from inspect import cleandoc
from typing import Final

from msgspec import inspect

from node.client.parameters import Parameter
from node.client.queries import JSON, MSGPACK, QUERIES, SUBMIT
from node.client.query import Query
from node.client.requests import SUBMIT_MAX, Request
from node.client.views import ADDRESS_NAMES, Json, bill_name
from node.httpd.problems import PROBLEM
from node.shell.rpc.bodies import BODY_BYTES_MAX

Object = dict[str, Json]
_HEX: Final[Object] = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
_ADDRESS: Final[Object] = {
    "type": "string",
    "pattern": "^[a-z]{2,16}1[02-9ac-hj-np-z]+$",
    "description": "bech32m.",
}
_BILL: Final[Object] = {
    "type": "string",
    "pattern": "^[0-9]+\\.[0-9]{6}$",
    "description": "BILL, which are litres, with six decimals.",
}
_PACKED: Final[Object] = {
    "description": "The same in MessagePack: a map of fields by name (a receipt is an array), "
    "ids and addresses as bytes, amounts as whole units under `*_units` in place of `*_bill`."
}
_PROBLEM: Final[Object] = {
    "type": "object",
    "description": "A problem of RFC 9457.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable: for programs to go by."},
        "detail": {"type": "string", "description": "For people: what to do."},
        "taken": {
            "enum": ["no", "unknown"],
            "description": "After a POST: whether it may have been carried out all the same.",
        },
        "txids": {
            "type": "array",
            "items": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"},
            "description": "If that is unknown: what to ask for, in the order of the batch.",
        },
    },
}


def make_document() -> Object:
    """Describe every row of the table in OpenAPI 3.1."""
    shapes = _Shapes()
    paths: Object = {}
    for query in QUERIES:
        paths[query.path] = {query.method.lower(): _operation(query, shapes)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A BillCoin node",
            "version": "v1",
            "description": "What a node tells of its chain, and how transactions are handed in. "
            "HEAD is answered wherever GET is.",
        },
        "paths": paths,
        "components": {"schemas": {**shapes.known, "Problem": _PROBLEM}},
    }


def format_document() -> str:
    """Write the document as its file."""
    return json.dumps(make_document(), indent=2) + "\n"


def _operation(query: Query[Request, object], shapes: "_Shapes") -> Object:
    responses: Object = {
        "200": {"description": query.summary, "content": _content(query, shapes)},
    }
    codes: defaultdict[HTTPStatus, list[str]] = defaultdict(list)
    for parameter in query.parameters:
        codes[HTTPStatus.BAD_REQUEST].append(f"bad_{parameter.name}")
    for status, code in (*query.faults, (HTTPStatus.SERVICE_UNAVAILABLE, "node_unavailable")):
        codes[status].append(code)
    for status, those in sorted(codes.items()):
        responses[str(status.value)] = {
            "description": f"A problem: {', '.join(f'`{code}`' for code in those)}.",
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation: Object = {"operationId": query.name, "summary": query.summary}
    if query.parameters:
        operation["parameters"] = [_parameter(each, query.path) for each in query.parameters]
    if query.name == SUBMIT.name:
        operation["requestBody"] = _batch()
    return {**operation, "responses": responses}


def _parameter(parameter: Parameter, path: str) -> Object:
    in_path = f"{{{parameter.name}}}" in path
    schema: Object = dict(parameter.form.schema)
    if parameter.default and schema["type"] == "integer":
        (schema["default"],) = parameter.default  # type: ignore[assignment]
    return {
        "name": parameter.name,
        "in": "path" if in_path else "query",
        "required": in_path,
        "schema": schema,
    }


def _batch() -> Object:
    bounds: Object = {"type": "array", "minItems": 1, "maxItems": SUBMIT_MAX}
    batch: Object = {
        "type": "object",
        "required": ["transactions"],
        "additionalProperties": False,
        "properties": {"transactions": {**bounds, "items": _HEX}},
    }
    return {
        "required": True,
        "description": f"Signed transactions (docs/spec/encoding.md), in {BODY_BYTES_MAX} bytes.",
        "content": {
            JSON: {"schema": batch},
            MSGPACK: {"schema": {**bounds, "description": "Byte strings."}},
        },
    }


def _content(query: Query[Request, object], shapes: "_Shapes") -> Object:
    if query.media:
        return {query.media: {}}
    schema = shapes.of(inspect.type_info(query.answer), "")
    if query.under:
        schema = {
            "type": "object",
            "required": [query.under],
            "additionalProperties": False,
            "properties": {query.under: schema},
        }
    return {JSON: {"schema": schema}, MSGPACK: {"schema": _PACKED}}


class _Shapes:
    """The JSON Schemas of what `present` makes of views; `known` are those of structs."""

    def __init__(self) -> None:
        self.known: Object = {}

    def of(self, shape: inspect.Type, name: str) -> Object:
        """Describe a value of a field of this name."""
        match shape:
            case inspect.StructType():
                return self._struct(shape)
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                return {"type": "array", "items": self.of(item, name)}
            case inspect.TupleType(item_types=items):
                parts: list[Json] = [self.of(each, name) for each in items]
                count = len(items)
                return {"type": "array", "prefixItems": parts, "minItems": count, "maxItems": count}
            case inspect.UnionType(types=types):
                return {"anyOf": [self.of(each, name) for each in types]}
            case inspect.EnumType(cls=kind):
                return {"enum": [member.value for member in kind]}
            case inspect.BytesType():
                return _ADDRESS if name in ADDRESS_NAMES else _HEX
            case inspect.IntType():
                return _BILL if bill_name(name) else {"type": "integer"}
        words = {
            inspect.StrType: "string",
            inspect.BoolType: "boolean",
            inspect.FloatType: "number",
            inspect.NoneType: "null",
        }
        return {"type": words[type(shape)]}

    def _struct(self, shape: inspect.StructType) -> Object:
        """Describe a struct once, and refer to it."""
        name = shape.cls.__name__
        if name not in self.known:
            self.known[name] = None  # Before its fields: one of them may hold its like.
            properties: Object = {
                self._shown(field): self.of(field.type, field.name) for field in shape.fields
            }
            self.known[name] = {
                "type": "object",
                "description": cleandoc(shape.cls.__doc__ or ""),
                "required": list(properties),
                "additionalProperties": False,
                "properties": properties,
            }
        return {"$ref": f"#/components/schemas/{name}"}

    @staticmethod
    def _shown(field: inspect.Field) -> str:
        is_amount = isinstance(field.type, inspect.IntType)
        return (bill_name(field.name) if is_amount else "") or field.name


if __name__ == "__main__":
    sys.stdout.write(format_document())
