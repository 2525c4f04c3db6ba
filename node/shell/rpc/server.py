"""The node's side of the RPC: a unix socket on which one or few RPC processes ask.

It runs on the validator's own loop, so it does as little as can be: decode, ask the backend,
encode. Many waiting clients and followers are the RPC process' business (`rpc.app`). One bad
request fails alone: what can't be read, what the backend stumbles over and what is too long to be
answered is told so under its id, and neither the connection nor the validator ends. Only a length
that no frame has ends a connection: nobody knows where the next frame begins.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol, cast

import msgspec
import structlog
import trio
from msgspec import Raw
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from node.capped_log import CappedLog
from node.client.errors import WireFault
from node.client.framing import READ_BYTES, FrameDecoder, encode_frame
from node.client.queries import BY_REQUEST
from node.client.requests import Request, SubmitTransactions, Subscribe
from node.client.views import Submission
from node.shell.rpc import wire

CONNECTIONS_MAX: Final = 32
_BACKLOG: Final = 16
_log = structlog.get_logger("billcoin.rpc_server")
_refusals = CappedLog(_log)


class Backend(Protocol):
    """What the RPC asks of a node.

    Beside these it has a method for every other row of `node.client.queries`: of the row's name,
    with the fields of its request, and it answers at once.
    """

    def block(self, height: int) -> Raw | None:
        """Give the encoded `FinalBlock` of a height; None above the head, and when pruned."""

    async def submit(self, raws: tuple[bytes, ...]) -> Sequence[Submission]:
        """Hand transactions in; answer when each is taken in or refused."""

    async def reached(self, height: int) -> None:
        """Wait until a block of this height is final."""


class RpcServer:
    """Serves a backend on a unix socket."""

    def __init__(self, backend: Backend, path: Path) -> None:
        self._backend = backend
        self._path = path
        self._connections = 0

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. A socket file left by a killed node is replaced."""
        self._path.unlink(missing_ok=True)
        socket = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await socket.bind(str(self._path))
        self._path.chmod(0o600)
        socket.listen(_BACKLOG)
        try:
            async with trio.open_nursery() as nursery:
                serve = partial(trio.serve_listeners, self._serve, [trio.SocketListener(socket)])
                await nursery.start(serve)
                task_status.started()
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end; its faults end it alone."""
        if self._connections >= CONNECTIONS_MAX:
            await stream.aclose()
            return
        self._connections += 1
        try:
            async with stream:
                await _Session(self._backend, stream).run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # The asker is gone.
        except* WireFault as group:
            _log.warning("rpc connection ended", fault=str(group.exceptions[0])[:200])
        finally:
            self._connections -= 1


class _Session:
    """One connection: requests in, answers out, `IN_FLIGHT_MAX` at once."""

    def __init__(self, backend: Backend, stream: trio.SocketStream) -> None:
        self._backend = backend
        self._stream = stream
        self._writing = trio.Lock()
        self._free = trio.Semaphore(wire.IN_FLIGHT_MAX)

    async def run(self) -> None:
        """Read until the asker closes."""
        decoder = FrameDecoder(wire.REQUEST_BYTES_MAX)
        async with trio.open_nursery() as nursery:
            while data := await self._stream.receive_some(READ_BYTES):
                answers: list[bytes] = []
                for frame in filter(None, decoder.feed(data)):  # An empty one only shows life.
                    ask_id, request = _read(frame)
                    match request:
                        case None:
                            answers.append(wire.answer_frame(wire.Answer(ask_id, wire.MALFORMED)))
                        case Subscribe(start=start):
                            await self._send(answers)
                            await self._feed(start)
                        case SubmitTransactions(raws=raws):
                            await self._free.acquire()
                            nursery.start_soon(self._submit, ask_id, raws)
                        case _:
                            answers.append(self._answer(ask_id, request))
                await self._send(answers)
            nursery.cancel_scope.cancel()

    async def _send(self, frames: list[bytes]) -> None:
        if frames:
            async with self._writing:
                await self._stream.send_all(b"".join(frames))

    def _answer(self, ask_id: int, request: Request) -> bytes:
        """Ask the backend; a failure of ours is told as one and logged."""
        name = BY_REQUEST[type(request)].name
        try:
            look_up = cast("Callable[..., object]", getattr(self._backend, name))
            value = Raw(wire.encoder.encode(look_up(*msgspec.structs.astuple(request))))
        except Exception:  # A bug in a query must not stop a validator.
            _log.exception("rpc request failed", request=name)
            return wire.answer_frame(wire.Answer(ask_id, wire.INTERNAL))
        return wire.answer_frame(wire.Answer(ask_id, "", value))

    async def _submit(self, ask_id: int, raws: tuple[bytes, ...]) -> None:
        try:
            try:
                value = Raw(wire.encoder.encode(await self._backend.submit(raws)))
                answer = wire.Answer(ask_id, "", value)
            except Exception:  # As above.
                _log.exception("rpc request failed", request="submit")
                answer = wire.Answer(ask_id, wire.INTERNAL)
            await self._send([wire.answer_frame(answer)])
        finally:
            self._free.release()

    async def _feed(self, start: int) -> None:
        """Send every finalized block from `start` on. Ends with the connection."""
        height = start
        while True:
            await self._backend.reached(height)
            encoded = self._backend.block(height)
            if encoded is None:
                raise WireFault(f"a stream from block {height}, which is pruned here")
            await self._send([encode_frame(bytes(encoded))])
            height += 1


def _read(frame: bytes) -> tuple[int, Request | None]:
    """Read what is asked, and under which id; None if that makes no sense."""
    ask_id = wire.NOBODY
    try:
        ask = wire.ask_decoder.decode(frame)
        ask_id = ask.id
        return ask_id, wire.request_decoder.decode(ask.request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refusals.log(logging.WARNING, "rpc request refused", id=ask_id, fault=str(error)[:200])
        return ask_id, None
