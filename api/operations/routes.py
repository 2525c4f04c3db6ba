"""The service itself: life, readiness, counters, its description, its pages, and its codes."""

import contextlib
from functools import cache
from html import escape
from typing import Final

import msgspec
from starlette.responses import HTMLResponse, Response

from api.db.faults import DATABASE_FAULTS
from api.errors import NotFound
from api.http.catalogue import CATALOGUE
from api.http.codes.entry import ProblemCode
from api.http.headers import likes_better
from api.http.pages import Listing
from api.http.replies import Answer, Reply
from api.http.routes import ApiCall, Route
from api.operations.assets import PAGE_POLICY, asset
from api.operations.schemas import CodeView, Life, ReadinessView

VARY: Final = {"Vary": "Accept"}
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


async def healthz(_: ApiCall) -> Life:
    """Say that the process lives."""
    return Life("ok")


async def readyz(call: ApiCall) -> Reply:
    """Say whether payments can be taken: 503 with the reasons, part by part, when not."""
    service = call.service
    readiness = await service.report.readiness()
    body = {
        **readiness.body(),
        "settledHeight": service.tip.cursor.height,
        "lagBlocks": service.standing.lag_blocks,
        "chainClockAheadMs": service.watch.clock_ahead_ms,
    }
    return Reply(body, 503 if readiness.reason else 200)


async def read_metrics(call: ApiCall) -> Response:
    """Give the counters of all workers in Prometheus' text format."""
    await call.service.report.show()
    return Response(call.service.metrics.render(), media_type=METRICS_TYPE)


async def live_page(call: ApiCall) -> Response:
    """Show the live page, with what is known now already in it."""
    first = b"null"
    if call.service.config.public_board:
        with contextlib.suppress(*DATABASE_FAULTS):
            first = msgspec.json.encode(await call.service.board.snapshot())
    # No text of ours may end the script that holds it.
    data = first.decode().replace("<", "\\u003c")
    return _page(asset("live.html").replace("{{first}}", data))


async def docs_page(_: ApiCall) -> Response:
    """Show the interface's description, drawn from /openapi.json by our own page."""
    return _page(asset("docs.html"))


def _page(text: str, **headers: str) -> Response:
    return HTMLResponse(text, headers={"Content-Security-Policy": PAGE_POLICY, **headers})


@cache
def _document() -> bytes:
    # The document describes these very routes, so it is made when all of them are there.
    from api.http.openapi import format_document

    return format_document().encode()


@cache
def _events_document() -> bytes:
    # It describes the bodies of all resources, which know nothing of it.
    from api.events.asyncapi import format_document

    return format_document().encode()


async def token_keys(call: ApiCall) -> Reply:
    """Give the keys that access tokens are verified with. For an unknown `kid`, ask anew."""
    return Reply(call.service.desks.means.tokens.jwks())


async def openapi(_: ApiCall) -> Response:
    """Give the description of the interface."""
    return Response(_document(), media_type="application/json")


async def asyncapi(_: ApiCall) -> Response:
    """Give the description of events."""
    return Response(_events_document(), media_type="application/json")


async def list_codes(call: ApiCall) -> Answer:
    """List every code that a problem may bear."""
    if _wants_page(call):
        return _page(_codes_page(tuple(CATALOGUE.values())), **VARY)
    views = [_view(entry) for entry in CATALOGUE.values()]
    return Reply(Listing(views, has_more=False, next_cursor=None), headers=VARY)


async def read_code(call: ApiCall) -> Answer:
    """Tell what a code means and how to mend it: a problem's `type` leads here."""
    entry = CATALOGUE.get(call.path["code"].upper())
    if entry is None:
        raise NotFound("there is no such code: see /errors")
    if _wants_page(call):
        return _page(_codes_page((entry,)), **VARY)
    return Reply(_view(entry), headers=VARY)


def _wants_page(call: ApiCall) -> bool:
    accepted = call.request.headers.getlist("accept")
    return likes_better(accepted, "text/html", "application/json")


def _view(entry: ProblemCode) -> CodeView:
    return CodeView(
        entry.code, entry.status, entry.title_en, entry.title_ms, entry.meaning, entry.remedy
    )


def _codes_page(entries: tuple[ProblemCode, ...]) -> str:
    told = "".join(
        f'<article id="{escape(entry.code)}"><h2><code>{escape(entry.code)}</code> '
        f"<small>{entry.status}</small></h2><p><b>{escape(entry.title_en)}</b> · "
        f'<span lang="ms">{escape(entry.title_ms)}</span></p><p>{escape(entry.meaning)}</p>'
        f"<p>{escape(entry.remedy)}</p></article>"
        for entry in entries
    )
    return asset("errors.html").replace("{{codes}}", told)


ROUTES: Final = (
    Route(
        method="GET",
        path="/healthz",
        operation="readLife",
        summary="Say that the process lives",
        tag="operations",
        handler=healthz,
        answer=Life,
    ),
    Route(
        method="GET",
        path="/readyz",
        operation="readReadiness",
        summary="Say whether payments can be taken: 503 with the reasons, part by part, when not",
        tag="operations",
        handler=readyz,
        answer=ReadinessView,
        also=503,
    ),
    Route(
        method="GET",
        path="/metrics",
        operation="readMetrics",
        summary="Give the counters in Prometheus' text format",
        tag="operations",
        handler=read_metrics,
        media=("text/plain",),
    ),
    Route(
        method="GET",
        path="/errors",
        operation="listCodes",
        summary="List every code that a problem may bear",
        tag="operations",
        handler=list_codes,
        answer=Listing[CodeView],
        media=("text/html",),
    ),
    Route(
        method="GET",
        path="/errors/{code}",
        operation="readCode",
        summary="Tell what a code means and how to mend it: a problem's `type` leads here",
        tag="operations",
        handler=read_code,
        answer=CodeView,
        media=("text/html",),
        codes=("NOT_FOUND",),
    ),
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        operation="readTokenKeys",
        summary="Give the public keys of access tokens, as a JSON Web Key Set",
        tag="operations",
        handler=token_keys,
        media=("application/json",),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        operation="readInterface",
        summary="Give this description",
        tag="operations",
        handler=openapi,
        media=("application/json",),
    ),
    Route(
        method="GET",
        path="/asyncapi.json",
        operation="readEventsInterface",
        summary="Give the description of events and webhooks",
        tag="operations",
        handler=asyncapi,
        media=("application/json",),
    ),
    Route(
        method="GET",
        path="/docs",
        operation="showDocs",
        summary="Show the interface as a page",
        tag="operations",
        handler=docs_page,
        described=False,
    ),
    Route(
        method="GET",
        path="/",
        operation="showLive",
        summary="Show the live page",
        tag="operations",
        handler=live_page,
        described=False,
    ),
)
