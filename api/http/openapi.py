"""The OpenAPI document, made from what the service runs on: routes, structs, codes and the table.

`python -m api.http.openapi > docs/spec/payments.openapi.json` writes it anew; a test compares.
What a route may answer follows from what it is: one that reads a body may say 413, one that wants a
credential 401, and every one 500 and 503.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from api.access.roles import Role
from api.access.rules import Access
from api.access.table import TABLE
from api.http.catalogue import CATALOGUE
from api.http.openapi_words import PARAMETERS, PROBLEM_SCHEMA, SECURITY, TAGS
from api.http.problems import PROBLEM
from api.http.resources import ROUTES
from api.http.routes import Idempotency, Route
from api.http.scalars import Scalar

Object = dict[str, Any]
REFERENCES: Final = "#/components/schemas/{name}"
JSON: Final = "application/json"


def make_document(routes: Sequence[Route], table: Mapping[tuple[str, str], Access]) -> Object:
    """Describe routes in OpenAPI 3.1."""
    shown = [route for route in routes if route.described]
    schemas = _Schemas(shown)
    paths: Object = {}
    for route in shown:
        row = table[route.method, route.path]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BillCoin payments",
            "version": "1",
            "summary": "Orders, payments and their validation on a ledger of milk.",
            "description": "Amounts are decimal text, times UTC, ids ULIDs. Within `/api/v1` "
            "things are added and never taken away: ignore members that you don't know. HEAD is "
            "answered wherever GET is.",
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
            "schemas": {**schemas.known, "Problem": PROBLEM_SCHEMA},
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
        schemas, components = msgspec.json.schema_components(
            kinds, schema_hook=_scalar_schema, ref_template=REFERENCES
        )
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


def _operation(route: Route, row: Access, schemas: _Schemas) -> Object:
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
    told["responses"] = _answers(route, row, schemas)
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
        found.append(
            _header(
                "Idempotency-Key",
                "Names this request for seven days: new for each, the same when it is sent again.",
                {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                required=True,
            )
        )
    if route.waits:
        found.append(
            _header(
                "Prefer",
                "`wait=3` holds the answer until it is final, at most so many seconds (RFC 7240).",
                {"type": "string"},
                required=False,
            )
        )
    return found


def _header(name: str, description: str, schema: Object, *, required: bool) -> Object:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _answers(route: Route, row: Access, schemas: _Schemas) -> Object:
    success = _success(route, schemas)
    found = {str(route.status): success, **_problems(route, row)}
    if route.also:
        other = found.setdefault(str(route.also), {**success, "content": {}})
        other["content"] = {**success["content"], **other["content"]}
    return dict(sorted(found.items()))


def _success(route: Route, schemas: _Schemas) -> Object:
    content: Object = {media: {"schema": {"type": "string"}} for media in route.media}
    if route.answer is not None:
        content[JSON] = {"schema": schemas.of(route.answer)}
    return {"description": route.summary.rstrip(".") + ".", "content": content}


def codes_of(route: Route, row: Access) -> list[str]:
    """List every code that a route may answer."""
    found = list(route.codes)
    if route.body is not None or route.query is not None:
        found.append("MALFORMED_REQUEST")
    if route.body is not None:
        found += ["BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_CONTENT_CODING"]
    if not row.anyone:
        found += ["UNAUTHORIZED", "FORBIDDEN", "TOKEN_INVALID"]
    if row.roles or row.people or row.terminal or row.cashier:
        found += ["TOKEN_EXPIRED", "TOKEN_OUTDATED"]
    if row.roles or row.people:
        found += ["SESSION_OVER", "ACCOUNT_SUSPENDED"]
    if row.terminal or row.cashier or Role.CASHIER in row.roles:
        found += ["TERMINAL_REVOKED", "TERMINAL_LOCKED", "NO_CASHIER"]
    if row.step_up:
        found.append("STEP_UP_REQUIRED")
    if route.idempotency is Idempotency.KEY:
        found += ["IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"]
    found += ["INTERNAL", "DATABASE_UNAVAILABLE", "OVERLOADED"]
    return sorted(set(found))


def _problems(route: Route, row: Access) -> Object:
    """Describe the refusals of a route, by status; its codes stand in each."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes_of(route, row):
        by_status[CATALOGUE[code].status].append(code)
    return {str(status): _problem(codes, route) for status, codes in sorted(by_status.items())}


def _problem(codes: Sequence[str], route: Route) -> Object:
    problem: Object = {"$ref": REFERENCES.format(name="Problem")}
    named: Object = {"properties": {"code": {"enum": list(codes)}}}
    told = ", ".join(f"`{code}` ({CATALOGUE[code].title_en})" for code in codes)
    return {
        "description": f"A problem: {told}.",
        "content": {PROBLEM: {"schema": {"allOf": [problem, named]}}},
    }


if __name__ == "__main__":
    sys.stdout.write(format_document())
