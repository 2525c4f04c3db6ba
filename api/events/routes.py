"""The live stream: what happens, as Server-Sent Events."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from api.access.principals import Anonymous
from api.access.table import TABLE
from api.errors import Throttled
from api.events.guard import while_admitted
from api.events.hub import PageSubject
from api.http.routes import ApiCall, Route


async def read_stream(call: ApiCall) -> StreamingResponse:
    """Stream orders and the chain's pulse: a snapshot, then deltas (Server-Sent Events)."""
    service, request = call.service, call.request
    host = request.client.host if request.client else ""
    if not service.hub.places.free(host):
        raise Throttled("too many live pages are open", code="TOO_MANY_STREAMS", retry_after_s=5)
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
    return StreamingResponse(
        frames,
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
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
ROUTES: Final = (STREAM,)
