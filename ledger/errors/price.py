"""Prices and subsidies that the law refuses, and prices that are missing where one is needed."""

from ledger.errors.base import Refused


class PriceRefused(Refused):
    """A price that can't be taken, or had."""

    code = "price_refused"


class TooFewFeeders(PriceRefused):
    """A quorum of so few feeders would mean nothing."""

    code = "too_few_feeders"
    text = "{count} feeders are authorized, at least {least} must be"


class WrongRound(PriceRefused):
    """Another round is open."""

    code = "wrong_round"
    text = "a feed for round {got}, round {open} is open"


class FedAlready(PriceRefused):
    """The feeder has spoken in this round."""

    code = "fed_already"
    text = "this feeder has fed round {round} already"


class NoPrice(PriceRefused):
    """There is no price yet."""

    code = "no_price"
    text = "no price has been fed yet"


class StalePrice(PriceRefused):
    """The price is too old to deduct by."""

    code = "stale_price"
    text = "the price is of {updated_ms} ms, it is {time_ms} ms: more than {most_ms} ms"
