"""What a process shows of itself on its own machine: its metrics, and what hinders its work.

For processes that serve nothing else: the price feeder, the signer.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.server import QuietServer, bind

HOST: Final = "127.0.0.1"
CONNECTIONS_MAX: Final = 64
BODY_BYTES_MAX: Final = 4_096
METRICS_MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


def make_status_app(
    problems: Callable[[], Mapping[str, str]], registry: CollectorRegistry
) -> Starlette:
    """Make the application: `/healthz`, `/readyz`, `/metrics`.

    `problems` gives the parts that hinder work, each with its reason; none while it is ready.
    """

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        found = dict(sorted(problems().items()))
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        body = {"status": "not_ready" if found else "ready", "parts": found}
        return JSONResponse(body, status, headers={"cache-control": "no-store"})

    async def shown(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=METRICS_MEDIA)

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", shown)]
    )


@asynccontextmanager
async def serve_status(app: Starlette, port: int) -> AsyncGenerator[None, None]:
    """Serve on a loopback port while the block runs; on none if it is 0. Raise `PortTaken`."""
    if not port:
        yield
        return
    limits = HttpLimits(
        connections_max=fit_to_files(CONNECTIONS_MAX), body_bytes_max=BODY_BYTES_MAX
    )
    server = QuietServer(app, Admission(limits), lifespan="off")
    with bind(HOST, port) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield
            finally:
                server.should_exit = True
