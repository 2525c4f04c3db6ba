"""`GET /api/v1/request-log`: what a key has asked lately, and what was wrong with it."""

from typing import Final

from api.access.principals import KeyHolder
from api.amounts import format_time
from api.errors import MalformedRequest, Pointer
from api.http.pages import Listing
from api.http.routes import ApiCall, Route
from api.request_log import store
from api.request_log.model import LoggedRequest, curl_of
from api.request_log.schemas import PointedFault, RequestLogQuery, RequestView

LIST: Final = "listRequests"


async def list_requests(call: ApiCall) -> Listing[RequestView]:
    """List a key's last thousand requests, newest first."""
    service, query, key_id = call.service, call.query, _key_of(call)
    owner = f"{call.merchant_id}/{key_id}/{query.failed}"
    after = service.cursors.read(query.cursor, LIST, owner)
    async with service.engine.connect() as connection:
        requests = await store.list_requests(
            connection,
            call.merchant_id,
            key_id,
            str(after[0]) if after else "",
            query.limit + 1,
            failed=query.failed,
        )
    public_url = service.config.public_url
    return service.cursors.page(
        requests,
        query.limit,
        lambda logged: (logged.id,),
        lambda logged: _view(logged, public_url),
        LIST,
        owner,
    )


def _key_of(call: ApiCall) -> str:
    """Give whose requests are asked for: a key's own, or the one that a manager names."""
    if isinstance(call.principal, KeyHolder):
        own = call.principal.key_id
        if call.query.key_id not in ("", own):
            raise MalformedRequest(
                "a key reads its own requests alone", errors=(Pointer("/query/keyId", "NOT_YOURS"),)
            )
        return own
    if not call.query.key_id:
        raise MalformedRequest(
            "name the key whose requests you want", errors=(Pointer("/query/keyId", "MISSING"),)
        )
    return str(call.query.key_id)


def _view(logged: LoggedRequest, public_url: str) -> RequestView:
    return RequestView(
        logged.id,
        logged.request_id,
        format_time(logged.at_ms),
        logged.method,
        logged.path,
        logged.status,
        logged.code or None,
        [PointedFault(pointer, code) for pointer, code in logged.errors],
        logged.took_ms,
        curl_of(logged, public_url),
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/request-log",
        operation=LIST,
        summary="List a key's last thousand requests, newest first, some seconds after they came",
        tag="keys",
        handler=list_requests,
        query=RequestLogQuery,
        answer=Listing[RequestView],
    ),
)
