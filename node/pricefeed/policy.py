"""When a price is fed, and what becomes of a feed: `handle(event, now_ms) -> effects`. Pure.

A feed is due when the last round closed `feed_every_ms` ago by the chain's own time, or when so
many others have fed the open round that one of them at least is honest (f + 1). Who is not needed
for a quorum, another each round, waits a while: a feed too many costs its fee and does nothing.

One feed is under way at a time. It is kept before it is sent, and the same bytes are sent until
they are final, or can't take effect any more: its nonce went to another, its round has closed, or
the law refused it. So a death between any two effects neither feeds twice nor
leaves a gap.

Invariants: nothing is signed while the memory holds a pending feed, nor from a quote that was not
judged at that moment; each effect is answered by one event before the next is asked for. `now_ms`
is of a steady clock: wall clocks come with events, and only judge ages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.types.price import FeedPrice
from node.client.views import PriceView, TransactionState
from node.pricefeed.errors import QuoteRefused
from node.pricefeed.events import (
    AskFate,
    CountFeed,
    CountQuote,
    FateTold,
    FeedAnswered,
    FeederEffect,
    FeederEvent,
    FeederMemory,
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
from node.pricefeed.judging import JudgingRules, judge, next_mark
from node.pricefeed.quotes import Quote, read_quote

LOOK_EVERY_MS: Final = 2_000
REST_FIRST_MS: Final = 2_000
"""How long nothing is signed after a feed was refused; twice as long each time in a row."""
REST_MAX_MS: Final = 5 * 60_000
RESERVE_MS: Final = 30_000
"""How long who is not needed for a quorum waits for the others, by the chain's time."""
READ_AGAIN_MS: Final = 5_000
"""A source that failed is read again so soon, or as often as usual if that is sooner."""
WAITING_CODES: Final = frozenset(
    {"", "already_known", "nonce_taken", "pool_full", "too_many_waiting"}
)
"""Answers after which the same bytes may still become final."""
SOURCE, QUOTE, NODES, LICENCE, PURSE = "source", "quote", "nodes", "licence", "purse"
"""The parts that may have a problem: reading the source, and believing it, are two."""

SignFeed = Callable[[FeedPrice, int, Units, int], SignedFeed]
"""Signs a body with a nonce, a fee and a last height."""


@dataclass(frozen=True, slots=True)
class FeedRules:
    """What an operator sets: see `config`."""

    judging: JudgingRules
    feed_every_ms: int
    read_every_ms: int
    valid_blocks: int


