"""Bodies of the market utility: services for tokens, with the price in escrow until delivery."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.scalars import Millis

Quantity = Annotated[int, Meta(ge=1, le=10**9)]


class ServiceKind(StrEnum):
    """What is offered."""

    FEED = "feed"
    VETERINARY = "veterinary"
    TRANSPORT = "transport"
    OTHER = "other"


class OfferService(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="offer_service"
):
    """Offer so many of something at a price each. `terms` is the hash of what is promised.

    The sender holds the merchant's role.
    """

    kind: ServiceKind
    price_units: WireUnits
    quantity: Quantity
    valid_until_ms: Millis
    terms: WireHash


class AcceptOffer(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="accept_offer"
):
    """Take some of an offer: the price goes into escrow, and a deal is open."""

    offer: WireHash
    quantity: Quantity


class ConfirmDelivery(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="confirm_delivery"
):
    """Release a deal's escrow to the seller: by the buyer, or by the seller after its time."""

    deal: WireHash


class DisputeOffer(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="dispute_offer"
):
    """Hold a deal's escrow for an arbiter. The sender is the buyer."""

    deal: WireHash
    grounds: WireHash


class RuleDispute(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="rule_dispute"
):
    """Share a disputed deal's escrow: so much to the buyer, the rest to the seller.

    The sender is an arbiter.
    """

    deal: WireHash
    buyer_units: WireUnits


MarketBody = OfferService | AcceptOffer | ConfirmDelivery | DisputeOffer | RuleDispute
"""What a transaction of this family carries."""
