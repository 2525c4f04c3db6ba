"""The minting gateway as a process: ingest, facts, minter and post.

The ingest thread stores what links. This side, on asyncio, follows final blocks, lets the minter's
core decide over archive and facts, has windows attested, and posts letters. A letter is on disk
before it is signed or sent; all else is made anew from archive and chain, so the process may die at
any point.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from iot_minting.errors import MintFault, OversizedBundle
from iot_minting.even_clock import steady_ms
from iot_minting.gateway import metrics
from iot_minting.gateway.answering import Answers
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.asking import AskAttestors, UnansweredWindows, ask_by_http, tell_refused
from iot_minting.gateway.chain import Chain
from iot_minting.gateway.collecting import MeterCollection
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.cutting import CutWindow
from iot_minting.gateway.facts import ChainFacts
from iot_minting.gateway.following import Following
from iot_minting.gateway.letters import Draft, Letter, Letters, LetterState, What
from iot_minting.gateway.minting import Action, Claim, MinterCore, ReportTampering, Waits
from iot_minting.gateway.pieces import done_with
from iot_minting.gateway.posting import LEASE_LOST, Post
from iot_minting.gateway.registry import find_registrations
from iot_minting.gateway.shelf import PieceShelf
from iot_minting.gateway.starting import (
    bind_chain,
    load_registry,
    load_tank_names,
    make_ingest,
    subscribe,
    take_part,
    window_rules,
)
from iot_minting.gateway.store import STORE_NAME, Store
from iot_minting.gateway.subscription import Subscription
from iot_minting.gateway.telling import Teller
from iot_minting.wire.login import ANONYMOUS
from ledger.genesis import Genesis
from ledger.params import DAY_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units, format_bill
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of
from ledger.rules.quorum import attestor_quorum
from ledger.types.line import ReportTamper
from ledger.types.transaction import TRANSACTION_BYTES_MAX
from ledger.types.window import CollectMilk, MintWindow
from node.client.errors import ClientFault

TICK_S: Final = 0.2
SAVE_EVERY_BLOCKS: Final = 20
TIDY_MS: Final = 60_000
SIGNED_ROOM: Final = 1_024
"""Bytes that a transaction needs around its body: intent, policy and signature."""

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
        ask_attestors: AskAttestors | None = None,
        subscription: Subscription | None = None,
    ) -> None:
        path = home / STORE_NAME
        self._config, self._genesis = config, genesis
        self._mmu, self._rules = address_of(keys.mmu.public), genesis.parameters
        self._store = Store(path)
        bind_chain(self._store, genesis)
        self._registry = load_registry(self._store, genesis)
        self._archive, self._letters = Archive(path), Letters(path)
        self._shelf, self._teller = PieceShelf(self._archive), Teller()
        self._subscription = subscription or subscribe(config, keys, ANONYMOUS)
        self._clock = self._subscription.clock
        self._answers = Answers(Archive(path), self._letters, self._clock.now_ms)
        self._chain = chain or Chain.of_urls(config.node_urls)
        self._ask = ask_attestors or ask_by_http(config, genesis.chain_id, keys.mmu)
        self._unanswered = UnansweredWindows()
        self._following = self._make_following()
        self._core = MinterCore(window_rules(config), config.collect_ms, self._clock.now_ms())
        self._duty = take_part(config, keys, genesis.chain_id, self._clock)
        self._post = self._make_post(keys)
        self._subscription.join(self._duty)
        session, duty = self._subscription, self._duty
        known = self._registry, self._following
        self._ingest = make_ingest(
            path, config, keys, genesis.chain_id, *known, session, duty, self._clock
        )
        self._asking: dict[Hash, asyncio.Task[None]] = {}
        self._floor = 0
        """No facts before this height are acted by: what is final there changed them."""

    def _make_following(self) -> Following:
        return Following(
            self._chain,
            self._registry,
            self._genesis.parameters,
            self._mmu,
            load_tank_names(self._store, self._genesis),
            {each.meter: each.tank for each in self._config.meter_tanks},
        )

    def _make_post(self, keys: MintKeys) -> Post:
        return Post(
            self._letters,
            self._chain,
            self._genesis.chain_id,
            keys.mmu,
            self._config.valid_blocks,
            self._may_bring,
        )

    def _may_bring(self, letter: Letter) -> bool:
        """Tell whether a letter is ours to bring. Answers are everyone's: none may be missing."""
        plant = self._following.plant_of(letter.subject)
        return letter.what is What.ANSWER or self._duty.holds(plant)

    async def run(self, ended: asyncio.Event) -> None:
        """Work until `ended`, or until a part fails (then it raises)."""
        self._subscription.start(self._config.broker_host, self._config.broker_port)
        self._duty.watch(each.plant for each in self._registry)
        self._ingest.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._follow()),
                    group.create_task(self._decide(group)),
                    group.create_task(self._send()),
                    group.create_task(self._share()),
                ]
                await ended.wait()
                for task in (*tasks, *self._asking.values()):
                    task.cancel()
        finally:
            self._subscription.stop()
            self._ingest.stop()
            await self._chain.aclose()
            for each in (self._archive, self._answers, self._letters, self._store):
                each.close()

    async def _follow(self) -> None:
        """Take every final block in: who is registered, and what it makes stale."""
        async for block in self._chain.blocks(self._registry.height + 1):
            self._answers.note(block)
            admitted = find_registrations(block.transactions, block.receipts)
            if admitted or block.height % SAVE_EVERY_BLOCKS == 0:
                self._store.save_registry(admitted, block.height)
            self._registry.admit(admitted, block.height)
            self._duty.watch(each.plant for each in admitted)
            self._following.note(block)
            self._clock.raise_to(block.time_ms)
            metrics.DEVICES.set(len(self._registry))

    async def _share(self) -> None:
        """Keep the leases of plants."""
        while True:
            self._duty.tick()
            await asyncio.sleep(TICK_S)

    async def _decide(self, group: asyncio.TaskGroup) -> None:
        """Let the core decide over what is final and stored, again and again."""
        tidied_ms = steady_ms()
        while True:
            if self._ingest.failed:
                raise MintFault("the ingest ended: see the log; this process must start again")
            try:
                facts = await self._following.fetch()
            except ClientFault as fault:
                log.warning("node away", why=str(fault))
                facts = None
            if facts is not None and facts.height >= self._floor:
                self._rules = facts.rules
                await self._act(facts.at(self._duty.holds), group)
                if steady_ms() - tidied_ms >= TIDY_MS:
                    tidied_ms = steady_ms()
                    await asyncio.to_thread(self._forget, facts)
            await asyncio.sleep(TICK_S)

    async def _act(self, facts: ChainFacts, group: asyncio.TaskGroup) -> None:
        """Decide once, off the loop, since to judge a window takes its time; then do it."""
        now_ms = self._clock.now_ms()
        busy = frozenset({*(each.subject for each in self._letters.open()), *self._asking})
        actions = await asyncio.to_thread(
            self._core.step,
            now_ms,
            facts,
            self._shelf.after,
            self._archive.last_arrival_ms,
            busy,
        )
        for action in actions:
            self._do(action, facts, group)
        self._teller.tell([each for each in actions if isinstance(each, Waits)], now_ms)

    def _do(self, action: Action, facts: ChainFacts, group: asyncio.TaskGroup) -> None:
        match action:
            case MeterCollection(meter=meter, first=first, last=last, units=units):
                body = CollectMilk(
                    self._mmu, meter.plant, meter.tank, meter.key, Units(units), first, last
                )
                self._write(meter.key, What.COLLECTION, encode(body), units)
            case ReportTampering(device=device, envelope=envelope):
                log.error("device reports tampering", device=device.hex())
                self._write(device, What.TAMPERING, encode(ReportTamper(envelope)), 0)
            case Claim(line=line, cut=cut):
                cut = self._unanswered.choose(line, cut)
                self._asking[line] = group.create_task(self._attest(line, cut, facts))

    def _write(self, subject: bytes, what: What, body: bytes, units: int) -> None:
        self._letters.write(Draft(subject, what, body, units, self._clock.now_ms()))

    async def _attest(self, line: Hash, cut: CutWindow, facts: ChainFacts) -> None:
        """Have a window attested; write its letter, or let the line pause."""
        claim, needed = cut.claim, max(1, attestor_quorum(len(facts.attestors)))
        try:
            asked = await self._ask(cut, facts, needed)
            self._unanswered.note(line, cut, asked, len(facts.attestors), needed)
            body = encode(MintWindow(claim, asked.attestations))
            if len(asked.attestations) < needed:
                tell_refused(line, asked, needed)
            elif len(body) > TRANSACTION_BYTES_MAX - SIGNED_ROOM:
                log.error("window held: too large to show", line=line.hex(), size=len(body))
            else:
                log.info("window claimed", line=line.hex(), to_ms=claim.to_ms, units=claim.units)
                self._write(line, What.WINDOW, body, claim.units)
                return
        except OversizedBundle as fault:
            log.error("window held", line=line.hex(), why=str(fault))
        finally:
            del self._asking[line]
        self._core.refused(line, self._clock.now_ms())

    async def _send(self) -> None:
        """Bring letters onto the chain."""
        while True:
            done: list[Letter] = []
            try:
                done = await self._post.advance(self._rules)
            except ClientFault as fault:
                log.warning("node away", why=str(fault))
            for letter in done:
                self._settle(letter)
            if done:
                self._measure()
            await asyncio.sleep(0 if done else TICK_S)

    def _settle(self, letter: Letter) -> None:
        """Act by what became of a letter: go on, or pause and build it anew."""
        self._floor = max(self._floor, letter.height)
        if letter.state is LetterState.FINAL:
            self._core.brought(letter.subject)
            if letter.what is What.WINDOW:
                log.info("minted", line=letter.subject.hex(), bill=format_bill(Units(letter.units)))
            return
        if letter.detail == LEASE_LOST:
            return
        self._core.refused(letter.subject, self._clock.now_ms())
        log.error("refused", what=letter.what, who=letter.subject.hex(), code=letter.detail)

    def _forget(self, facts: ChainFacts) -> None:
        """Let go of what the chain is done with, once nobody can doubt it any more."""
        before_ms = facts.time_ms - 2 * facts.rules.challenge_window_ms - DAY_MS
        for line in facts.lines.values():
            for device, tip in line.tips.items():
                self._archive.forget(device, done_with(tip), before_ms)
        for meter in facts.meters.values():
            self._archive.forget(meter.key, meter.open[-1].after, before_ms)

    def _measure(self) -> None:
        totals = self._letters.totals()
        for (what, state), (count, _) in totals.items():
            metrics.LETTERS.labels(what, state).set(count)
        minted = totals.get((What.WINDOW.value, LetterState.FINAL.value), (0, 0))[1]
        metrics.MINTED_LITRES.set(minted / UNITS_PER_BILL)
