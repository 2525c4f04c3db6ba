"""The minting gateway as a process: ingest, registry, policy and outbox around one store.

Two movements. The ingest thread stores envelopes; this side, on asyncio, follows the chain for
registrations, lets the policy decide over what is stored, and brings runs onto the chain.
They meet in the store, so either may die with the process at any point.
"""

import asyncio
import signal
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import start_http_server

from iot_minting.errors import Disagreement, MintFault
from iot_minting.even_clock import EvenClock, steady_ms
from iot_minting.gateway import metrics
from iot_minting.gateway.attestations import gather_attestations
from iot_minting.gateway.chain import Chain
from iot_minting.gateway.claims import build_claim
from iot_minting.gateway.config import MintConfig, MintKeys, read_config, read_keys
from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.judgement import Gateway
from iot_minting.gateway.line_service import LineService
from iot_minting.gateway.outbox import MintOutbox, outbox_entry
from iot_minting.gateway.plausibility import find_outliers
from iot_minting.gateway.policy import CutRules, CutRun, Dropped, MintingPolicy
from iot_minting.gateway.registry import find_registrations
from iot_minting.gateway.starting import bind_chain, load_registry, subscribe
from iot_minting.gateway.store import STORE_NAME, OutboxState, Store
from ledger.genesis import Genesis
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.keys import PublicKey
from ledger.types.milk import Attestation
from node.client.errors import ClientFault, NodeUnavailable
from node.home.lock import owned

TICK_S: Final = 0.1
RETRY_S: Final = 0.5
SAVE_EVERY_BLOCKS: Final = 20
READ_MAX: Final = 2_000
"""Envelopes that the policy takes in between two decisions."""
MEASURE_MS: Final = 1_000
SECOND_LAW: Final = 2
USUAL_LEAST: Final = 10
"""Milkings of one farm in a run that it takes to say what is usual there."""

log = structlog.get_logger("mint")


