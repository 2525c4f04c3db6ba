"""Offers, deals and rulings that the law refuses."""

from ledger.errors.base import Refused


class MarketRefused(Refused):
    """Something on the market that the law refuses."""

    code = "market_refused"


class UnknownOffer(MarketRefused):
    """There is no such offer, or none of it is left."""

    code = "unknown_offer"
    text = "there is no offer {offer}"


class OfferOver(MarketRefused):
    """The offer's time is over."""

    code = "offer_over"
    text = "valid until {until_ms} ms, it is {time_ms} ms"


class ShortOffer(MarketRefused):
    """Less of it is left."""

    code = "short_offer"
    text = "{wanted} are wanted, {left} are left"


class OwnOffer(MarketRefused):
    """Nobody buys from itself."""

    code = "own_offer"
    text = "the offer is the sender's own"


class DearDeal(MarketRefused):
    """The price passes the largest amount."""

    code = "dear_deal"
    text = "{units} units pass the largest amount"


class UnknownDeal(MarketRefused):
    """There is no such deal, or it is closed."""

    code = "unknown_deal"
    text = "there is no open deal {deal}"


class ForeignDeal(MarketRefused):
    """The deal is between others."""

    code = "foreign_deal"
    text = "the sender may not do this in deal {deal}"


class NotYetReleased(MarketRefused):
    """The buyer still has time to confirm or dispute."""

    code = "not_yet_released"
    text = "free from {free_ms} ms on, it is {time_ms} ms"


class BuyerFrozen(MarketRefused):
    """The buyer can't dispute: its account is frozen."""

    code = "buyer_frozen"
    text = "the buyer {buyer} is frozen and can't dispute"


class DealDisputed(MarketRefused):
    """An arbiter has the word."""

    code = "deal_disputed"
    text = "deal {deal} is disputed"


class DealUndisputed(MarketRefused):
    """There is nothing to rule."""

    code = "deal_undisputed"
    text = "deal {deal} is not disputed"


class RulingOverDeal(MarketRefused):
    """More is awarded than lies in escrow."""

    code = "ruling_over_deal"
    text = "{awarded} units awarded, {units} lie in escrow"
