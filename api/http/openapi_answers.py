"""What OpenAPI says of refusals: which codes a route may answer, and each set of them once.

What a route may answer follows from what it is: one that reads a body may say 413, one that wants a
credential 401, and every one 500 and 503.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from api.access.roles import Role
from api.access.rules import Access
from api.http.catalogue import CATALOGUE
from api.http.problems import PROBLEM
from api.http.routes import Idempotency, Route
from api.limits.doorkeeper import UNLIMITED_TAGS

Object = dict[str, Any]
REFERENCES: Final = "#/components/schemas/{name}"
JSON: Final = "application/json"
NAMED_CODES_MAX: Final = 4
"""A larger set is told where it stands: a name of all of them would say less."""
_EARLY: Final = "RefusedEarly"


def codes_of(route: Route, row: Access) -> list[str]:
    """List every code that a route may answer."""
    found = list(route.codes)
    if route.body is not None or route.query is not None:
        found.append("MALFORMED_REQUEST")
    if route.body is not None:
        found += ["BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_CONTENT_CODING"]
    if not row.anyone:
        found += ["UNAUTHORIZED", "FORBIDDEN", "TOKEN_INVALID"]
    if row.scope or row.any_key:
        found.append("WRONG_MODE")
    if row.roles or row.people or row.terminal or row.cashier:
        found += ["TOKEN_EXPIRED", "TOKEN_OUTDATED"]
    if row.roles or row.people:
        found += ["SESSION_OVER", "ACCOUNT_SUSPENDED"]
    if row.terminal or row.cashier or Role.CASHIER in row.roles:
        found += ["TERMINAL_REVOKED", "TERMINAL_LOCKED", "NO_CASHIER"]
    if route.tag not in UNLIMITED_TAGS and (row.anyone or row.board or row.people or row.roles):
        found.append("RATE_LIMITED")
    if row.step_up:
        found.append("STEP_UP_REQUIRED")
    if "{" in route.path:
        found.append("NOT_FOUND")
    if route.idempotency is Idempotency.KEY:
        found += ["IDEMPOTENCY_KEY_REQUIRED", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"]
    found += ["INTERNAL", "DATABASE_UNAVAILABLE", "OVERLOADED"]
    return sorted(set(found))


class Refusals:
    """The refusals of all routes; `known` are those with a name."""

    def __init__(self) -> None:
        self.known: dict[str, Object] = {
            _EARLY: {
                "description": "The head of the request is too large: no route has seen it.",
                "content": {PROBLEM: {"schema": {"$ref": REFERENCES.format(name="EarlyProblem")}}},
            }
        }

    def around(self, route: Route, row: Access, success: Object) -> Object:
        """Describe all answers of a route, its success among them."""
        by_status: defaultdict[int, list[str]] = defaultdict(list)
        for code in codes_of(route, row):
            by_status[CATALOGUE[code].status].append(code)
        found: dict[int, Object] = {status: self._named(c) for status, c in by_status.items()}
        found[HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE] = _response_reference(_EARLY)
        if route.also:
            found[route.also] = _beside(success, by_status.get(route.also, ()))
        found[route.status] = success
        return {str(int(status)): answer for status, answer in sorted(found.items())}

    def _named(self, codes: Sequence[str]) -> Object:
        """Give a set of codes by its name, if it has one."""
        if len(codes) > NAMED_CODES_MAX:
            return _problem(codes)
        name = "Or".join(code.title().replace("_", "") for code in codes)
        self.known.setdefault(name, _problem(codes))
        return _response_reference(name)


def _response_reference(name: str) -> Object:
    return {"$ref": f"#/components/responses/{name}"}


def _beside(success: Mapping[str, Any], codes: Sequence[str]) -> Object:
    """Describe a status under which a route's own answer comes, and problems too."""
    if not codes:
        return dict(success)
    refused = _problem(codes)
    return {
        "description": f"{success['description']} Or a{refused['description'][1:]}",
        "content": {**success["content"], **refused["content"]},
    }


def _problem(codes: Sequence[str]) -> Object:
    problem: Object = {"$ref": REFERENCES.format(name="Problem")}
    named: Object = {"properties": {"code": {"enum": list(codes)}}}
    titles: defaultdict[str, list[str]] = defaultdict(list)
    for code in codes:
        titles[CATALOGUE[code].title_en].append(f"`{code}`")
    told = ", ".join(f"{', '.join(named)} ({title})" for title, named in titles.items())
    return {
        "description": f"A problem: {told}.",
        "content": {PROBLEM: {"schema": {"allOf": [problem, named]}}},
    }
