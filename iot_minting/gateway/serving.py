"""Serving: one gateway's process over its home, from the first node that answers to a signal."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import start_http_server

from iot_minting.gateway.chain import Chain
from iot_minting.gateway.config import MintConfig, MintKeys, read_config, read_keys
from iot_minting.gateway.service import GatewayService
from iot_minting.gateway.starting import subscribe
from iot_minting.wire.login import BrokerLogin, read_login
from ledger.genesis import Genesis
from node.client.errors import NodeUnavailable
from node.home.lock import owned
from node.plaintext import check_plain

RETRY_S: Final = 0.5

log = structlog.get_logger("mint")


async def serve(home: Path) -> None:
    """Run the gateway of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does.

    Raise `BadConfig` for what would go to another machine in the clear.
    """
    config, keys = read_config(home), read_keys(home)
    attestors = [each.url for each in config.attestors]
    asked = {"node_urls": config.node_urls, "attestors": attestors}
    check_plain(asked, allowed=config.allow_plaintext)
    login = read_login(home, config)
    with owned(home):
        await _serve(home, config, keys, login)


async def _serve(home: Path, config: MintConfig, keys: MintKeys, login: BrokerLogin) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    if config.metrics_port:
        start_http_server(config.metrics_port, addr="127.0.0.1")
    # Devices are heard while nodes are waited for: else they would wait as long again to be sure
    # that nobody heard them.
    subscription = subscribe(config, keys, login)
    subscription.start(config.broker_host, config.broker_port)
    try:
        genesis = await fetch_genesis(config, ended)
        if genesis is not None:
            service = GatewayService(home, config, keys, genesis, subscription=subscription)
            await service.run(ended)
    finally:
        subscription.stop()


async def fetch_genesis(config: MintConfig, ended: asyncio.Event) -> Genesis | None:
    """Ask the nodes for the genesis until one answers; None if ended before."""
    chain = Chain.of_urls(config.node_urls)
    try:
        while not ended.is_set():
            try:
                return await chain.genesis()
            except NodeUnavailable as fault:
                log.info("waiting for a node", why=str(fault))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), RETRY_S)
        return None
    finally:
        await chain.aclose()