class GatewayService:
    """One gateway over one home."""

    def __init__(
        self,
        home: Path,
        config: MintConfig,
        keys: MintKeys,
        genesis: Genesis,
        chain: Chain | None = None,
    ) -> None:
        self._config = config
        self._keys = keys
        self._genesis = genesis
        self._store = Store(home / STORE_NAME)
        bind_chain(self._store, genesis)
        self._registry = load_registry(self._store, genesis)
        self._chain = chain or Chain.of_urls(config.node_urls)
        self._rules = CutRules(
            genesis.parameters,
            config.milk_kind,
            config.run_interval_max_ms,
            config.run_litres_max * UNITS_PER_BILL,
            config.tank_grace_ms,
        )
        self._clock = EvenClock()
        self._policy = MintingPolicy(self._rules, self._clock.now_ms())
        self._read_place = 0
        self._subscription = subscribe(config, keys, self._clock)
        kept = Store(home / STORE_NAME)
        self._ingest = Ingest(
            genesis.chain_id,
            keys.ingest,
            Gateway(
                genesis.chain_id, self._registry, kept.digest_of, kept.heads(), kept.tampered()
            ),
            kept,
            self._subscription,
            self._clock,
        )
        self._outbox = MintOutbox(
            self._store,
            self._chain,
            genesis.chain_id,
            keys.mmu,
            genesis.parameters,
            config.valid_blocks,
        )

    async def run(self, ended: asyncio.Event) -> None:
        """Work until `ended`, or until a part fails (then it raises)."""
        self._subscription.start(self._config.broker_host, self._config.broker_port)
        self._ingest.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._follow()),
                    group.create_task(self._decide()),
                    group.create_task(self._mint()),
                ]
                await ended.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._subscription.stop()
            self._ingest.stop()
            await self._chain.aclose()
            self._store.close()

    async def _follow(self) -> None:
        """Take every registration of a final block into the registry."""
        async for block in self._chain.blocks(self._registry.height + 1):
            admitted = find_registrations(block.transactions, block.receipts)
            if admitted or block.height % SAVE_EVERY_BLOCKS == 0:
                # Before it is admitted: what the ingest accepts must find its device stored.
                self._store.save_registry(admitted, block.height)
            self._registry.admit(admitted, block.height)
            for device in admitted:
                log.info("device registered", device=device.key.hex(), kind=device.kind)
            # Devices may be dated by chain time, which stays ahead when a clock was put back.
            self._clock.raise_to(block.time_ms)
            metrics.DEVICES.set(len(self._registry))

    async def _decide(self) -> None:
        """Feed the policy with what was stored, and keep its decisions."""
        measured_ms = steady_ms() - MEASURE_MS
        while True:
            if self._ingest.failed:
                raise MintFault("the ingest ended: see the log; this process must start again")
            placed = self._store.unused(self._read_place, READ_MAX)
            for each in placed:
                self._read_place = each.place
                for decision in self._policy.observe(each.stored):
                    self._keep(decision)
            for decision in self._policy.step(self._clock.now_ms()):
                self._keep(decision)
            if steady_ms() - measured_ms >= MEASURE_MS:
                measured_ms = steady_ms()
                self._measure()
            await asyncio.sleep(0 if len(placed) == READ_MAX else TICK_S)

    def _keep(self, decision: CutRun | Dropped) -> None:
        """Put a run into the outbox; note what is lost."""
        if isinstance(decision, CutRun):
            self._keep_run(decision)
            return
        self._store.drop(decision.pieces, decision.reason)
        if decision.reason != "idle":
            count = len(decision.pieces)
            log.warning("readings are no evidence", reason=decision.reason, count=count)

    def _keep_run(self, run: CutRun) -> None:
        """Claim what was cut, gather its attestations, and keep it until it is submitted."""
        claim = build_claim(run, self._rules)
        attestations: tuple[Attestation, ...] = ()
        why_held = ""
        try:
            attestations = gather_attestations(
                run,
                claim,
                self._genesis,
                self._flow_max(run.flow[0].device),
                self._keys.attestor,
            )
        except Disagreement as fault:
            why_held = str(fault)
        entry = outbox_entry(claim, attestations, why_held, self._clock.now_ms())
        if entry.detail:
            log.error("run held", run=claim.run.hex(), why=entry.detail)
        self._store.keep_run(entry, run.pieces())
        log.info("run cut", run=claim.run.hex(), units=claim.units, plant=claim.plant)
        _warn_of_outliers(run)

    def _flow_max(self, flow_meter: PublicKey) -> int:
        device = self._registry.find(flow_meter)
        assert device is not None, "only registered devices are judged"
        return device.flow_max_l_per_h

    async def _mint(self) -> None:
        """Bring runs onto the chain, one after another."""
        while True:
            try:
                moved = await self._outbox.advance()
            except ClientFault as fault:
                log.warning("node away", why=str(fault))
                moved = False
            await asyncio.sleep(0 if moved else RETRY_S)

    def _measure(self) -> None:
        totals = self._store.run_totals()
        for state in OutboxState:
            metrics.RUNS.labels(state.value).set(totals.get(state.value, (0, 0))[0])
        metrics.MINTED_LITRES.set(totals.get("final", (0, 0))[1] / UNITS_PER_BILL)
        for (plant, line), units in self._policy.tank_units().items():
            metrics.TANK_LITRES.labels(f"{plant}/{line}").set(units / UNITS_PER_BILL)


def _warn_of_outliers(run: CutRun) -> None:
    """Name milkings far from a farm's usual: for people to look at, no reason to refuse."""
    for pieces in run.collections:
        rises = [piece.last_value - piece.first_value for piece in pieces]
        for place in find_outliers(rises) if len(rises) >= USUAL_LEAST else ():
            piece = pieces[place]
            log.warning("unusual milking", device=piece.device.hex(), seq=piece.seq)


async def fetch_genesis(config: MintConfig, ended: asyncio.Event) -> Genesis | None:
    """Ask the nodes for the genesis until one answers; None if ended before."""
    chain = Chain.of_urls(config.node_urls)
    try:
        while not ended.is_set():
            try:
                return await chain.genesis()
            except NodeUnavailable as fault:
                log.info("waiting for a node", why=str(fault))
            await asyncio.wait([asyncio.create_task(ended.wait())], timeout=RETRY_S)
        return None
    finally:
        await chain.aclose()


async def serve(home: Path) -> None:
    """Run the gateway of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does."""
    config, keys = read_config(home), read_keys(home)
    with owned(home):
        await _serve(home, config, keys)


async def _serve(home: Path, config: MintConfig, keys: MintKeys) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    if config.metrics_port:
        start_http_server(config.metrics_port, addr="127.0.0.1")
    genesis = await fetch_genesis(config, ended)
    if genesis is None:
        return
    service = LineService if config.law == SECOND_LAW else GatewayService
    await service(home, config, keys, genesis).run(ended)
