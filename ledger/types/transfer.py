"""The body of a payment, and the basket of redemptions that sells milk with it."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress

REFERENCE_BYTES: Final = 32
REDEMPTIONS_MAX: Final = 8
"""The most redemptions in one payment's basket."""

WireReference = Annotated[bytes, Meta(min_length=REFERENCE_BYTES, max_length=REFERENCE_BYTES)]


class Redemption(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Milk that leaves the ledger with a sale: litres of one lot or product lot, burned."""

    lot: WireHash
    units: WireUnits


Basket = Annotated[tuple[Redemption, ...], Meta(max_length=REDEMPTIONS_MAX)]
"""What a payment redeems: lots strictly ascending, each of more than no units; empty for none.

One payment buys it whole or not at all.
"""


class Transfer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="transfer"):
    """Pay `units`; the basket `redeem` burns its part of them, the rest reaches `to`.

    `reference` ties the payment to an order (zeros if there is none).
    """

    to: WireAddress
    units: WireUnits
    reference: WireReference
    redeem: Basket


TransferBody = Transfer
"""What a transaction of this family carries."""
