"""Whether what a wallet signed can pay an order, and what a node's word on it means. Pure."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from api.errors import ApiFault, Conflict, Unprocessable
from api.orders.drawing import SALE
from api.orders.model import Order, OrderState
from api.payments.accounting import due_of
from ledger.primitives.errors import BadKey
from ledger.primitives.keys import verify_many
from ledger.types.transaction import Transaction
from ledger.types.transfer import Transfer
from node.client.views import Submission

KNOWN_CODES: Final = frozenset({"already_known"})
"""A node's words for a transaction that waits in its pool already."""
LATER_CODES: Final = frozenset({"pool_full"})
"""Its words for a transaction that it may take later."""
USED_NONCE_CODES: Final = frozenset({"bad_nonce"})
"""Its words for a nonce that is used; by this same transaction, if it was handed in before."""


@dataclass(frozen=True, slots=True)
class FollowedChain:
    """The chain as this service has followed it."""

    chain_id: bytes
    height: int


def check_payment(order: Order, transaction: Transaction, tip: FollowedChain, now_ms: int) -> None:
    """Raise why a transaction can't pay an order; say nothing if it can."""
    intent, body = transaction.intent, transaction.intent.body
    if intent.chain_id != tip.chain_id:
        raise Unprocessable("the transaction is for another chain", code="WRONG_CHAIN")
    if not isinstance(body, Transfer):
        raise Unprocessable("only a transfer pays an order", code="NOT_A_TRANSFER")
    if body.reference != order.reference:
        raise Unprocessable("the reference is not this order's", code="WRONG_REFERENCE")
    if body.to != order.payout:
        raise Unprocessable("the transfer does not go to this order's merchant", code="WRONG_PAYEE")
    if body.units != order.amount_units:
        raise Unprocessable(
            f"the order costs {order.amount_units} units, the transfer pays {body.units}",
            code="AMOUNT_MISMATCH",
        )
    if not _redeems(order, body):
        raise Unprocessable(
            "the transfer does not redeem this order's milk", code="WRONG_REDEMPTION"
        )
    if intent.valid_until_height <= tip.height:
        raise Unprocessable("the transaction is no longer valid", code="TRANSACTION_EXPIRED")
    if order.state is not OrderState.AWAITING_PAYMENT:
        raise Conflict(f"the order is {order.state}", code="ORDER_NOT_PAYABLE")
    if order.kind != SALE:
        raise Conflict("a coupon pays this order", code="ORDER_NOT_PAYABLE")
    if now_ms > order.expires_ms:
        raise Conflict("the order has expired", code="ORDER_EXPIRED")


def _redeems(order: Order, transfer: Transfer) -> bool:
    """Tell whether a transfer redeems the order's milk, of lots that it was ever offered."""
    offered, milk = due_of(order).offered, Counter[str]()
    for part in transfer.redeem:
        kind = offered.get(part.lot)
        if kind is None:
            return False
        milk[kind] += part.units
    return milk == order.milk_units


def check_signatures(transaction: Transaction) -> None:
    """Raise unless the sender signed: what is kept under its id must be what can be executed."""
    policy, places = transaction.intent.sender, [place for place, _ in transaction.signatures]
    try:
        policy.check()
    except BadKey as fault:
        raise Unprocessable(str(fault), code="BAD_POLICY") from fault
    ascending = all(a < b for a, b in pairwise(places))
    if len(places) != policy.threshold or not ascending or places[-1] >= len(policy.keys):
        raise Unprocessable(
            "not the signatures that its policy asks for", code="BAD_SIGNATURE_PLACES"
        )
    if not all(verify_many(transaction.signature_claims())):
        raise Unprocessable("a signature does not hold", code="BAD_SIGNATURE")


def refusal_of(told: Submission) -> ApiFault | None:
    """Turn a node's refusal into ours; None for what it took, has already, or may take later."""
    if not told.code or told.code in KNOWN_CODES | LATER_CODES:
        return None
    return Unprocessable(told.detail or told.code, code=told.code.upper())
