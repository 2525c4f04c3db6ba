"""Bodies of the mandate family: a payer lets a merchant deduct, within bounds, period by period."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Millis
from ledger.types.transfer import Basket, WireReference

PeriodMillis = Annotated[int, Meta(ge=3_600_000, le=400 * 86_400_000)]


class PriceMode(StrEnum):
    """What a mandate's `price` counts, and so what moves when the oracle's price does.

    TOKENS_A_LITRE: units of BILL a litre; they stay, and what they are worth in ringgit follows
    the market. RINGGIT_A_LITRE: millionths of a ringgit a litre; they stay, and the units that pay
    them follow the oracle's price of the day.
    """

    TOKENS_A_LITRE = "tokens_a_litre"
    RINGGIT_A_LITRE = "ringgit_a_litre"


class GrantMandate(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="grant_mandate"
):
    """Let a merchant charge for `milk_units` once a period, under two caps, until an end."""

    merchant: WireAddress
    period_ms: PeriodMillis
    milk_units: WireUnits
    mode: PriceMode
    price: Annotated[int, Meta(ge=1, le=10**12)]
    charge_units_max: WireUnits
    total_units_max: WireUnits
    end_ms: Millis


class ChargeMandate(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="charge_mandate"
):
    """Deduct this period's charge; the basket `redeem` burns its part of it.

    The sender is the merchant.
    """

    mandate: WireHash
    reference: WireReference
    redeem: Basket


class CancelMandate(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="cancel_mandate"
):
    """End a mandate at once. The sender is the payer, or anyone if the mandate is over."""

    mandate: WireHash


MandateBody = GrantMandate | ChargeMandate | CancelMandate
"""What a transaction of this family carries."""
