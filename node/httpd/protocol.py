"""uvicorn's HTTP/1.1 protocol, held to `HttpLimits`.

A head is bounded in bytes, in fields and in time; a body in bytes and by a least rate; requests
that a client sends ahead by their number; answers that it leaves unread by time. What breaks a
bound is answered, if it is its turn and an answer can still be read, and the connection ends.

Invariant: answers leave in the order of their requests, refusals too; nothing is read once a
request was refused.
"""

import asyncio
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from node.addresses import group_of, is_trusted
from node.httpd.admission import Admission, Bucket, Usefulness
from node.httpd.refusals import (
    NO_PLACE,
    NOT_HTTP,
    HttpRefusal,
    check_fields,
    head_bytes,
    large_body,
    large_head,
)

UNREAD_STEP_BYTES: Final = 32 * 1024
"""Less than this is no progress of a client that reads."""


class Awaited(Enum):
    """Which part of a request is awaited or on its way."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


class GuardedProtocol(HttpToolsProtocol):
    """One connection: parsed and answered by uvicorn, within the bounds of its `Admission`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        admission: Admission,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._admission, self._limits = admission, admission.limits
        self.bucket, self.usefulness, self.held_bytes = Bucket(), Usefulness.FRESH, 0
        self._awaited, self._since_s = Awaited.NOTHING, self.loop.time()
        self._head_bytes = self._read_bytes = self._body_bytes = self._window_bytes = 0
        self._large_read = False
        self._running: RequestResponseCycle | None = None
        self._deaf = False
        self._unread, self._unread_since_s, self._drained = 0, 0.0, False

    # What the loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask for a place; without one, say so and close."""
        self._admission.handshakes.end(self)
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        trusted = not host or is_trusted(host, self._limits.trusted)
        if not self._admission.enter(self, group_of(host), trusted=trusted):
            self._deaf = True
            self._finish(NO_PLACE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._admission.leave(self)
        self._deaf = True
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Note that the client reads."""
        self._drained = True
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a refusal has ended the connection already."""
        if self._deaf:
            return
        size = len(data)
        self._large_read = size > self._limits.head_bytes_max
        if self._awaited is Awaited.HEAD:
            self._head_bytes += size
        # Of a read that ends something else first, no head knows its part.
        self._read_bytes = size if self._awaited is Awaited.NOTHING else 0
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, HttpRefusal) else NOT_HTTP)
            return
        if self._awaited is Awaited.HEAD and self._head_bytes > self._limits.head_bytes_max:
            self._refuse(large_head(self._limits))
            return
        self._settle()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # No other protocol is spoken here; the request is served as if not asked for one.
                data = data[upgrade.args[0] :]
            else:
                return

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Start the clock of a head."""
        super().on_message_begin()
        self._awaited, self._since_s = Awaited.HEAD, self.loop.time()
        self._head_bytes, self._read_bytes = self._read_bytes, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; the white space around its value is no part of it (RFC 9110 §5.5)."""
        super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        """Check the head before anything else sees it."""
        limits = self._limits
        if len(self.pipeline) >= limits.pipelined_max:
            raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, "too far ahead", "wait for answers")
        measured = self._large_read or self._head_bytes > limits.head_bytes_max
        if measured and head_bytes(self.url, self.headers) > limits.head_bytes_max:
            raise large_head(limits)
        check_fields(self.headers, self.parser.get_http_version(), limits)
        super().on_headers_complete()
        self._awaited, self._since_s = Awaited.BODY, self.loop.time()
        self._body_bytes = self._window_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Count a part of a body, and pass it on."""
        if self._deaf:
            return
        size = len(body)
        self._body_bytes += size
        self._window_bytes += size
        if self._body_bytes > self._limits.body_bytes_max:
            raise large_body(self._limits)
        super().on_body(body)
        if not self.cycle.response_complete:
            self._admission.hold(self, size)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        super().on_message_complete()
        self._awaited, self._since_s = Awaited.NOTHING, self.loop.time()

    # What a request's end calls.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if self._admission.leaving and not self.pipeline:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Start the next request, if one waits; read on once none does."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if not self.pipeline:
            self.flow.resume_reading()
        if self._awaited is Awaited.NOTHING:
            self._since_s = self.loop.time()
        self._settle()

    def _settle(self) -> None:
        """Tell admission what this connection is of use for now."""
        if self._awaited is Awaited.BODY:
            usefulness = Usefulness.READING
        elif self.cycle is None:
            usefulness = Usefulness.FRESH
        elif self.cycle.response_complete:
            usefulness = Usefulness.RESTING
            if self.held_bytes:
                self._admission.release(self)
        else:
            usefulness = Usefulness.WORKING
        if usefulness is not self.usefulness:
            self._admission.move(self, usefulness)

    # What admission asks.

    def unread_bytes(self) -> int:
        """Give how much is written for the client and not sent yet."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        self._deaf = True
        self.transport.abort()

    def overdue(self, now_s: float) -> str | None:
        """Say which time the client has let pass, or None."""
        limits = self._limits
        if self._unread_for_s(now_s) > limits.unread_s:
            return "unread"
        if self.flow.read_paused or (self.cycle and self.cycle.waiting_for_100_continue):
            # We keep the client waiting, not the client us.
            self._since_s, self._window_bytes = now_s, 0
            return None
        waited_s = now_s - self._since_s
        if self._awaited is Awaited.HEAD:
            return "slow head" if waited_s > limits.head_s else None
        if self._awaited is Awaited.BODY:
            return self._slow_body(now_s) if waited_s > limits.body_window_s else None
        if self.usefulness is Usefulness.FRESH:
            return "silent" if waited_s > limits.head_s else None
        return (
            "idle" if self.usefulness is Usefulness.RESTING and waited_s > limits.idle_s else None
        )

    def _slow_body(self, now_s: float) -> str | None:
        """Judge a window of a body's time, and open the next."""
        brought, self._window_bytes, self._since_s = self._window_bytes, 0, now_s
        return "slow body" if brought < self._limits.body_window_bytes else None

    def _unread_for_s(self, now_s: float) -> float:
        size = self.unread_bytes()
        if not size or self._drained or size <= self._unread - UNREAD_STEP_BYTES:
            self._unread, self._unread_since_s, self._drained = size, now_s, False
        self._unread = max(self._unread, size)
        return now_s - self._unread_since_s

    # How a connection ends.

    def take_leave(self) -> None:
        """End with the answer that is on its way; without one, with the next."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End once what has begun to come is answered: at once, if nothing has."""
        if self._awaited is Awaited.HEAD:
            self.take_leave()
        else:
            super().shutdown()

    def _refuse(self, refusal: HttpRefusal) -> None:
        """Read no more; answer what is owed, then the refusal if no answer stands before it."""
        self._deaf = True
        self._admission.note(refusal.reason)
        self.flow.pause_reading()
        running = self._running
        if self._awaited is Awaited.BODY and self.cycle is not running:
            self.pipeline.popleft()  # The refused request itself: nobody has begun it.
        elif self._awaited is Awaited.BODY and running is not None:
            if running.response_started:
                self.transport.close()
                return
            running.disconnected = True
            running.message_event.set()
            running = None
        owed = self.pipeline[0][0] if self.pipeline else running
        if owed is None or owed.response_complete:
            self._finish(refusal)
        else:
            owed.keep_alive = False

    def _finish(self, refusal: HttpRefusal) -> None:
        self.transport.write(refusal.encode())
        self.transport.close()
