"""The node's side of the RPC: a unix socket on which one or few RPC processes ask.

It runs on the validator's own loop, so it does as little as can be: decode, ask the backend,
encode. Many waiting clients and followers are the RPC process' business (`rpc_app`). A request that
fails for a reason of ours is logged and answered as such; it does not stop the validator.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog
import trio
from trio import TASK_STATUS_IGNORED
from trio_typing import TaskStatus

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from node.client.errors import WireFault
from node.client.framing import READ_BYTES, FrameDecoder, encode_frame
from node.client.views import (
    AccountView,
    HistoryView,
    LotView,
    NodeStatus,
    Submission,
    SupplyView,
    TraceAnswer,
    TransactionView,
)
from node.core.proving import ProofAnswer
from node.shell.rpc import wire

CONNECTIONS_MAX: Final = 32
_BACKLOG: Final = 16
_log = structlog.get_logger("billcoin.rpc_server")


class Backend(Protocol):
    """What the RPC asks of a node. All but `submit` and `reached` answer at once."""

    def status(self) -> NodeStatus:
        """Tell where the node stands."""

    def genesis(self) -> bytes:
        """Give the genesis file."""

    def account(self, address: Address) -> AccountView:
        """Look an account up."""

    def transaction(self, txid: Hash) -> TransactionView:
        """Look a transaction up."""

    def history(self, address: Address, before: int, limit: int) -> list[Hash]:
        """List an account's transactions below a height, newest first."""

    def history_page(
        self, address: Address, before: tuple[int, int], limit: int
    ) -> list[HistoryView]:
        """List an account's transactions below a height and index, newest first."""

    def height_at(self, time_ms: int) -> int | None:
        """Find the last block that is not after a time."""

    def farm_lots(self, farm: Address, before: tuple[int, Hash], limit: int) -> list[LotView]:
        """List the lots with a farm's milk below a height and lot, newest first."""

    def trace(self, subject: Hash) -> TraceAnswer:
        """Walk from a payment, pack, lot or run back to the farms."""

    def block(self, height: int) -> bytes | None:
        """Give the encoded `FinalBlock` of a height; None above the head, and when pruned."""

    def lots(self, limit: int) -> list[LotView]:
        """List the newest lots."""

    def supply(self) -> SupplyView:
        """Count the tokens."""

    def metrics(self) -> bytes:
        """Write the metrics in Prometheus' text format."""

    def proof(self, txid: Hash, from_epoch: int) -> ProofAnswer:
        """Collect the material of a transaction's finality proof."""

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
        except* (WireFault, msgspec.MsgspecError, UnicodeDecodeError) as group:
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
                for frame in decoder.feed(data):
                    ask = wire.ask_decoder.decode(frame)
                    match ask.request:
                        case wire.Subscribe(start=start):
                            await self._send(answers)
                            await self._feed(start)
                        case wire.SubmitTransactions(raws=raws):
                            await self._free.acquire()
                            nursery.start_soon(self._submit, ask.id, raws)
                        case request:
                            answers.append(self._answer(ask.id, request))
                await self._send(answers)
            nursery.cancel_scope.cancel()

    async def _send(self, frames: list[bytes]) -> None:
        if frames:
            async with self._writing:
                await self._stream.send_all(b"".join(frames))

    def _answer(self, ask_id: int, request: wire.Request) -> bytes:
        """Ask the backend; a failure of ours is told as one and logged."""
        try:
            value = _look_up(self._backend, request)
        except Exception:  # A bug in a query must not stop a validator.
            _log.exception("rpc request failed", request=type(request).__name__)
            return _frame(wire.Answer(ask_id, "internal"))
        return _frame(wire.Answer(ask_id, "", msgspec.Raw(wire.encoder.encode(value))))

    async def _submit(self, ask_id: int, raws: tuple[bytes, ...]) -> None:
        try:
            outcomes = await self._backend.submit(raws)
            value = msgspec.Raw(wire.encoder.encode(outcomes))
            await self._send([_frame(wire.Answer(ask_id, "", value))])
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
            await self._send([encode_frame(encoded)])
            height += 1


def _frame(answer: wire.Answer) -> bytes:
    return encode_frame(wire.encoder.encode(answer))


def _look_up(backend: Backend, request: wire.Request) -> object:
    """Answer a request that needs no waiting."""
    match request:
        case wire.GetStatus():
            return backend.status()
        case wire.GetGenesis():
            return backend.genesis()
        case wire.GetTransaction(txid=txid):
            return backend.transaction(txid)
        case wire.GetAccount(address=address):
            return backend.account(address)
        case wire.GetHistory(address=address, before=before, limit=limit):
            return backend.history(address, before, limit)
        case wire.GetBlock(height=height):
            encoded = backend.block(height)
            return None if encoded is None else msgspec.Raw(encoded)
        case wire.GetLots(limit=limit):
            return backend.lots(limit)
        case wire.GetSupply():
            return backend.supply()
        case wire.GetMetrics():
            return backend.metrics()
        case wire.GetProof(txid=txid, from_epoch=from_epoch):
            return backend.proof(txid, from_epoch)
        case _:
            return _look_back(backend, request)


def _look_back(backend: Backend, request: wire.Request) -> object:
    """Answer a request about the chain's past."""
    match request:
        case wire.GetHistoryPage(address=address, before=before, index=index, limit=limit):
            return backend.history_page(address, (before, index), limit)
        case wire.GetHeightAt(time_ms=time_ms):
            return backend.height_at(time_ms)
        case wire.GetFarmLots(farm=farm, before=before, lot=lot, limit=limit):
            return backend.farm_lots(farm, (before, lot), limit)
        case wire.GetTrace(subject=subject):
            return backend.trace(subject)
    raise AssertionError(f"{type(request).__name__} is answered elsewhere")
