"""The process: one event loop with uvicorn and everything that runs beside it.

uvicorn listens with httptools on asyncio's own loop (uvloop accepts one connection a pass), with
a keep-alive that idle tills survive and a backlog for a whole school's break. The collector is
told to look rarely: start-up's objects are frozen, requests die young.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn

from api.app import create_app
from api.auth.keys import key_digest, new_key
from api.config import ApiConfig
from api.db.session import open_engine
from api.errors import ConfigFault, FollowerFault
from api.node_watch import wall_ms
from api.service import Service, open_service
from api.services.catalogue import add_key, find_merchant
from ledger.primitives.errors import BadAddress
from node.client.http import NodeClient
from node.logs import set_up_logs

KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 8_192
DRAIN_S: Final = 1
GC_THRESHOLDS: Final = (50_000, 50, 1_000)
DATABASE_PATIENCE_S: Final = 30.0

log = structlog.get_logger("server")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it re-raises a signal and so would end as killed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


def tune_collector() -> None:
    """Freeze what start-up made, and collect rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


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
    """Wait for the database to come up beside us; False if told to stop meanwhile."""
    engine = open_engine(config.database_url, 2)
    deadline = asyncio.get_running_loop().time() + DATABASE_PATIENCE_S
    try:
        while not stop.is_set():
            try:
                async with engine.connect():
                    return True
            except OSError as fault:
                if asyncio.get_running_loop().time() > deadline:
                    raise ConfigFault(
                        f"no database answers at {engine.url.host}:{engine.url.port} ({fault}): "
                        f"start one with `billcoin api database`, or set DATABASE_URL"
                    ) from fault
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await stop.wait()
        return False
    finally:
        await engine.dispose()


async def _serve(service: Service, stop: asyncio.Event) -> None:
    config = service.config
    server = _Server(
        uvicorn.Config(
            create_app(service),
            host=config.host,
            port=config.port,
            loop="asyncio",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
            backlog=BACKLOG,
        )
    )
    tune_collector()
    async with asyncio.TaskGroup() as group:
        behind = group.create_task(service.run())
        serving = group.create_task(_listen(server, stop))
        await stop.wait()
        service.hub.close()
        server.should_exit = True
        await serving
        behind.cancel()


async def _listen(server: uvicorn.Server, stop: asyncio.Event) -> None:
    """Serve HTTP; a port that is taken ends the process with a word, not with a trace."""
    try:
        await server.serve()
    except SystemExit:
        raise ConfigFault(
            f"can't listen on {server.config.host}:{server.config.port}: is the port taken?"
        ) from None
    finally:
        stop.set()


async def issue_key(config: ApiConfig, merchant: str) -> str:
    """Make a key for a merchant and store its digest; raise `ConfigFault` for an unknown name."""
    engine = open_engine(config.database_url, 2)
    try:
        async with engine.begin() as connection:
            merchant_id = await find_merchant(connection, merchant)
            if merchant_id is None:
                raise ConfigFault(
                    f"there is no merchant {merchant!r}: merchants stand in config.toml and are "
                    f"known once the service has run"
                )
            key = new_key()
            await add_key(connection, merchant_id, key_digest(key), wall_ms())
        return key
    finally:
        await engine.dispose()
