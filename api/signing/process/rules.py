"""What may be signed, and for whom: the law of a signer. Pure.

`decide` takes a wish, what the signer's own node says of it, and what was signed before, and gives
the transfer or raises `SigningRefused`. It uses no word of the service's but the amount, the lots
and names; whom a refund reaches is read off the payment, whom a coupon's sale reaches is in the
signer's own file.

Laws: all refunds of a payment together are at most what was paid; any other reference is paid for
once; each transfer and any 24 hours stay within the limits, of the kind, of the payee and of the
account. What is on its way counts as spent; what can't take effect any more does not.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from api.signing.process.errors import SigningRefused
from api.signing.wire import (
    SignCoupon,
    SigningKind,
    SigningOrder,
    SignRefund,
    kind_of,
    reference_of,
    transfer_for,
    units_of,
)
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import Address, parse_address
from ledger.types.transfer import Transfer

DAY_MS: Final = 86_400_000
"""Limits hold over any 24 hours: no midnight doubles them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindLimits:
    """How much may be signed of one kind; a payee's limit of 0 is none."""

    each_units: int
    day_units: int
    day_count: int
    payee_day_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """What one account may sign: a kind without limits is not allowed."""

    address: Address
    prefix: str
    payout: Address | None
    """Whom coupons' sales pay, and whose payments are given back beside the account's own."""
    former_payouts: frozenset[Address] = frozenset()
    coupon_payouts: frozenset[Address] = frozenset()
    """Whom coupons' sales may pay beside the payout: the shops of a union that pays for them."""
    day_units: int
    kinds: Mapping[SigningKind, KindLimits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PaidFacts:
    """What the signer's own node says of a payment that is to be given back; `code` if it failed.

    Without `body` the payment is no transfer.
    """

    payer: Address
    body: Transfer | None
    code: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What was signed in a span of time."""

    units: int
    count: int


class SpendingBook(Protocol):
    """What was signed before, and may have taken effect or still may."""

    def given_units(self, reference: bytes) -> int:
        """Sum up what was paid under a reference."""
        ...

    def spent(self, since_ms: int, kind: SigningKind | None, to: Address | None) -> Spent:
        """Sum up what was signed since a time; of one kind or all, to one payee or all."""
        ...


def decide(
    order: SigningOrder,
    rules: AccountRules,
    paid: PaidFacts | None,
    book: SpendingBook,
    now_ms: int,
) -> Transfer:
    """Give what may be signed; `paid` is what a refund gives back, None if nobody knows it."""
    kind, units = kind_of(order), units_of(order)
    limits = rules.kinds.get(kind)
    if limits is None:
        raise SigningRefused("KIND_NOT_ALLOWED", f"this signer signs no {kind} for the account")
    if not units:
        raise SigningRefused("NOTHING_TO_PAY", "a transfer of nothing is not signed")
    payee = _payee(order, rules, paid)
    if payee == rules.address:
        raise SigningRefused("PAYS_ITSELF", "the account would pay itself")
    _check_reference(order, units, paid, book)
    _check_basket(order)
    _check_limits(kind, units, payee, rules, limits, book, now_ms)
    return transfer_for(order, payee)


def _payee(order: SigningOrder, rules: AccountRules, paid: PaidFacts | None) -> Address:
    if isinstance(order, SignRefund):
        return _payer(rules, paid)
    if isinstance(order, SignCoupon) and order.to is None:
        if rules.payout is None:
            raise SigningRefused("NO_PAYOUT", "signer.toml names no payout_address")
        return rules.payout
    assert order.to is not None, "only a coupon's may be left out"
    try:
        payee = parse_address(order.to, rules.prefix)
    except BadAddress as fault:
        raise SigningRefused("BAD_ADDRESS", str(fault)) from fault
    if isinstance(order, SignCoupon) and payee not in {rules.payout, *rules.coupon_payouts}:
        raise SigningRefused("NO_PAYOUT", "signer.toml names this shop in no coupon_payouts")
    return payee


def _payer(rules: AccountRules, paid: PaidFacts | None) -> Address:
    """Say who paid what is given back: nobody else is ever refunded."""
    if paid is None:
        raise SigningRefused("PAYMENT_UNKNOWN", "no final payment has this hash")
    if paid.body is None or paid.code:
        raise SigningRefused("NOT_A_PAYMENT", "the transaction paid nobody")
    ours = {rules.address, rules.payout, *rules.former_payouts}
    if paid.body.to not in ours:
        raise SigningRefused("PAID_ANOTHER", "the payment went to another account")
    return paid.payer


def _check_reference(
    order: SigningOrder, units: int, paid: PaidFacts | None, book: SpendingBook
) -> None:
    given = book.given_units(reference_of(order))
    if not isinstance(order, SignRefund):
        if given:
            raise SigningRefused("ALREADY_PAID", "this was paid before")
        return
    assert paid is not None, "the payer was found"
    assert paid.body is not None, "the payer was found"
    if given + units > paid.body.units:
        raise SigningRefused(
            "MORE_THAN_PAID",
            f"of {format_bill(paid.body.units)} BILL {format_bill(Units(given))} were given back",
        )


def _check_basket(order: SigningOrder) -> None:
    if not isinstance(order, SignCoupon):
        return
    lots = [part.lot for part in order.redeem]
    if any(a >= b for a, b in itertools.pairwise(lots)):
        raise SigningRefused("BAD_BASKET", "the lots do not ascend")


def _check_limits(
    kind: SigningKind,
    units: int,
    payee: Address,
    rules: AccountRules,
    limits: KindLimits,
    book: SpendingBook,
    now_ms: int,
) -> None:
    since_ms = now_ms - DAY_MS
    if units > limits.each_units:
        raise SigningRefused("EACH_LIMIT", f"one {kind} may be {limits.each_units} units")
    of_kind = book.spent(since_ms, kind, None)
    if of_kind.units + units > limits.day_units:
        raise SigningRefused("DAY_LIMIT", f"a day of {kind} may be {limits.day_units} units")
    if of_kind.count >= limits.day_count:
        raise SigningRefused("DAY_COUNT", f"a day has {limits.day_count} of {kind} at most")
    if limits.payee_day_units:
        of_payee = book.spent(since_ms, kind, payee)
        if of_payee.units + units > limits.payee_day_units:
            raise SigningRefused("PAYEE_LIMIT", "this payee's day is used up")
    if book.spent(since_ms, None, None).units + units > rules.day_units:
        raise SigningRefused("ACCOUNT_LIMIT", f"the account's day is {rules.day_units} units")
