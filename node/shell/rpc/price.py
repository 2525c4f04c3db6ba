"""The price as a node shows it: the record of the state, seen with the law's own rules."""

from ledger.rules.price import counted_feeds, feeders_least, next_bounds, price_quorum
from ledger.state.market import Price
from ledger.state.overlay import Reader
from ledger.state.records import Role
from ledger.state.tables import PRICE, holders, parameters
from node.client.views import FeedView, PriceView


def price_view(reader: Reader, height: int, time_ms: int) -> PriceView:
    """Show the price of a state whose last block is of a height and a time."""
    found = PRICE.get(reader) or Price()
    rules = parameters(reader)
    feeders = holders(reader, Role.ORACLE)
    low, high = next_bounds(found, rules.price, time_ms)
    return PriceView(
        round=found.round,
        litre_micro_myr=found.value,
        updated_ms=found.updated_ms,
        height=height,
        time_ms=time_ms,
        fresh_ms=rules.price.fresh_ms,
        low_micro_myr=low,
        high_micro_myr=high,
        floor_micro_myr=rules.price.floor,
        ceiling_micro_myr=rules.price.ceiling,
        quorum=price_quorum(len(feeders)),
        feeders_least=feeders_least(reader),
        feeders=feeders,
        feeds=tuple(
            FeedView(feed.feeder, feed.value, feed.fed_ms)
            for feed in counted_feeds(reader, found, time_ms)
        ),
        fee_units=rules.fee_least_units,
    )
