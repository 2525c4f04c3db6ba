"""The process: one event loop with the HTTP server and everything that runs beside it."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from time import monotonic
from typing import Final

import structlog

from api.config import ApiConfig
from api.db.address import read_address
from api.db.faults import DATABASE_FAULTS, STARTING, describe, is_passing, sqlstate_of
from api.db.session import open_engine
from api.errors import ConfigFault, FollowerFault
from api.http.app import create_app
from api.service import Service, open_service
from ledger.primitives.errors import BadAddress
from node.addresses import LOOPBACK, parse_networks
from node.client.http import NodeClient
from node.collector import tune_collector
from node.errors import PortTaken
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.places import StreamPlaces
from node.httpd.server import QuietServer, bind
from node.logs import set_up_logs

BODY_BYTES_MAX: Final = 1024 * 1024
"""Far above what any route reads."""
PAGES_PART: Final = 2
"""Live pages hold at most this part of the connections."""
DATABASE_PATIENCE_S: Final = 30.0
"""How long a database that can't be reached is waited for."""
STARTING_PATIENCE_S: Final = 300.0
"""How long one that says that it starts is waited for: after a crash it has work to do first."""
NOTICE_EVERY_S: Final = 5.0

log = structlog.get_logger("server")


async def serve(config: ApiConfig) -> int:
    """Run the service until SIGTERM or SIGINT; give the exit code."""
    set_up_logs("api")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    code = 0
    async with NodeClient(*config.node_urls) as node:
        try:
            if await _await_database(config, stop):
                async with open_service(config, node) as service:
                    await _serve(service, stop)
        except* (FollowerFault, ConfigFault, BadAddress) as group:
            log.error("stopped", faults=[str(fault) for fault in _leaves(group)])
            code = 1
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for fault in group.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from _leaves(fault)
        else:
            yield fault


async def _await_database(config: ApiConfig, stop: asyncio.Event) -> bool:
    """Wait for the database to come up beside us; False if told to stop meanwhile.

    Raise `ConfigFault` for what only a person can mend, at once, and for one that doesn't come.
    """
    where, engine = read_address(config.database_url).where, open_engine(config.database_url, 1)
    began_s, told_s = monotonic(), float("-inf")
    try:
        while not stop.is_set():
            try:
                async with engine.connect():
                    return True
            except DATABASE_FAULTS as fault:
                waited_s, why = monotonic() - began_s, describe(fault)
                starting = sqlstate_of(fault) == STARTING
                if not is_passing(fault):
                    raise ConfigFault(f"the database {where} can't be used: {why}") from fault
                if waited_s > (STARTING_PATIENCE_S if starting else DATABASE_PATIENCE_S):
                    raise ConfigFault(
                        f"the database {where} has not come up in {waited_s:.0f} s ({why}): start "
                        f"one with `billcoin api database`, or set DATABASE_URL"
                    ) from fault
                if monotonic() - told_s >= NOTICE_EVERY_S:
                    told_s = monotonic()
                    log.info("waiting for the database", at=where, why=why)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await stop.wait()
        return False
    finally:
        await engine.dispose()


async def _serve(service: Service, stop: asyncio.Event) -> None:
    config = service.config
    limits = HttpLimits(
        connections_max=fit_to_files(config.connections_max),
        per_address_max=config.connections_per_address_max,
        trusted=LOOPBACK + parse_networks(config.trusted_proxies),
        body_bytes_max=BODY_BYTES_MAX,
    )
    service.hub.places = StreamPlaces(limits.connections_max // PAGES_PART)
    cuts = service.metrics.connections_cut
    admission = Admission(limits, on_cut=lambda reason: cuts.labels(reason).inc())
    server = QuietServer(create_app(service), admission, lifespan="off")
    listener = _bind(config)
    tune_collector()
    async with asyncio.TaskGroup() as group:
        behind = group.create_task(service.run())
        serving = group.create_task(_listen(server, listener, stop))
        await stop.wait()
        service.live.close()
        server.should_exit = True
        await serving
        behind.cancel()


def _bind(config: ApiConfig) -> socket.socket:
    """Take the port; one that is taken ends the process with a word, not with a trace."""
    try:
        return bind(config.host, config.port)
    except PortTaken as fault:
        where = f"{config.host}:{config.port}"
        raise ConfigFault(f"can't listen on {where}: is the port taken? {fault}") from fault


async def _listen(server: QuietServer, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve HTTP until told to stop."""
    with listener:
        try:
            await server.serve(sockets=[listener])
        finally:
            stop.set()
