"""A chain in memory with price feeders, and a feeder that can be killed between any two effects."""

import asyncio

from msgspec.structs import replace

from ledger.genesis import Genesis, GenesisAccount, GenesisRole
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, SigningKey, address_of
from ledger.state.records import Role
from ledger.types.price import FeedPrice
from ledger.types.transaction import Intent, decode_transaction, sign
from node.client.errors import ClientFault
from node.pricefeed.events import (
    AskFate,
    CountFeed,
    CountQuote,
    FateTold,
    FeedAnswered,
    FeederMemory,
    KeepMemory,
    LookAtPrice,
    NodesSilent,
    PriceSeen,
    ReadSource,
    SourceRead,
    SourceSilent,
    SubmitFeed,
    TellProblem,
    TimePassed,
)
from node.pricefeed.judging import JudgingRules
from node.pricefeed.policy import FeedPolicy, FeedRules
from node.pricefeed.service import FeedSigner
from tests.support.node.fake_node import FOREVER, FakeNode, signing_key, small_genesis

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
RM = 1_000_000
PURSE = 100_000
RULES = FeedRules(
    JudgingRules(source_fresh_ms=24 * HOUR_MS, change_bp_max=2_000),
    feed_every_ms=HOUR_MS,
    read_every_ms=MINUTE_MS,
    valid_blocks=20,
)


def feeder_key(number: int) -> SigningKey:
    return signing_key(f"feeder-{number}")


def chain_of_feeders(count: int, licensed: int | None = None) -> Genesis:
    """Make a chain whose first `licensed` of so many feeders hold the role; each has money."""
    genesis = small_genesis()
    addresses = [address_of(feeder_key(number).public) for number in range(count)]
    purses = tuple(GenesisAccount(address, Units(PURSE)) for address in addresses)
    [rich] = genesis.accounts
    roles = tuple(GenesisRole(Role.ORACLE, address) for address in addresses[:licensed])
    return replace(
        genesis,
        accounts=(replace(rich, units=Units(rich.units - PURSE * count)), *purses),
        roles=(*genesis.roles, *roles),
    )


def feed_by_hand(node: FakeNode, number: int, round_: int, value: int) -> str:
    """Sign and hand in a feed as another program would; give the node's answer."""
    key = feeder_key(number)
    policy = Policy.single(key.public)
    body = FeedPrice(round_, value)
    intent = Intent(node.chain.chain_id, policy, node.next_nonce(key), Units(100), FOREVER, body)
    return node.take(encode(sign(intent, key))).code


class Killed(Exception):
    """The process died here."""


class DrivenFeeder:
    """The policy over the real ledger in memory. Every step of time is the test's.

    `memory` is the disk: it outlives `kill`. `source` is what the source says, or why it doesn't.
    """

    def __init__(self, node: FakeNode, number: int = 0, rules: FeedRules = RULES) -> None:
        self.node, self.rules = node, rules
        self.signer = FeedSigner(feeder_key(number), node.chain.chain_id)
        self.memory = FeederMemory()
        self.source: bytes | str = "not there yet"
        self.steady_ms = 0
        self.clock_ms = node.chain.time_ms
        self.effects_until_death: int | None = None
        self.counted: list[CountFeed] = []
        self.quotes: list[str] = []
        self.told: list[TellProblem] = []
        self.kill()

    def kill(self) -> None:
        """Die, and begin again from what is on disk."""
        self.policy = FeedPolicy(self.rules, self.signer.feeder, self.memory, self.signer.sign)

    def step(self, passed_ms: int = 2_000) -> None:
        """Let time pass, and carry out all that comes of it; an awaited death begins anew."""
        self.steady_ms += passed_ms
        self.clock_ms += passed_ms
        try:
            self._work()
        except Killed:
            self.effects_until_death = None
            self.kill()

    def _work(self) -> None:
        events = [TimePassed()]
        while events:
            for effect in self.policy.handle(events.pop(0), self.steady_ms):
                if self.effects_until_death is not None:
                    if self.effects_until_death == 0:
                        raise Killed
                    self.effects_until_death -= 1
                events += self._carry_out(effect)

    def _carry_out(self, effect) -> list:
        match effect:
            case ReadSource() if isinstance(self.source, str):
                return [SourceSilent(self.source)]
            case ReadSource():
                return [SourceRead(self.source, self.clock_ms)]
            case KeepMemory(memory):
                self.memory = memory
            case CountFeed():
                self.counted.append(effect)
            case CountQuote(code):
                self.quotes.append(code)
            case TellProblem():
                self.told.append(effect)
            case _:
                try:
                    return [asyncio.run(self._ask(effect))]
                except ClientFault as fault:
                    return [NodesSilent(str(fault))]
        return []

    async def _ask(self, effect):
        match effect:
            case LookAtPrice():
                view = await self.node.price()
                account = await self.node.account(self.signer.feeder)
                return PriceSeen(view, account.nonce, account.units, self.clock_ms)
            case SubmitFeed(feed):
                assert self.memory.pending == feed, "what is sent was kept before"
                [told] = await self.node.submit([feed.raw])
                return FeedAnswered(told.code, told.detail)
            case AskFate(feed):
                shown = await self.node.transaction(feed.txid)
                return FateTold(shown.state, shown.code, shown.height)
        raise AssertionError(effect)

    def feeds(self) -> list[tuple[int, int, int, str]]:
        """List our feeds in final blocks: (block time, round, value, code)."""
        found = []
        for block in self.node.chain_blocks():
            for raw, receipt in zip(block.transactions, block.receipts, strict=True):
                made = decode_transaction(raw)
                if made.sender == self.signer.feeder:
                    body = made.intent.body
                    found.append((block.time_ms, body.round, body.value, receipt.code))
        return found


def quote(micro: int, as_of_ms: int) -> bytes:
    """Write what a source says, in JSON."""
    from datetime import UTC, datetime, timedelta

    as_of = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=as_of_ms)
    text = as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    price = f"{micro // RM}.{micro % RM:06d}"
    return f'{{"myr_per_litre": "{price}", "as_of": "{text}"}}'.encode()


def run(feeder, steps=1, every_ms=2_000, price=None):
    """Let a feeder and the chain go on together, a block a step; the source says a price."""
    for _ in range(steps):
        if price is not None:
            feeder.source = quote(price, feeder.clock_ms)
        feeder.step(every_ms)
        feeder.node.make_block(feeder.clock_ms)