class FeedPolicy:
    """One feeder's decisions. `memory` and `problems` may be read by whoever shows them."""

    def __init__(
        self, rules: FeedRules, feeder: Address, memory: FeederMemory, sign: SignFeed
    ) -> None:
        self._rules, self._feeder, self._sign = rules, feeder, sign
        self.memory = memory
        self.problems: dict[str, str] = {
            NODES: "no node has answered yet",
            SOURCE: "the source was not read yet",
        }
        """Why a part does not work, in words; a part that works is not in it."""
        self._codes: dict[str, str] = {}
        self.quote: Quote | None = None
        """What the source said last, if it could be read."""
        self.seen: PriceSeen | None = None
        """What the chain said last."""
        self._clock_ms = 0
        self._read_due_ms: int | None = None
        self._look_due_ms: int | None = None
        self._rest_until_ms: int | None = None
        self._rests = 0
        self._refusal: FeedAnswered | None = None
        """By which a node refused the pending feed, while its fate is asked for."""

    def handle(self, event: FeederEvent, now_ms: int) -> list[FeederEffect]:
        """Take an event in; give what to do, in this order."""
        match event:
            case TimePassed():
                return self._look_around(now_ms)
            case SourceRead(raw, clock_ms):
                return self._take_source(raw, clock_ms)
            case SourceSilent(why):
                self._read_due_ms = now_ms + min(READ_AGAIN_MS, self._rules.read_every_ms)
                return [CountQuote("unreachable"), *self._note(SOURCE, "unreachable", why)]
            case PriceSeen():
                return self._take_price(event, now_ms)
            case NodesSilent(why):
                return self._note(NODES, "silent", why)
            case FeedAnswered():
                return self._take_answer(event)
            case FateTold():
                return self._take_fate(event, now_ms)

    def _look_around(self, now_ms: int) -> list[FeederEffect]:
        effects: list[FeederEffect] = []
        if self._read_due_ms is None or now_ms >= self._read_due_ms:
            self._read_due_ms = now_ms + self._rules.read_every_ms
            effects.append(ReadSource())
        if self._look_due_ms is None or now_ms >= self._look_due_ms:
            self._look_due_ms = now_ms + LOOK_EVERY_MS
            effects.append(LookAtPrice())
        return effects

    def _take_source(self, raw: bytes, clock_ms: int) -> list[FeederEffect]:
        """Read a quote. One that is wrong takes the place of the last: nothing is fed by then."""
        self._clock_ms = clock_ms
        try:
            self.quote = read_quote(raw)
        except QuoteRefused as fault:
            self.quote = None
            told = self._note(SOURCE, fault.code, str(fault))
            return [CountQuote(fault.code), *told, *self._note(QUOTE, "", "")]
        effects = self._note(SOURCE, "", "")
        if self.seen is None:
            return effects  # Judged when the chain is seen.
        code, told = self._judge(self.quote, self.seen.view)
        return [CountQuote(code), *effects, *told]

    def _take_price(self, seen: PriceSeen, now_ms: int) -> list[FeederEffect]:
        self.seen, self._clock_ms = seen, seen.clock_ms
        effects = self._note(NODES, "", "")
        pending = self.memory.pending
        if pending is not None:
            return [*effects, AskFate(pending) if self._is_past(pending) else SubmitFeed(pending)]
        effects += self._note_standing(seen)
        if self.quote is None:
            return effects
        code, told = self._judge(self.quote, seen.view)
        effects += told
        resting = self._rest_until_ms is not None and now_ms < self._rest_until_ms
        hindered = code or LICENCE in self.problems or PURSE in self.problems
        if hindered or resting or not self._is_due(seen.view):
            return effects
        return effects + self._feed(self.quote, seen)

    def _feed(self, quote: Quote, seen: PriceSeen) -> list[FeederEffect]:
        """Sign a feed of the open round, keep it, and only then send it."""
        view = seen.view
        body = FeedPrice(view.round, quote.litre_micro_myr)
        feed = self._sign(body, seen.nonce, view.fee_units, view.height + self._rules.valid_blocks)
        self._refusal = None
        self.memory = FeederMemory(
            pending=feed,
            mark=next_mark(self.memory.mark, quote.litre_micro_myr, view),
            newest_ms=max(self.memory.newest_ms, quote.as_of_ms),
        )
        return [KeepMemory(self.memory), SubmitFeed(feed)]

    def _take_answer(self, answer: FeedAnswered) -> list[FeederEffect]:
        """Ask what became of the feed, whatever the answer: another node may have had it."""
        pending = self.memory.pending
        assert pending is not None, "only a pending feed is sent"
        self._refusal = None if answer.code in WAITING_CODES else answer
        return [AskFate(pending)]

    def _take_fate(self, fate: FateTold, now_ms: int) -> list[FeederEffect]:
        pending = self.memory.pending
        assert pending is not None, "only a pending feed's fate is asked for"
        why = ""
        match fate.state:
            case TransactionState.PENDING:
                self._refusal = None
                return []
            case TransactionState.UNKNOWN if self._refusal:
                outcome, code, why = FeedOutcome.DROPPED, self._refusal.code, self._refusal.detail
            case TransactionState.UNKNOWN if not self._is_past(pending):
                return []  # Sent again at the next look.
            case TransactionState.UNKNOWN:
                outcome, code = FeedOutcome.DROPPED, "passed"
            case TransactionState.PRUNED:
                outcome, code = FeedOutcome.DROPPED, "pruned"
            case TransactionState.FINAL:
                outcome = FeedOutcome.FAILED if fate.code else FeedOutcome.FED
                code = fate.code
        self._settle(outcome, now_ms)
        return [KeepMemory(self.memory), CountFeed(outcome, pending, code, why)]

    def _settle(self, outcome: FeedOutcome, now_ms: int) -> None:
        """Forget the pending feed; rest before the next one if it did not take effect."""
        self.memory, self._refusal = replace(self.memory, pending=None), None
        self._look_due_ms = now_ms
        if outcome is FeedOutcome.FED:
            self._rests, self._rest_until_ms = 0, None
            return
        self._rest_until_ms = now_ms + min(REST_FIRST_MS << self._rests, REST_MAX_MS)
        self._rests = min(self._rests + 1, 16)

    def _is_past(self, feed: SignedFeed) -> bool:
        """Tell whether these bytes are final, or can't take effect any more."""
        seen = self.seen
        if seen is None:
            return False
        view = seen.view
        return seen.nonce > feed.nonce or view.round > feed.round

    def _is_due(self, view: PriceView) -> bool:
        """Tell whether the open round wants our feed now, by the chain's own time."""
        if any(feed.feeder == self._feeder for feed in view.feeds):
            return False
        others_least = view.quorum // 2 + 1  # Of 2f + 1, f may be false.
        wanted = (
            not view.litre_micro_myr
            or view.time_ms - view.updated_ms >= self._rules.feed_every_ms
            or len(view.feeds) >= others_least
        )
        return wanted and (not self._is_in_reserve(view) or self._is_stuck(view))

    def _is_in_reserve(self, view: PriceView) -> bool:
        """Tell whether the round can close without us: the turn goes round with the rounds."""
        turn = (view.feeders.index(self._feeder) + view.round) % len(view.feeders)
        return turn >= view.quorum

    def _is_stuck(self, view: PriceView) -> bool:
        """Tell whether those whose turn it is have let the round lie for a while."""
        due_ms = view.updated_ms + self._rules.feed_every_ms
        since_ms = max((feed.fed_ms for feed in view.feeds), default=due_ms)
        return view.time_ms - since_ms >= RESERVE_MS

    def _judge(self, quote: Quote, view: PriceView) -> tuple[str, list[FeederEffect]]:
        """Give the code by which a quote is refused, empty if it may be fed."""
        memory = self.memory
        try:
            judge(quote, self._rules.judging, view, memory.mark, memory.newest_ms, self._clock_ms)
        except QuoteRefused as fault:
            return fault.code, self._note(QUOTE, fault.code, str(fault))
        return "", self._note(QUOTE, "", "")

    def _note_standing(self, seen: PriceSeen) -> list[FeederEffect]:
        """Tell whether the chain would listen to us, and whether we can pay."""
        view, code, why = seen.view, "", ""
        if self._feeder not in view.feeders:
            code = "no_licence"
            why = "this key is no oracle on the chain: a regulator grants the role to its address"
        elif len(view.feeders) < view.feeders_least:
            code = "too_few_feeders"
            why = f"the chain has {len(view.feeders)} feeders and wants {view.feeders_least}"
        effects = self._note(LICENCE, code, why)
        poor = seen.units < view.fee_units
        why = f"a feed costs {view.fee_units} units, the account has {seen.units}: send it some"
        return effects + self._note(PURSE, "no_funds" if poor else "", why if poor else "")

    def _note(self, part: str, code: str, why: str) -> list[FeederEffect]:
        """Keep a part's problem, or that it has none; tell it when its kind changes."""
        told = self._codes.get(part, "")
        self._codes[part] = code
        if why:
            self.problems[part] = why
        else:
            self.problems.pop(part, None)
        return [] if code == told else [TellProblem(part, code, why)]
