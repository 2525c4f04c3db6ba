"""A uvicorn server with the bounds of this package, on asyncio's own loop.

uvloop accepts one connection a pass, which at 200 terminals costs seconds on connect. asyncio's
loop accepts as many as its backlog names before it serves any, which could use up all files; so
it is told of few, while the kernel's queue holds a whole school's break.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final, Literal, cast

import uvicorn
from starlette.types import ASGIApp

from node.errors import PortTaken
from node.httpd.admission import Admission
from node.httpd.protocol import GuardedProtocol
from node.httpd.tls import TlsGate

BACKLOG: Final = 8_192
ACCEPTED_A_PASS: Final = 64
SHUTDOWN_S: Final = 1
LOOK_S: Final = 0.02


def bind(host: str, port: int) -> socket.socket:
    """Take a port, or raise `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay off only where it sees TCP, and what is
    # accepted inherits it. Left at 0, every answer costs 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(port, f"another program ({error.strerror})") from error
    return listener


class GuardedServer(uvicorn.Server):
    """An HTTP server of an ASGI application, for sockets that `bind` made.

    `on_serving` is called once it listens. `on_ending` is called when it is told to end, before it
    waits for answers: to end what else would go on. What is not answered `SHUTDOWN_S` later is
    cancelled, and logged as a fault. With `tls` it speaks nothing else.
    """

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        *,
        lifespan: Literal["on", "off"],
        on_serving: Callable[[], None] = lambda: None,
        on_ending: Callable[[], None] = lambda: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._admission = admission
        self._on_serving, self._on_ending = on_serving, on_ending
        self._linger_s = 0.0
        guarded: Callable[..., asyncio.Protocol]
        if tls is None:
            guarded = functools.partial(GuardedProtocol, admission=admission)
        else:  # Not uvicorn's own: asyncio bounds handshakes by a minute each, and none in number.
            guarded = functools.partial(TlsGate, admission=admission, tls=tls)
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                # uvicorn calls what it is given; its type says class.
                http=cast("type[GuardedProtocol]", guarded),
                ws="none",
                interface="asgi3",
                lifespan=lifespan,
                backlog=ACCEPTED_A_PASS,
                timeout_graceful_shutdown=SHUTDOWN_S,
                forwarded_allow_ips=[str(network) for network in admission.limits.trusted],
                access_log=False,
                log_config=None,
                server_header=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; the kernel queues more than one pass accepts."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)
        self._on_serving()

    def take_leave(self, linger_s: float, answers_s: int) -> None:
        """End without harm to anybody, for another process serves at the same sockets.

        To be called before `should_exit` is set. Who has connected may ask once more within
        `linger_s`, and is told that the connection ends with the answer; answers may take
        `answers_s`.
        """
        self._linger_s = linger_s
        self.config.timeout_graceful_shutdown = answers_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let answers come to their end, and stop."""
        self._on_ending()
        self._admission.leaving = True
        if self._linger_s:
            await self._linger(sockets or [])
        self._admission.handshakes.cut_all()
        await super().shutdown(sockets)

    async def _linger(self, listeners: list[socket.socket]) -> None:
        """Take nobody new, and wait for those who have come."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            # Not closed yet: what was accepted in this pass has still to become a connection.
            loop.remove_reader(listener.fileno())
        end_s = loop.time() + self._linger_s
        await asyncio.sleep(LOOK_S)
        for connection in tuple(self.server_state.connections):
            cast("GuardedProtocol", connection).take_leave()
        while self.server_state.connections and loop.time() < end_s:  # noqa: ASYNC110 - no event
            await asyncio.sleep(LOOK_S)


class QuietServer(GuardedServer):
    """A server without uvicorn's signal handlers: who runs other tasks beside it has its own.

    uvicorn raises a signal again after it ended, and the process would end as killed.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever serves."""
        yield
