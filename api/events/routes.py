"""The live stream: what happens, as Server-Sent Events."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from api.access.principals import Anonymous
from api.access.table import TABLE
from api.errors import NotFound, Throttled
from api.events.guard import while_admitted
from api.events.hub import PageSubject
from api.http.routes import ApiCall, Route
from api.orders.schemas import told_of
from api.orders.wallet_routes import parse_ulid


async def read_stream(call: ApiCall) -> StreamingResponse:
    """Stream orders and the chain's pulse: a snapshot, then deltas (Server-Sent Events)."""
    service, request = call.service, call.request
    host = _place(call)
    last = request.headers.get("last-event-id", "")
    since = int(last) if last.isascii() and last.isdecimal() and len(last) <= 18 else None
    merchant_id = call.merchant_id or None
    subject = PageSubject(merchant_id=merchant_id)

    async def snapshot() -> object:
        return await service.board.snapshot(merchant_id)

    page = service.hub.listen(subject, since, snapshot, host)
    frames: AsyncIterator[bytes] = page
    if not isinstance(call.principal, Anonymous):
        row = TABLE[STREAM.method, STREAM.path]
        frames = while_admitted(page, lambda: service.gate.admit(request, row))
    return _streamed(frames)


async def follow_order(call: ApiCall) -> StreamingResponse:
    """Stream one order, for whoever knows it: a snapshot, then deltas."""
    service, order_id = call.service, parse_ulid(call.path["orderId"])
    host = _place(call)
    if await service.find_order(order_id) is None:
        raise NotFound("there is no such order")

    async def snapshot() -> object:
        order = await service.find_order(order_id)
        return {} if order is None else told_of(order)

    page = service.hub.listen(PageSubject(order_id=order_id), None, snapshot, host)
    return _streamed(page)


def _place(call: ApiCall) -> str:
    """Give the host that asks; raise `Throttled` if it has no place left."""
    host = call.request.client.host if call.request.client else ""
    if not call.service.hub.places.free(host):
        raise Throttled("too many live pages are open", code="TOO_MANY_STREAMS", retry_after_s=5)
    return host


def _streamed(frames: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(
        frames, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


STREAM: Final = Route(
    method="GET",
    path="/api/v1/stream",
    operation="readStream",
    summary="Stream orders and the chain's pulse: a snapshot, then deltas (Server-Sent Events)",
    tag="live",
    handler=read_stream,
    media=("text/event-stream",),
    codes=("TOO_MANY_STREAMS",),
)
ROUTES: Final = (
    STREAM,
    Route(
        method="GET",
        path="/api/v1/orders/{orderId}/stream",
        operation="followOrder",
        summary="Stream one order: as it stands, then each change (Server-Sent Events)",
        tag="live",
        handler=follow_order,
        media=("text/event-stream",),
        codes=("NOT_FOUND", "TOO_MANY_STREAMS"),
    ),
)
