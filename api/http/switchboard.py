"""The way from a request to its route, and from the route's answer back.

Paths are found in a tree of segments, so a hundred routes cost what one costs. A segment that is
spelt out wins over a name. Each request is admitted, then read, then handled, in this order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from api.access.gate import ANONYMOUS
from api.access.principals import KeyHolder, Principal
from api.access.rules import Access, merchant_of
from api.errors import ApiFault, MalformedRequest, Throttled
from api.http.bodies import NUL, decode_body, decode_query, read_bytes
from api.http.idempotency import token_of
from api.http.problems import json_response, problem
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.views import help_view
from api.request_log.hiding import kept_of
from api.service import Service

HELPED: Final = frozenset({401, 403, 423})
"""Refusals that an office can help with: they name it."""


class RowMissing(LookupError):
    """A route about which the access table says nothing: it is not served."""


@dataclass(frozen=True, slots=True)
class _Served:
    """A route with its row, and the names of its path in order."""

    route: Route
    access: Access
    names: tuple[str, ...]


@dataclass(slots=True)
class _Place:
    """A segment of paths: what may follow it, and what is served here."""

    literals: "dict[str, _Place]" = field(default_factory=dict)
    named: "_Place | None" = None
    served: dict[str, _Served] = field(default_factory=dict)


class Switchboard(BaseRoute):
    """All routes, as one route of the application's router."""

    def __init__(
        self,
        routes: Iterable[Route],
        table: Mapping[tuple[str, str], Access],
        service: Service,
    ) -> None:
        self._service = service
        self._root = _Place()
        for route in routes:
            self._add(route, table)

    def _add(self, route: Route, table: Mapping[tuple[str, str], Access]) -> None:
        access = table.get((route.method, route.path))
        if access is None:
            raise RowMissing(f"{route.method} {route.path} has no row in api.access.table")
        place, names = self._root, []
        for segment in route.path.split("/")[1:]:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                place.named = place.named or _Place()
                place = place.named
            else:
                place = place.literals.setdefault(segment, _Place())
        assert route.method not in place.served, f"{route.method} {route.path} stands twice"
        place.served[route.method] = _Served(route, access, tuple(names))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Find what is served at a path; a method that isn't taken there is a partial match."""
        if scope["type"] != "http" or NUL in scope["path"]:
            return Match.NONE, {}
        found = _place_of(self._root, scope["path"].split("/")[1:], ())
        if found is None:
            return Match.NONE, {}
        place, values = found
        served = place.served.get(scope["method"])
        if served is None:
            return Match.PARTIAL, {"others": place.served.keys()}
        params = dict(zip(served.names, values, strict=True))
        return Match.FULL, {"served": served, "path_params": params}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that `matches` has found."""
        served: _Served | None = scope.get("served")
        if served is None:
            raise HTTPException(405, headers={"Allow": _allowed(scope["others"])})
        scope["state"]["route"] = served.route.path
        request = Request(scope, receive, send)
        response = await self._answer(request, served)
        await response(scope, receive, send)

    async def _answer(self, request: Request, served: _Served) -> Response:
        started_s, gate, access = perf_counter(), self._service.gate, served.access
        try:
            principal = await gate.identify(request, access)
        except ApiFault as fault:
            return await self._unknown(request, served.route, fault)
        merchant_id, path = merchant_of(access, principal), request.scope["path_params"]
        call = ApiCall(request, self._service, principal, merchant_id, path=path)
        told: ApiFault | None = None
        status = 500
        try:
            # Counted first: asking where one may not costs as much as asking where one may.
            await self._service.watching.doorkeeper.pass_in(request, principal, served.route.tag)
            gate.check(principal, access)
            await _read(call, served.route)
            answer = _response(await served.route.handler(call), served.route, call.headers)
            status = answer.status_code
        except ApiFault as fault:
            told, status = fault, fault.status
            answer = await self._refusal(call, served.route, fault)
        finally:
            code = "" if told is None else told.code
            self._service.watching.note_answer(principal, status, code)
            if isinstance(principal, KeyHolder):
                asked = request.scope["query_string"].decode("latin-1")
                kept = kept_of(served.route, path, asked, call.raw)
                took_ms = int(1_000 * (perf_counter() - started_s))
                self._service.request_log.note(principal, request, kept, status, told, took_ms)
        return answer

    async def _unknown(self, request: Request, route: Route, fault: ApiFault) -> Response:
        """Refuse a credential that is nobody's: who makes them up is counted by address."""
        try:
            await self._service.watching.doorkeeper.pass_in(request, ANONYMOUS, route.tag)
        except Throttled as throttled:
            return problem(request, throttled)
        return problem(request, fault, await self._help(request))

    async def _refusal(self, call: ApiCall, route: Route, fault: ApiFault) -> Response:
        extra = route.malformed if isinstance(fault, MalformedRequest) else None
        if fault.status in HELPED:
            extra = await self._help(call.request, call.principal)
        answer = problem(call.request, fault, extra)
        answer.headers.update(call.headers)
        return answer

    async def _help(
        self, request: Request, principal: Principal = ANONYMOUS
    ) -> Mapping[str, object]:
        """Say whom to turn to, if the union that it concerns is known, or is the only one."""
        union_id = getattr(request.state, "union_id", "")
        merchant_id = principal.merchant_id if isinstance(principal, KeyHolder) else ""
        union = await self._service.desks.help.union_of(union_id, merchant_id)
        return {} if union is None else {"help": help_view(union)}


def _place_of(
    place: _Place, segments: Sequence[str], values: tuple[str, ...]
) -> tuple[_Place, tuple[str, ...]] | None:
    """Give the place that a path leads to, with the values of its names; spelt out ones first."""
    if not segments:
        return (place, values) if place.served else None
    first, rest = segments[0], segments[1:]
    found = None
    if (follows := place.literals.get(first)) is not None:
        found = _place_of(follows, rest, values)
    if found is None and place.named is not None and first:
        found = _place_of(place.named, rest, (*values, first))
    return found


def _allowed(methods: Collection[str]) -> str:
    return ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))


async def _read(call: ApiCall, route: Route) -> None:
    """Read what a route reads, in the order that its faults are told in."""
    if route.body is not None:
        call.raw = await read_bytes(call.request, route.body_bytes_max)
    if route.first is not None:
        await route.first(call)
    if route.query is not None:
        call.query = decode_query(call.request.query_params.multi_items(), route.query)
    if route.body is not None and call.raw is not None:
        call.body = decode_body(call.raw, route.body)
    if route.idempotency is Idempotency.KEY:
        call.once = token_of(call.request, call.principal, call.body)


def _response(answer: Any, route: Route, headers: Mapping[str, str]) -> Response:
    match answer:
        case Response():
            if headers:
                answer.headers.update(headers)
            return answer
        case Reply():
            told = {**headers, **(answer.headers or {})}
            return json_response(answer.body, answer.status or route.status, told)
        case msgspec.Struct():
            return json_response(answer, route.status, headers)
    raise TypeError(f"{route.operation} answered {type(answer).__name__}")
