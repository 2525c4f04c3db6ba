"""Price: what a litre costs in ringgit, as a quorum of feeders says (spec §13).

Each round takes one feed a feeder; at 2f + 1 of n = 3f + 1 or more the median becomes the price, so
it lies between two honest feeds. Invariant: any two prices within 24 hours lie at most one step
apart. Floor and ceiling bound it always.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.price import FedAlready, NoPrice, StalePrice, TooFewFeeders, WrongRound
from ledger.params import BASIS_POINTS, HOUR_MS, Pricing
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.state.market import PRICE_HOURS_MAX, Feed, Price, PriceHour
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import PRICE, holders, parameters
from ledger.types.price import FeedPrice


def price_quorum(feeders: int) -> int:
    """Give 2f + 1, where f is how many of the feeders may be false."""
    return 2 * ((feeders - 1) // 3) + 1


def check_feed(reader: Reader, call: Call, body: FeedPrice) -> None:
    """Raise unless there are enough feeders, and the sender speaks for the open round."""
    count, least = len(holders(reader, Role.ORACLE)), feeders_least(reader)
    if count < least:
        raise TooFewFeeders(count=count, least=least)
    if body.round != (open_round := (PRICE.get(reader) or Price()).round):
        raise WrongRound(got=body.round, open=open_round)


def feeders_least(reader: Reader) -> int:
    """Give how many feeders there must be for any to be listened to."""
    rules = parameters(reader)
    return 1 if rules.development else rules.price.feeders_least


def apply_feed(overlay: Overlay, context: BlockContext, call: Call, body: FeedPrice) -> None:
    """Take a feed; with a quorum's, close the round."""
    check_feed(overlay, call, body)
    found = PRICE.get(overlay) or Price()
    feeds = counted_feeds(overlay, found, context.time_ms)
    if any(feed.feeder == call.sender for feed in feeds):
        raise FedAlready(round=body.round)
    feed = Feed(call.sender, body.value, context.time_ms)
    PRICE.put(overlay, replace(found, feeds=(*feeds, feed)))
    close_round(overlay, context.time_ms)


def counted_feeds(reader: Reader, found: Price, time_ms: int) -> tuple[Feed, ...]:
    """Give the feeds that have a say: of those who are feeders yet, and fresh."""
    feeders, rules = holders(reader, Role.ORACLE), parameters(reader).price
    return tuple(
        feed
        for feed in found.feeds
        if feed.feeder in feeders and time_ms - feed.fed_ms <= rules.fresh_ms
    )


def close_round(overlay: Overlay, time_ms: int) -> None:
    """Make the median of the open round's feeds the price, if they are a quorum's.

    After every block too: a feeder that loses its role makes the quorum smaller.
    """
    found = PRICE.get(overlay)
    if found is None or not found.feeds:
        return
    feeds, feeders = counted_feeds(overlay, found, time_ms), len(holders(overlay, Role.ORACLE))
    if feeders < feeders_least(overlay) or len(feeds) < price_quorum(feeders) or not feeds:
        return
    values = sorted(feed.value for feed in feeds)
    value = values[(len(values) - 1) // 2]
    PRICE.put(overlay, _moved(found, value, parameters(overlay).price, time_ms))


def _moved(found: Price, value: int, rules: Pricing, time_ms: int) -> Price:
    """Begin the next round with a price as near to a value as the last 24 hours allow."""
    hour, hours = time_ms // HOUR_MS, _last_hours(found, time_ms)
    before = found.value or within(value, rules)
    least, most = next_bounds(found, rules, time_ms)
    value = min(max(value, least), most)
    low, high = min(before, value), max(before, value)
    if hours and hours[-1].hour == hour:
        last = hours.pop()
        low, high = min(low, last.low), max(high, last.high)
    return Price(found.round + 1, value, time_ms, (*hours, PriceHour(hour, low, high)), ())


def _last_hours(found: Price, time_ms: int) -> list[PriceHour]:
    """Give the hours that 24 hours before a time touch, in which the price was set."""
    return [each for each in found.hours if each.hour + PRICE_HOURS_MAX > time_ms // HOUR_MS]


def next_bounds(found: Price, rules: Pricing, time_ms: int) -> tuple[int, int]:
    """Give the least and the most that the open round may make the price at a time."""
    if not found.value:
        return rules.floor, rules.ceiling
    hours = _last_hours(found, time_ms)
    lowest = min((found.value, *(each.low for each in hours)))
    highest = max((found.value, *(each.high for each in hours)))
    low, high = step_bounds(lowest, highest, rules)
    if low > high:  # The step was made smaller meanwhile, and leaves nothing between them.
        low = high = found.value
    return within(low, rules), within(high, rules)


def step_bounds(lowest: int, highest: int, rules: Pricing) -> tuple[int, int]:
    """Give the bounds of the next price, by the lowest and the highest of the last 24 hours."""
    low = -(-highest * (BASIS_POINTS - rules.day_step_bp) // BASIS_POINTS)
    return low, lowest * (BASIS_POINTS + rules.day_step_bp) // BASIS_POINTS


def within(value: int, rules: Pricing) -> int:
    """Bound a price by floor and ceiling."""
    return min(max(value, rules.floor), rules.ceiling)


def rebound(overlay: Overlay) -> None:
    """Bring the price inside a floor and ceiling that have changed."""
    found = PRICE.get(overlay)
    if found is None or not found.value:
        return
    rules = parameters(overlay).price
    hours = tuple(
        PriceHour(each.hour, within(each.low, rules), within(each.high, rules))
        for each in found.hours
    )
    PRICE.put(overlay, replace(found, value=within(found.value, rules), hours=hours))


def last_price(reader: Reader) -> int | None:
    """Give the price however old, or None before the first."""
    found = PRICE.get(reader)
    return found.value if found and found.value else None


def fresh_price(reader: Reader, time_ms: int) -> int:
    """Give the price; raise `NoPrice` or `StalePrice` if there is none to deduct by."""
    found = PRICE.get(reader)
    if found is None or not found.value:
        raise NoPrice
    most_ms = parameters(reader).price.fresh_ms
    if time_ms - found.updated_ms > most_ms:
        raise StalePrice(updated_ms=found.updated_ms, time_ms=time_ms, most_ms=most_ms)
    return found.value


PRICE_LAWS: Final = (Law(FeedPrice, apply_feed, check_feed, by=(Role.ORACLE,)),)
