"""What a feeder shows of itself: its metrics, and whether it could feed now, with each reason."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.server import QuietServer, bind
from node.pricefeed.quotes import MICRO

HOST: Final = "127.0.0.1"
CONNECTIONS_MAX: Final = 64
BODY_BYTES_MAX: Final = 4_096
METRICS_MEDIA: Final = "text/plain; version=0.0.4; charset=utf-8"


class FeederMetrics:
    """What Prometheus reads: one registry a feeder."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.quotes = self._counter("quotes", "Looks at the source; code is empty if fit", "code")
        self.feeds = self._counter("feeds", "Feeds by what became of them", "outcome")
        self._gauges = {
            name: Gauge(f"billcoin_oracle_{name}", text, registry=self.registry)
            for name, text in (
                ("quote_myr", "The source's last price of a litre"),
                ("quote_age_seconds", "How old it is, by the later of our clock and the chain's"),
                ("price_myr", "The chain's price of a litre; 0 before the first"),
                ("round_low_myr", "The least that the open round may make the price"),
                ("round_high_myr", "The most that the open round may make the price"),
                ("price_age_seconds", "How old it is, by the chain's clock"),
                ("clock_apart_seconds", "Our clock less the chain's"),
                ("purse_units", "What the feeder's account holds for fees"),
                ("ready", "Whether a feed that is due would be sent now (1) or not (0)"),
            )
        }

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"billcoin_oracle_{name}", text, [label], registry=self.registry)

    def show(self, **values: float) -> None:
        """Set gauges by their names."""
        for name, value in values.items():
            self._gauges[name].set(value)

    def show_price(self, name: str, micro: int) -> None:
        """Set a gauge of ringgit from millionths."""
        self._gauges[name].set(micro / MICRO)


def make_app(problems: Callable[[], Mapping[str, str]], metrics: FeederMetrics) -> Starlette:
    """Make the application: `/healthz`, `/readyz`, `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        found = dict(sorted(problems().items()))
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        body = {"status": "not_ready" if found else "ready", "parts": found}
        return JSONResponse(body, status, headers={"cache-control": "no-store"})

    async def shown(_request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=METRICS_MEDIA)

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
