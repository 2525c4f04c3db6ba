"""TLS before HTTP: handshakes are counted and timed, as connections are after them.

asyncio would give each a minute, and count none: whoever connects and says nothing would hold a
file for so long, and no bound of `Admission` would see it. Past a bound the oldest gives way, of
the address that has most, so a flood of silent connections displaces itself.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from node.addresses import group_of, is_trusted
from node.httpd.admission import Admission
from node.httpd.protocol import GuardedProtocol


class TlsGate(asyncio.Protocol):
    """What a connection is when it is accepted: it becomes HTTP once it has shaken hands."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        admission: Admission,
        tls: ssl.SSLContext,
    ) -> None:
        self._inner = GuardedProtocol(config, server_state, app_state, _loop, admission=admission)
        self._admission, self._tls = admission, tls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to shake hands."""
        assert isinstance(transport, asyncio.Transport)
        host = str((transport.get_extra_info("peername") or ("",))[0])
        trusted = not host or is_trusted(host, self._admission.limits.trusted)
        shaking = _Shaking(self._inner, self._admission, self._tls)
        self._admission.handshakes.begin(
            self._inner, "" if trusted else group_of(host), transport.abort
        )
        transport.set_protocol(shaking)
        shaking.connection_made(transport)


class _Shaking(SSLProtocol):
    """The connection's TLS: says when it is over before it has shaken hands."""

    def __init__(
        self, inner: GuardedProtocol, admission: Admission, context: ssl.SSLContext
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            inner,
            context,
            waiter=None,  # type: ignore[arg-type]  # nobody waits for it
            server_side=True,
            ssl_handshake_timeout=admission.limits.handshake_s,
        )
        self._leave: Callable[[], None] = partial(admission.handshakes.end, inner)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give its place back, if it still had one."""
        self._leave()
        super().connection_lost(exc)
