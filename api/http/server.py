"""One worker's event loop, with the HTTP server and everything that runs beside it.

The port is given: `api.workers.parent` holds it. A worker opens its doors once the service behind
them runs, and, where others serve already, once it is as level with the chain as they are.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
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
from api.transport import check_ways, tls_of
from api.workers.words import WorkerEnd
from ledger.primitives.errors import BadAddress
from node.addresses import LOOPBACK, parse_networks
from node.client.http import NodeClient
from node.collector import tune_collector
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits, fit_to_files
from node.httpd.places import StreamPlaces
from node.httpd.server import BACKLOG, QuietServer

BODY_BYTES_MAX: Final = 1024 * 1024
"""Far above what any route reads."""
PAGES_PART: Final = 2
"""Live pages hold at most this part of the connections."""
DATABASE_PATIENCE_S: Final = 30.0
"""How long a database that can't be reached is waited for."""
STARTING_PATIENCE_S: Final = 300.0
"""How long one that says that it starts is waited for: after a crash it has work to do first."""
NOTICE_EVERY_S: Final = 5.0
LOOK_S: Final = 0.05
LINGER_S: Final = 2.0
"""How long a worker that was replaced waits for the next request on connections it has already."""
ANSWERS_S: Final = 12
"""How long it waits for answers that are on their way: above the longest a database may take."""

log = structlog.get_logger("server")


class NotLevel(Exception):
    """A worker that was to take another's place isn't level with the chain in time."""


class Shift:
    """How a worker begins and ends.

    It waits `level_s` to be level with the chain; if it isn't then, it serves anyway, or gives up
    if it `must_be_level`. `on_ready` is called once it serves.
    """

    def __init__(self, level_s: float, must_be_level: bool, on_ready: Callable[[], None]) -> None:
        self.level_s = level_s
        self.must_be_level = must_be_level
        self.on_ready = on_ready
        self.over = asyncio.Event()
        self.replaced = False

    def end(self) -> None:
        """End soon: nobody comes after us."""
        self.over.set()

    def leave(self) -> None:
        """End when what came to us is answered: another takes what comes."""
        self.replaced = True
        self.over.set()


async def serve(config: ApiConfig, listener: socket.socket, shift: Shift) -> WorkerEnd:
    """Serve at a port until the shift is over; tell how it ended."""
    end = WorkerEnd.DONE
    async with NodeClient(*config.node_urls) as node:
        try:
            # Here as well as in the parent: the file may have changed since that one began.
            for way in check_ways(config):
                log.warning("in the clear", what=way.what, at=way.where)
            if await _await_database(config, shift.over):
                async with open_service(config, node) as service:
                    await _serve(service, listener, shift)
        except* (ConfigFault, BadAddress) as group:
            end = _stopped(WorkerEnd.FAULT, group)
        except* FollowerFault as group:
            end = _stopped(WorkerEnd.CHAIN, group)
        except* NotLevel as group:
            end = _stopped(WorkerEnd.NOT_LEVEL, group)
    return end


def _stopped(end: WorkerEnd, group: BaseExceptionGroup[BaseException]) -> WorkerEnd:
    log.error("stopped", faults=[str(fault) for fault in _leaves(group)])
    return end


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


async def _serve(service: Service, listener: socket.socket, shift: Shift) -> None:
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
    server = QuietServer(
        create_app(service),
        admission,
        lifespan="off",
        on_serving=shift.on_ready,
        tls=tls_of(config),
    )
    _begin_to_listen(listener)
    tune_collector()
    async with asyncio.TaskGroup() as group:
        behind = group.create_task(service.run())
        try:
            await _be_level(service, shift)
            if not shift.over.is_set():
                serving = group.create_task(_listen(server, listener, shift))
                await shift.over.wait()
                service.live.close()
                if shift.replaced:
                    server.take_leave(LINGER_S, ANSWERS_S)
                server.should_exit = True
                await serving
        finally:
            behind.cancel()


def _begin_to_listen(listener: socket.socket) -> None:
    """Let the port take connections; one that another listens on ends us with a word."""
    try:
        listener.listen(BACKLOG)
    except OSError as fault:
        host, port = listener.getsockname()[:2]
        told = f"can't listen on {host}:{port}: is the port taken? {fault.strerror}"
        raise ConfigFault(told) from fault


async def _be_level(service: Service, shift: Shift) -> None:
    """Wait until orders can be opened here, as long as the shift says; raise `NotLevel`."""
    end_s = monotonic() + shift.level_s
    while (why := service.behind()) and monotonic() < end_s and not shift.over.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await shift.over.wait()
    if why and shift.must_be_level:
        raise NotLevel(why)


async def _listen(server: QuietServer, listener: socket.socket, shift: Shift) -> None:
    """Serve HTTP until told to stop."""
    try:
        await server.serve(sockets=[listener])
    finally:
        shift.end()
