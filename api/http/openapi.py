"""The OpenAPI document, made from what the service runs on: routes, structs, codes and the table.

`python -m api.http.openapi > docs/spec/payments.openapi.json` writes it anew; a test compares.
What a route may answer follows from what it is: one that reads a body may say 413, one that wants a
credential 401, and every one 500 and 503.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from api.access.rules import Access
from api.access.table import TABLE
from api.http.json_schemas import describe_types
from api.http.openapi_answers import JSON, REFERENCES, Refusals
from api.http.openapi_words import (
    EARLY_PROBLEM_SCHEMA,
    HEADERS,
    PARAMETERS,
    PROBLEM_SCHEMA,
    SECURITY,
    TAGS,
)
from api.http.resources import ROUTES
from api.http.routes import Idempotency, Route
from api.http.scalars import Scalar

Object = dict[str, Any]


def make_document(routes: Sequence[Route], table: Mapping[tuple[str, str], Access]) -> Object:
    """Describe routes in OpenAPI 3.1."""
    shown = [route for route in routes if route.described]
    schemas, refusals = _Schemas(shown), Refusals()
    paths: Object = {}
    for route in shown:
        row = table[route.method, route.path]
        operation = _operation(route, row, schemas, refusals)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BillCoin payments",
            "version": "1",
            "summary": "Orders, payments and their validation on a ledger of milk.",
            "description": "Amounts are decimal text, times UTC, ids ULIDs. Within `/api/v1` "
            "things are added and never taken away: ignore members that you don't know. HEAD is "
            "answered wherever GET is.",
            "contact": {"name": "The office of your dairy union"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [
            {"name": name, "description": TAGS[name]}
            for name in TAGS
            if any(route.tag == name for route in shown)
        ],
        "paths": paths,
        "components": {
            "schemas": {
                **schemas.known,
                "Problem": PROBLEM_SCHEMA,
                "EarlyProblem": EARLY_PROBLEM_SCHEMA,
            },
            "responses": dict(sorted(refusals.known.items())),
            "parameters": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def format_document() -> str:
    """Write the document of the whole service as its file."""
    return json.dumps(make_document(ROUTES, TABLE), indent=2, ensure_ascii=False) + "\n"


def _scalar_schema(kind: type) -> Object:
    if issubclass(kind, Scalar):
        return dict(kind.schema)
    raise NotImplementedError(f"{kind.__name__} has no schema")


class _Schemas:
    """The JSON Schemas of all that routes read and answer; `known` are those with a name."""

    def __init__(self, routes: Sequence[Route]) -> None:
        kinds = [
            kind
            for route in routes
            for kind in (route.body, route.query, route.answer)
            if kind is not None
        ]
        schemas, components = describe_types(kinds, REFERENCES, _scalar_schema)
        self._schemas = {id(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
        queries = {route.query.__name__ for route in routes if route.query is not None}
        self._queries = {name: components[name] for name in queries}
        self.known = {
            name: schema for name, schema in sorted(components.items()) if name not in queries
        }

    def of(self, kind: object) -> Object:
        """Describe a type."""
        return dict(self._schemas[id(kind)])

    def members(self, query: type[msgspec.Struct]) -> Object:
        """Describe the members of a query."""
        return dict(self._queries[query.__name__]["properties"])


def _operation(route: Route, row: Access, schemas: _Schemas, refusals: Refusals) -> Object:
    told: Object = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary.rstrip("."),
        "description": _description(route, row),
        "security": _security(row),
        "parameters": _parameters(route, schemas),
    }
    if route.body is not None:
        content = {JSON: {"schema": schemas.of(route.body)}}
        told["requestBody"] = {"required": True, "content": content}
    told["responses"] = refusals.around(route, row, _success(route, schemas))
    return {name: value for name, value in told.items() if value != []} | {
        "security": told["security"]
    }


def _description(route: Route, row: Access) -> str:
    parts = [route.summary.rstrip(".") + "."]
    if not row.anyone:
        parts.append(f"For: {', '.join(_admitted(row))}.")
    if route.idempotency is Idempotency.KEY:
        parts.append("Sent again with its key, it is answered as before and done once.")
    if route.idempotency is Idempotency.NATURAL:
        parts.append("It may be sent again: it counts once.")
    return " ".join(parts)


def _admitted(row: Access) -> list[str]:
    found = [f"a key with `{row.scope}`"] if row.scope else []
    found += ["any key"] if row.any_key else []
    found += [
        f"{role.replace('_', ' ')}{' after a step-up' if role in row.step_up else ''}"
        for role in sorted(row.roles)
    ]
    found += ["whoever has logged in"] if row.people else []
    found += ["a paired terminal"] if row.terminal else []
    found += ["a paired terminal with a cashier"] if row.cashier else []
    found += ["a signer"] if row.signer else []
    found += ["everyone, while the live page is open to all"] if row.board else []
    return found


def _security(row: Access) -> list[Object]:
    if row.anyone:
        return []
    schemes: list[Object] = [{"apiKey": []}] if row.scope or row.any_key else []
    schemes += [{"accessToken": []}] if row.roles or row.people or _tills(row) else []
    schemes += [{"signerToken": []}] if row.signer else []
    return schemes + ([{}] if row.board else [])


def _tills(row: Access) -> bool:
    """Tell whether a row admits tills that nobody's role opens it to."""
    return row.terminal or row.cashier


def _parameters(route: Route, schemas: _Schemas) -> list[Object]:
    found = [
        {"name": name, "in": "path", "required": True, **PARAMETERS[name]}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query is not None:
        for name, schema in schemas.members(route.query).items():
            described = {key: schema.pop(key) for key in ("description",) if key in schema}
            found.append({"name": name, "in": "query", **described, "schema": schema})
    if route.idempotency is Idempotency.KEY:
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if route.waits:
        found.append({"$ref": "#/components/parameters/Prefer"})
    return found


def _success(route: Route, schemas: _Schemas) -> Object:
    content: Object = {
        media: {"schema": {"type": "object" if media == JSON else "string"}}
        for media in route.media
    }
    if route.answer is not None:
        content[JSON] = {"schema": schemas.of(route.answer)}
    return {"description": route.summary.rstrip(".") + ".", "content": content}


if __name__ == "__main__":
    sys.stdout.write(format_document())
