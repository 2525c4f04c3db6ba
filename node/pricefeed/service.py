"""The feeder as a process: carries the policy's effects out, one after another, in one task.

Nothing is decided here. A cancellation is as good as a kill at any step: what must outlive it was
kept before. What a disk refuses ends the process: a feed that could not be kept is not sent.
"""

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from ledger.genesis import parse_genesis
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, SigningKey
from ledger.types.price import FeedPrice
from ledger.types.transaction import Intent, sign
from node.client.errors import ClientFault, NodeUnavailable
from node.client.http import NodeClient
from node.home.lock import owned
from node.httpd.status import make_status_app, serve_status
from node.plaintext import check_plain
from node.pricefeed.config import FeederConfig, read_feeder_key
from node.pricefeed.errors import SourceFailed
from node.pricefeed.events import (
    AskFate,
    CountFeed,
    CountQuote,
    FateTold,
    FeedAnswered,
    FeederEffect,
    FeederEvent,
    FeedOutcome,
    KeepMemory,
    LookAtPrice,
    NodesSilent,
    PriceSeen,
    ReadSource,
    SignedFeed,
    SourceRead,
    SourceSilent,
    SubmitFeed,
    TellProblem,
    TimePassed,
)
from node.pricefeed.memory import MemoryFile
from node.pricefeed.policy import NODES, FeedPolicy
from node.pricefeed.quotes import format_myr
from node.pricefeed.sources import PriceSource, open_source
from node.pricefeed.status import FeederMetrics

STEP_S: Final = 0.25
RETRY_S: Final = 0.5
FATE_WAIT_MS: Final = 3_000
"""How long one look at a feed waits for it to be final."""

log = structlog.get_logger("oracle")


def wall_ms() -> int:
    """Read the wall clock: it judges ages of quotes, beside the chain's."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Read the steady clock."""
    return time.monotonic_ns() // 1_000_000


class FeedSigner:
    """Signs feeds of one chain with one key."""

    def __init__(self, key: SigningKey, chain_id: Hash) -> None:
        self._key, self._chain_id = key, chain_id
        self._policy = Policy.single(key.public)
        self.feeder = self._policy.address()

    def sign(self, body: FeedPrice, nonce: int, fee: Units, valid_until: int) -> SignedFeed:
        """Sign one; the same arguments give the same bytes."""
        intent = Intent(self._chain_id, self._policy, nonce, fee, valid_until, body)
        made = sign(intent, self._key)
        return SignedFeed(body.round, body.value, nonce, made.id, encode(made))


