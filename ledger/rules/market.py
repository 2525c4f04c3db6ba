"""Market utility: services for tokens, paid through escrow (spec §15).

A buyer accepts an offer by paying into escrow. The buyer releases the escrow, or the seller does
once the time to dispute is over; if the buyer disputes the deal, an arbiter shares the escrow out.
Invariant: the escrow account holds the sum of all open deals.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.market import (
    BuyerFrozen,
    DealDisputed,
    DealUndisputed,
    DearDeal,
    ForeignDeal,
    NotYetReleased,
    OfferOver,
    OwnOffer,
    RulingOverDeal,
    ShortOffer,
    UnknownDeal,
    UnknownOffer,
)
from ledger.errors.money import ZeroUnits
from ledger.errors.registry import OwnCause
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law, require_role
from ledger.state.market import Deal, Offer
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import DEALS, ESCROW_ACCOUNT, OFFERS, account, parameters, pay
from ledger.types.market import (
    AcceptOffer,
    ConfirmDelivery,
    DisputeOffer,
    OfferService,
    RuleDispute,
)


def check_offer(reader: Reader, call: Call, body: OfferService) -> None:
    """Raise unless something is asked."""
    if body.price_units == 0:
        raise ZeroUnits


def apply_offer(overlay: Overlay, context: BlockContext, call: Call, body: OfferService) -> None:
    """Put an offer up, named by its transaction."""
    check_offer(overlay, call, body)
    if body.valid_until_ms <= context.time_ms:
        raise OfferOver(until_ms=body.valid_until_ms, time_ms=context.time_ms)
    offer = Offer(
        call.sender, body.kind, body.price_units, body.quantity, body.valid_until_ms, body.terms
    )
    OFFERS.put(overlay, offer, call.name(Domain.OFFER))


def check_accept(reader: Reader, call: Call, body: AcceptOffer) -> Offer:
    """Raise unless a merchant still has as many left for this buyer; give the offer."""
    offer = OFFERS.get(reader, body.offer)
    if offer is None:
        raise UnknownOffer(offer=body.offer.hex())
    if offer.seller == call.sender:
        raise OwnOffer
    require_role(reader, Address(offer.seller), Role.MERCHANT)
    if offer.left < body.quantity:
        raise ShortOffer(wanted=body.quantity, left=offer.left)
    if (units := offer.price_units * body.quantity) > UNITS_MAX:
        raise DearDeal(units=units)
    return offer


def apply_accept(overlay: Overlay, context: BlockContext, call: Call, body: AcceptOffer) -> None:
    """Open a deal with its price in escrow."""
    offer = check_accept(overlay, call, body)
    if offer.valid_until_ms <= context.time_ms:
        raise OfferOver(until_ms=offer.valid_until_ms, time_ms=context.time_ms)
    units = Units(offer.price_units * body.quantity)
    pay(overlay, call.sender, ESCROW_ACCOUNT, units)
    if offer.left == body.quantity:
        OFFERS.remove(overlay, body.offer)
    else:
        OFFERS.put(overlay, replace(offer, left=offer.left - body.quantity), body.offer)
    deal = Deal(body.offer, call.sender, offer.seller, units, context.time_ms, False)
    DEALS.put(overlay, deal, call.name(Domain.DEAL))


def _find_deal(reader: Reader, name: Hash) -> Deal:
    deal = DEALS.get(reader, name)
    if deal is None:
        raise UnknownDeal(deal=name.hex())
    return deal


def apply_confirm(
    overlay: Overlay, context: BlockContext, call: Call, body: ConfirmDelivery
) -> None:
    """Pay the seller: at the buyer's word, or at the seller's after time to dispute."""
    deal = _find_deal(overlay, body.deal)
    if call.sender == deal.seller:
        if deal.disputed:
            raise DealDisputed(deal=body.deal.hex())
        free_ms = deal.accepted_ms + parameters(overlay).release_ms
        if context.time_ms < free_ms:
            raise NotYetReleased(free_ms=free_ms, time_ms=context.time_ms)
        if account(overlay, Address(deal.buyer)).frozen:
            raise BuyerFrozen(buyer=deal.buyer.hex())
    elif call.sender != deal.buyer:
        raise ForeignDeal(deal=body.deal.hex())
    DEALS.remove(overlay, body.deal)
    pay(overlay, ESCROW_ACCOUNT, Address(deal.seller), deal.units)


def apply_dispute(overlay: Overlay, context: BlockContext, call: Call, body: DisputeOffer) -> None:
    """Hold the escrow for an arbiter."""
    deal = _find_deal(overlay, body.deal)
    if call.sender != deal.buyer:
        raise ForeignDeal(deal=body.deal.hex())
    if deal.disputed:
        raise DealDisputed(deal=body.deal.hex())
    DEALS.put(overlay, replace(deal, disputed=True), body.deal)


def apply_rule(overlay: Overlay, context: BlockContext, call: Call, body: RuleDispute) -> None:
    """Share the escrow between buyer and seller, or let the seller give it back."""
    deal = DEALS.get(overlay, body.deal)
    conceded = deal and call.sender == deal.seller and body.buyer_units == deal.units
    if not conceded:
        require_role(overlay, call.sender, Role.ARBITER)
    deal = _find_deal(overlay, body.deal)
    if not conceded:
        _check_ruling(call, body, deal)
    DEALS.remove(overlay, body.deal)
    pay(overlay, ESCROW_ACCOUNT, Address(deal.buyer), body.buyer_units)
    pay(overlay, ESCROW_ACCOUNT, Address(deal.seller), deal.units - body.buyer_units)


def _check_ruling(call: Call, body: RuleDispute, deal: Deal) -> None:
    if call.sender in {deal.buyer, deal.seller}:
        raise OwnCause(address=call.sender.hex())
    if not deal.disputed:
        raise DealUndisputed(deal=body.deal.hex())
    if body.buyer_units > deal.units:
        raise RulingOverDeal(awarded=body.buyer_units, units=deal.units)


MARKET_LAWS: Final = (
    Law(OfferService, apply_offer, check_offer, by=(Role.MERCHANT,)),
    Law(AcceptOffer, apply_accept, check_accept),
    Law(ConfirmDelivery, apply_confirm),
    Law(DisputeOffer, apply_dispute),
    Law(RuleDispute, apply_rule),
)
