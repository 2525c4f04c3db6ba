"""A payments service that says whatever a test wants, to a real signer.

It leases what stands in `requests` and was not answered yet, as often as it is asked, and keeps all
that it is handed. It can hang or refuse at each step, and lose what it was told. `serving_service`
runs it behind a real socket, in a thread of its own.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.signing.token import read_token
from api.signing.wire import LeaseAnswer, LeasedRequest, LeaseRequest, RefusalRequest
from ledger.types.transaction import decode_transaction
from tests.support.system.ports import free_port

PAUSE_S = 0.02


class PretendService:
    """The service's side of signing, as a test scripts it."""

    def __init__(self, account: bytes, chain_id: bytes) -> None:
        self.account, self.chain_id = account, chain_id
        self.requests: list[LeasedRequest] = []
        self.signatures: dict[str, list[bytes]] = defaultdict(list)
        self.refusals: dict[str, str] = {}
        self.answered: set[str] = set()
        self.leases = 0
        self.hung: set[str] = set()
        """Steps that get no answer: lease, signature, refusal."""
        self.asked: list[str] = []
        """Every step that was asked for, in order, those that hang too."""
        self.signature_status = 200
        self.lease_raw: bytes | None = None
        """What a lease is answered with, whatever it is."""

    def app(self) -> Starlette:
        """Make the application."""
        base = "/api/v1/signing-requests"
        routes = [("lease", self._lease)]
        routes += [("{id}/signature", self._signature), ("{id}/refusal", self._refusal)]
        return Starlette(
            routes=[Route(f"{base}/{path}", step, methods=["POST"]) for path, step in routes]
        )

    def ask(self, order, request_id: str) -> None:
        """Let a request be leased."""
        self.requests.append(LeasedRequest(request_id, order, "2026-11-01T00:00:00Z"))

    def forget(self) -> None:
        """Lose all that was handed over, as a database does that is put back."""
        self.answered.clear()

    def transactions(self):
        """Give every different transaction that was handed over."""
        raws = {raw for given in self.signatures.values() for raw in given}
        return sorted(map(decode_transaction, raws), key=_place)

    def _enter(self, step: str, request: Request) -> None:
        self.asked.append(step)
        token = request.headers["authorization"].removeprefix("Bearer ")
        assert read_token(token, self.chain_id, time.time_ns() // 1_000_000) == self.account
        while step in self.hung:
            time.sleep(PAUSE_S)

    def _lease(self, request: Request) -> Response:
        self._enter("lease", request)
        body = msgspec.json.decode(request.state.raw, type=LeaseRequest)
        self.leases += 1
        if self.lease_raw is not None:
            return Response(self.lease_raw, media_type="application/json")
        open_ones = [r for r in self.requests if r.id not in self.answered][: body.limit]
        if not open_ones:
            time.sleep(PAUSE_S)
        answer = LeaseAnswer(tuple(open_ones))
        return Response(msgspec.json.encode(answer), media_type="application/json")

    def _signature(self, request: Request) -> Response:
        request_id = request.path_params["id"]
        raw = bytes.fromhex(msgspec.json.decode(request.state.raw)["transaction"])
        status = self.signature_status  # As it is when they come: a test may change it meanwhile.
        if status == 200:
            self.signatures[request_id].append(raw)
        self._enter("signature", request)
        if status == 200:
            self.answered.add(request_id)
        return Response(status_code=status)

    def _refusal(self, request: Request) -> Response:
        self._enter("refusal", request)
        request_id = request.path_params["id"]
        told = msgspec.json.decode(request.state.raw, type=RefusalRequest)
        self.refusals[request_id] = told.code
        self.answered.add(request_id)
        return Response()


def _place(made):
    return made.intent.nonce, made.intent.valid_until_height


class _WithBody:
    """Reads bodies first: the steps above are plain functions, each in a thread of its own."""

    def __init__(self, app) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["raw"] = await Request(scope, receive).body()
        await self._app(scope, receive, send)


@contextmanager
def serving_service(service: PretendService) -> Iterator[str]:
    """Serve over a real socket until the block ends; give the address."""
    port = free_port()
    config = uvicorn.Config(
        _WithBody(service.app()), port=port, log_config=None, lifespan="off", ws="none"
    )
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(PAUSE_S)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        service.hung.clear()
        server.should_exit = server.force_exit = True
        thread.join()