class FeederService:
    """One feeder over one home's memory, some nodes and a source."""

    def __init__(
        self,
        config: FeederConfig,
        signer: FeedSigner,
        memory: MemoryFile,
        nodes: NodeClient,
        source: PriceSource,
        metrics: FeederMetrics,
        clock_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._signer, self._memory = signer, memory
        self._nodes, self._source, self._metrics = nodes, source, metrics
        self._clock_ms = clock_ms
        self.policy = FeedPolicy(config.rules(), signer.feeder, memory.read(), signer.sign)

    async def run(self) -> None:
        """Work until cancelled; raise what can't be gone on from."""
        events: deque[FeederEvent] = deque([TimePassed()])
        while True:
            while events:
                for effect in self.policy.handle(events.popleft(), steady_ms()):
                    events += await self._carry_out(effect)
            self._measure()
            await asyncio.sleep(STEP_S)
            events.append(TimePassed())

    async def _carry_out(self, effect: FeederEffect) -> list[FeederEvent]:
        """Do what the policy asks; give what came of it."""
        match effect:
            case ReadSource():
                return [await self._read()]
            case LookAtPrice() | SubmitFeed() | AskFate():
                try:
                    return [await self._ask(effect)]
                except ClientFault as fault:
                    return [NodesSilent(str(fault))]
            case KeepMemory(memory):
                self._memory.keep(memory)
            case CountQuote(code):
                self._metrics.quotes.labels(code or "fit").inc()
            case CountFeed():
                self._metrics.feeds.labels(effect.outcome).inc()
                _tell_feed(effect)
            case TellProblem(part, code, why):
                if code:
                    log.warning("can't feed", part=part, code=code, why=why)
                else:
                    log.info("works again", part=part)
        return []

    async def _read(self) -> FeederEvent:
        try:
            return SourceRead(await self._source.read(), self._clock_ms())
        except SourceFailed as fault:
            return SourceSilent(str(fault))

    async def _ask(self, effect: LookAtPrice | SubmitFeed | AskFate) -> FeederEvent:
        match effect:
            case LookAtPrice():
                view = await self._nodes.price()
                account = await self._nodes.account(self._signer.feeder)
                return PriceSeen(view, account.nonce, account.units, self._clock_ms())
            case SubmitFeed(feed):
                (told,) = await self._nodes.submit([feed.raw])
                return FeedAnswered(told.code, told.detail)
            case AskFate(feed):
                shown = await self._nodes.transaction(feed.txid, FATE_WAIT_MS)
                return FateTold(shown.state, shown.code, shown.height)

    def _measure(self) -> None:
        policy, clock_ms = self.policy, self._clock_ms()
        self._metrics.show(ready=not policy.problems)
        later_ms = clock_ms
        if (seen := policy.seen) is not None:
            view = seen.view
            later_ms = max(clock_ms, view.time_ms)
            self._metrics.show_price("price_myr", view.litre_micro_myr)
            self._metrics.show_price("round_low_myr", view.low_micro_myr)
            self._metrics.show_price("round_high_myr", view.high_micro_myr)
            self._metrics.show(
                price_age_seconds=(view.time_ms - view.updated_ms) / 1_000,
                clock_apart_seconds=(seen.clock_ms - view.time_ms) / 1_000,
                purse_units=seen.units,
            )
        if (quote := policy.quote) is not None:
            self._metrics.show_price("quote_myr", quote.litre_micro_myr)
            self._metrics.show(quote_age_seconds=(later_ms - quote.as_of_ms) / 1_000)


def _tell_feed(told: CountFeed) -> None:
    fields = {
        "round": told.feed.round,
        "myr_per_litre": format_myr(told.feed.litre_micro_myr),
        "txid": told.feed.txid.hex(),
    }
    match told.outcome:
        case FeedOutcome.FED:
            log.info("price fed", **fields)
        case FeedOutcome.FAILED | FeedOutcome.DROPPED:
            log.warning(f"feed {told.outcome}", code=told.code, why=told.detail, **fields)


async def serve(config: FeederConfig) -> None:
    """Run the feeder of a home until SIGTERM or SIGINT; raise `HomeTaken` if another one does.

    Raise `BadConfig` for what would go to another machine in the clear.
    """
    check_plain({"node_urls": config.node_urls}, allowed=config.allow_plaintext)
    key = read_feeder_key(config)
    with owned(config.home):
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        working = asyncio.create_task(_work(config, key))
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _work(config: FeederConfig, key: SigningKey) -> None:
    metrics = FeederMetrics()
    service: FeederService | None = None

    def problems() -> dict[str, str]:
        return service.policy.problems if service else {NODES: "no node has answered yet"}

    async with (
        serve_status(make_status_app(problems, metrics.registry), config.port),
        open_source(config.source, config.home) as source,
        NodeClient(*config.node_urls) as nodes,
    ):
        chain_id = await _find_chain(nodes)
        signer = FeedSigner(key, chain_id)
        memory = MemoryFile(config.home, chain_id, signer.feeder)
        service = FeederService(config, signer, memory, nodes, source, metrics)
        log.info("feeding", source=source.shown, feeder=signer.feeder.hex()[:16])
        await service.run()


async def _find_chain(nodes: NodeClient) -> Hash:
    """Ask for the genesis until a node answers; the chain's id is its hash."""
    told = ""
    while True:
        try:
            return parse_genesis(await nodes.genesis()).chain_id
        except NodeUnavailable as fault:
            if str(fault) != told:
                told = str(fault)
                log.info("waiting for a node", why=told)
        await asyncio.sleep(RETRY_S)
