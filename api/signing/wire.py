"""What the payments service and a signer say to each other, and what must be signed for it.

The service opens requests; a signer leases them, and hands back raw bytes or a refusal. What a
request says is a wish: the signer finds out by itself whom to pay, and judges by its own limits.
Both sides make the transfer by `transfer_for`, so the service can check what it is handed.

Every transfer of a signer bears a reference that says what it is for, so that the chain alone
tells what was given before: a refund bears the hash of the payment that it gives back, a coupon's
sale its order's reference, a top-up and a welcome a hash of their id. Pure.
"""

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, parse_bill
from ledger.primitives.hashing import HASH_BYTES, Hash
from ledger.primitives.keys import Address
from ledger.types.transfer import REDEMPTIONS_MAX, Redemption, Transfer

IN_FLIGHT_MAX: Final = 64
"""How many transactions of one account may wait to be final: as many as a node's pool takes."""
LEASE_MS: Final = 30_000
"""How long a request is one signer's; then another lease may have it."""

HexHash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
BillText = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,11})\.[0-9]{6}$", max_length=19)]
"""An amount in BILL; even a whole basket of the largest is an amount that the ledger can write."""
AddressText = Annotated[str, Meta(pattern="^[a-z0-9]{8,120}$", max_length=120)]
UlidText = Annotated[str, Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$", max_length=26)]
StudentHash = Annotated[str, Meta(pattern="^h[0-9]{1,4}_[a-z2-7]{24}$", max_length=32)]
ChainHeight = Annotated[int, Meta(ge=0, le=2**53)]


class SigningKind(StrEnum):
    """What a signature is asked for."""

    REFUND = "refund"
    COUPON = "coupon"
    TOP_UP = "top_up"
    GRANT = "grant"


class SignRefund(
    Struct, frozen=True, tag_field="kind", tag="refund", rename="camel", forbid_unknown_fields=True
):
    """Give back a part of a payment, or all of it, to whoever paid it.

    `height` is the block in which the service saw the payment: a node that is not there yet knows
    nothing of it.
    """

    tx_hash: HexHash
    height: ChainHeight
    bill: BillText


class SignRedemption(Struct, frozen=True, forbid_unknown_fields=True):
    """Milk of one lot or product lot that a coupon buys."""

    lot: HexHash
    bill: BillText


class SignCoupon(
    Struct, frozen=True, tag_field="kind", tag="coupon", rename="camel", forbid_unknown_fields=True
):
    """Buy the milk of a coupon's order: all that is paid is burned against its lots.

    `to` is the shop's payout; without it the one of the signer's file is meant.
    """

    reference: HexHash
    redeem: Annotated[tuple[SignRedemption, ...], Meta(min_length=1, max_length=REDEMPTIONS_MAX)]
    to: AddressText | None = None


class SignTopUp(
    Struct, frozen=True, tag_field="kind", tag="top_up", rename="camel", forbid_unknown_fields=True
):
    """Send what somebody paid cash for."""

    top_up_id: UlidText
    to: AddressText
    bill: BillText


class SignGrant(
    Struct, frozen=True, tag_field="kind", tag="grant", rename="camel", forbid_unknown_fields=True
):
    """Send a new student the first fees."""

    student: StudentHash
    to: AddressText
    bill: BillText


SigningOrder = SignRefund | SignCoupon | SignTopUp | SignGrant


class LeasedRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One request, and until when nobody else is given it."""

    id: UlidText
    order: SigningOrder
    leased_until: str


class LeaseRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How many requests a signer has room for."""

    limit: Annotated[int, Meta(ge=1, le=IN_FLIGHT_MAX)]


class LeaseAnswer(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to be signed; nothing if nothing came up in the time that was waited."""

    data: Annotated[tuple[LeasedRequest, ...], Meta(max_length=IN_FLIGHT_MAX)]


class SignatureRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A signed transaction, encoded, in hex."""

    transaction: Annotated[str, Meta(pattern="^([0-9a-f]{2})+$", max_length=8_192)]


class RefusalRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Why nothing was signed: a stable code, and a sentence for people."""

    code: Annotated[str, Meta(pattern="^[A-Z][A-Z_]{1,39}$", max_length=40)]
    detail: Annotated[str, Meta(max_length=500)]


def kind_of(order: SigningOrder) -> SigningKind:
    """Name what an order asks for."""
    return SigningKind(str(type(order).__struct_config__.tag))


def units_of(order: SigningOrder) -> Units:
    """Give what an order costs the account, but for the fee."""
    if isinstance(order, SignCoupon):
        return Units(sum(parse_bill(part.bill) for part in order.redeem))
    return parse_bill(order.bill)


def reference_of(order: SigningOrder) -> bytes:
    """Give the reference that the transfer bears."""
    match order:
        case SignRefund():
            return bytes.fromhex(order.tx_hash)
        case SignCoupon():
            return bytes.fromhex(order.reference)
        case SignTopUp():
            return _named(b"BILLCOIN/top-up/1", order.top_up_id)
        case SignGrant():
            return _named(b"BILLCOIN/welcome/1", order.student)


def _named(purpose: bytes, name: str) -> bytes:
    return blake2b(purpose + name.encode(), digest_size=HASH_BYTES).digest()


def fingerprint_of(order: SigningOrder) -> bytes:
    """Hash all that an order says: one id means one order for ever."""
    return blake2b(msgspec.json.encode(order), digest_size=HASH_BYTES).digest()


def transfer_for(order: SigningOrder, payee: Address) -> Transfer:
    """Make the one transfer that an order leads to, for who is to be paid."""
    redeem: tuple[Redemption, ...] = ()
    if isinstance(order, SignCoupon):
        redeem = tuple(
            Redemption(Hash(bytes.fromhex(part.lot)), parse_bill(part.bill))
            for part in order.redeem
        )
    return Transfer(payee, units_of(order), reference_of(order), redeem)
