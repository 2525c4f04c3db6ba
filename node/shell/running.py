"""One validator process: everything put together, its RPC child, and its end.

Order of starting: disk, machine, event loop, network, RPC. Order of ending: the other way round,
within three seconds, whatever peers and clients do.
"""

import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from consensus.params import Params
from ledger.genesis import Genesis, parse_genesis
from ledger.primitives.committee import Committee
from ledger.store.disk import DiskStore
from node.collector import tune_collector
from node.config import JOURNAL_FOLDER, STORE_FOLDER, NodeConfig, peer_key
from node.core.assembly import assemble
from node.core.machine import Machine
from node.errors import BadConfig
from node.home.key_file import read_key, read_seed
from node.shell.disk.journal import Journal
from node.shell.p2p.libp2p_transport import Libp2pTransport
from node.shell.p2p.transport import PeerAddress, Transport
from node.shell.rpc.backend import NodeBackend
from node.shell.rpc.server import RpcServer
from node.shell.service import NodeService
from node.shell.telemetry import Telemetry

CHILD_END_S: Final = 2.0
CHILD_RESTART_FIRST_S: Final = 0.5
CHILD_RESTART_MAX_S: Final = 5.0
_log = structlog.get_logger("billcoin.node")


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of one running node."""

    committee: Committee
    machine: Machine
    store: DiskStore
    journal: Journal
    service: NodeService
    backend: NodeBackend
    transport: Transport

    def close(self) -> None:
        """Let the disk go."""
        self.journal.close()
        self.store.close()


def read_genesis(path: Path) -> tuple[Genesis, bytes]:
    """Read the genesis file; raise `BadConfig` if there is none."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{path} can't be read: {error.strerror}; copy the network's") from error
    return parse_genesis(text.decode()), text


def make_node(config: NodeConfig, transport: Transport | None = None) -> Node:
    """Open the disk and put a node together; raise a fault that says what is wrong."""
    genesis, genesis_text = read_genesis(config.path(config.genesis_file))
    key = read_key(config.path(config.validator_key_file))
    committee = genesis.committee
    if transport is None:
        transport = Libp2pTransport(
            key.public,
            read_seed(config.path(config.network_key_file)),
            config.listen,
            peer_addresses(config),
        )
    store = DiskStore(config.path(STORE_FOLDER), keep_blocks=config.keep_blocks)
    journal = Journal(config.path(JOURNAL_FOLDER), config.journal_segment_bytes)
    if journal.is_lost:
        _log.error(
            "THE JOURNAL IS LOST: not voting before no forgotten vote can matter",
            damage=journal.damage or "there is none, or it was lost before",
            hint="for a key that has never voted: `billcoin node new-journal`, before it starts",
        )
    params = Params(
        delta_ms=config.delta_ms,
        heartbeat_ms=config.heartbeat_ms,
        pace_ms=config.block_interval_ms,
    )
    owner_path = config.path(config.owner_key_file)
    reporter = read_key(owner_path) if owner_path.is_file() else None
    vrf_secret = read_seed(config.path(config.vrf_key_file))
    others = [peer_key(peer.vote_key) for peer in config.peers]
    machine = assemble(
        genesis,
        store,
        key,
        params,
        journal.recovered,
        reporter,
        others,
        vrf_secret=vrf_secret,
        silent=journal.is_lost,
    )
    telemetry = Telemetry()
    # Each of the two needs the other: the hook is looked up when it is called.
    service = NodeService(
        machine,
        machine.book,
        transport,
        journal,
        store,
        telemetry,
        lambda steps, now_ms: backend.committed(steps, now_ms),
        config.verify_threads,
    )
    backend = NodeBackend(
        config.name,
        genesis,
        genesis_text,
        store,
        machine,
        transport,
        telemetry,
        service.submit,
    )
    if machine.engine.me is None:
        _log.warning("this key has no seat: observing only", key=key.public.hex()[:16])
    return Node(committee, machine, store, journal, service, backend, transport)


def peer_addresses(config: NodeConfig) -> list[PeerAddress]:
    """List the configured peers: validators of the genesis, and those that may become some."""
    return [
        PeerAddress(peer_key(peer.vote_key), peer_key(peer.network_key), peer.address)
        for peer in config.peers
    ]


async def run_node(config: NodeConfig, *, with_rpc: bool) -> None:
    """Run a validator until SIGTERM or SIGINT."""
    node = make_node(config)
    tune_collector()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
            await nursery.start(node.service.run)
            await nursery.start(partial(node.transport.run, node.service))
            await nursery.start(RpcServer(node.backend, config.socket_path).run)
            if with_rpc:
                nursery.start_soon(keep_rpc, config)
            _log.info("node runs", home=str(config.home), listen=config.listen)
    finally:
        node.close()
    _log.info("node ended")


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            _log.info("node ends", signal=signal.Signals(number).name)
            scope.cancel()


async def keep_rpc(config: NodeConfig) -> None:
    """Run the RPC process, and start it again when it ends."""
    command = [sys.executable, "-m", "node.cli.main", "node", "rpc"]
    command += ["--home", str(config.home), "--ends-with-parent"]
    delay_s = CHILD_RESTART_FIRST_S
    while True:
        process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE)
        try:
            began_s = trio.current_time()
            code = await process.wait()
        finally:
            await _end_child(process)
        if trio.current_time() - began_s > CHILD_RESTART_MAX_S:
            delay_s = CHILD_RESTART_FIRST_S
        _log.warning("the RPC process ended: starting it again", code=code, delay_s=delay_s)
        await trio.sleep(delay_s)
        delay_s = min(2 * delay_s, CHILD_RESTART_MAX_S)


async def _end_child(process: trio.Process) -> None:
    """Ask the child to end; insist after two seconds."""
    if process.returncode is None:
        process.terminate()
        with trio.CancelScope(shield=True), trio.move_on_after(CHILD_END_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    if process.stdin is not None:
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
