"""Price: what a litre costs in ringgit, as a quorum of feeders says (spec §13).

Each round takes one feed a feeder; at 2f + 1 of n = 3f + 1 or more the median becomes the price,
so it lies between two honest feeds. Within a day it moves at most a step from where the day
began; floor and ceiling bound it always.
"""

from msgspec.structs import replace

from ledger.errors import FedAlready, NoPrice, StalePrice, TooFewFeeders, WrongRound
from ledger.params import BASIS_POINTS, DAY_MS, Pricing
from ledger.rules.context import BlockContext, Call
from ledger.rules.registry import require_role
from ledger.state.market import Price
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import PRICE, holders, parameters
from ledger.types.price import FeedPrice


def price_quorum(feeders: int) -> int:
    """Give 2f + 1, where f is how many of the feeders may be false."""
    return 2 * ((feeders - 1) // 3) + 1


def check_feed(reader: Reader, call: Call, body: FeedPrice) -> None:
    """Raise unless the sender is a feeder that has not spoken in this round."""
    require_role(reader, call.sender, Role.ORACLE)
    rules, found = parameters(reader), PRICE.get(reader) or Price()
    count = len(holders(reader, Role.ORACLE))
    least = 1 if rules.development else rules.price.feeders_least
    if count < least:
        raise TooFewFeeders(count=count, least=least)
    if body.round != found.round:
        raise WrongRound(got=body.round, open=found.round)
    if any(feeder == call.sender for feeder, _ in found.feeds):
        raise FedAlready(round=body.round)


def apply_feed(overlay: Overlay, context: BlockContext, call: Call, body: FeedPrice) -> None:
    """Take a feed; with a quorum's, close the round."""
    check_feed(overlay, call, body)
    found = PRICE.get(overlay) or Price()
    feeders = holders(overlay, Role.ORACLE)
    # A feeder whose licence was revoked within the round has no say in it.
    kept = tuple(feed for feed in found.feeds if feed[0] in feeders)
    found = replace(found, feeds=(*kept, (call.sender, body.value)))
    if len(found.feeds) >= price_quorum(len(feeders)):
        found = _close(found, parameters(overlay).price, context.time_ms)
    PRICE.put(overlay, found)


def _close(found: Price, rules: Pricing, time_ms: int) -> Price:
    values = sorted(value for _, value in found.feeds)
    value = values[(len(values) - 1) // 2]
    day_value, day_ms = found.day_value, found.day_ms
    if found.value and time_ms - day_ms >= DAY_MS:
        day_value, day_ms = found.value, time_ms
    if found.value:
        low, high = day_bounds(day_value, rules)
        value = min(max(value, low), high)
    value = within(value, rules)
    if not found.value:
        day_value, day_ms = value, time_ms
    return Price(found.round + 1, value, time_ms, day_value, day_ms, ())


def day_bounds(day_value: int, rules: Pricing) -> tuple[int, int]:
    """Give between what the price may move in the day that began at a value."""
    low = -(-day_value * (BASIS_POINTS - rules.day_step_bp) // BASIS_POINTS)
    return low, day_value * (BASIS_POINTS + rules.day_step_bp) // BASIS_POINTS


def within(value: int, rules: Pricing) -> int:
    """Bound a price by floor and ceiling."""
    return min(max(value, rules.floor), rules.ceiling)


def rebound(overlay: Overlay) -> None:
    """Bring the price inside a floor and ceiling that have changed."""
    found = PRICE.get(overlay)
    if found is None or not found.value:
        return
    rules = parameters(overlay).price
    value, day_value = within(found.value, rules), within(found.day_value, rules)
    PRICE.put(overlay, replace(found, value=value, day_value=day_value))


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
