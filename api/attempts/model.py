"""A payment attempt in words: one transaction that a payer signed for an order, and its outcome.

Whose it is follows from the signature alone, never from an address of the internet or from who
posted it: whoever posts somebody's old bytes to another order attempts nothing in their name. So
only a transfer that names the order by its reference, for our chain, is its sender's attempt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from api.errors import ApiFault, Unprocessable
from api.payments.model import Outcome


class AttemptOutcome(StrEnum):
    """What became of an attempt, or why there was none."""

    TAKEN = "taken"
    """It is on its way."""
    PAID = "paid"
    FAILED = "failed"
    """It is in a block and moved nothing."""
    REFUSED = "refused"
    """The nodes did not take it."""
    ALREADY_USED = "already_used"
    """Something else had paid the order."""
    WRONG_AMOUNT = "wrong_amount"
    """Amount or milk is not what the order asks for."""
    WRONG_REFERENCE = "wrong_reference"
    """It is for another order, or for none."""
    WRONG_SHAPE = "wrong_shape"
    """It is no transfer, for another chain, or to another account."""
    ORDER_CLOSED = "order_closed"
    IN_FLIGHT = "in_flight"
    """Another payment of the order is on its way."""
    LAPSED = "lapsed"
    """No block took it in time."""
    NOT_HANDED_IN = "not_handed_in"
    """No node was there to take it: our fault."""
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_ORDER = "unknown_order"
    RATE_LIMITED = "rate_limited"
    ELSE = "other"


PAYERS_FAULTS: Final = frozenset(
    {
        AttemptOutcome.FAILED,
        AttemptOutcome.REFUSED,
        AttemptOutcome.ALREADY_USED,
        AttemptOutcome.WRONG_AMOUNT,
        AttemptOutcome.WRONG_REFERENCE,
    }
)
"""What speaks against a payer: they signed it, and a validation of it would fail."""

_BY_CODE: Final[Mapping[str, AttemptOutcome]] = {
    "AMOUNT_MISMATCH": AttemptOutcome.WRONG_AMOUNT,
    "WRONG_REDEMPTION": AttemptOutcome.WRONG_AMOUNT,
    "WRONG_REFERENCE": AttemptOutcome.WRONG_REFERENCE,
    "NOT_A_TRANSFER": AttemptOutcome.WRONG_SHAPE,
    "WRONG_CHAIN": AttemptOutcome.WRONG_SHAPE,
    "WRONG_PAYEE": AttemptOutcome.WRONG_SHAPE,
    "ORDER_NOT_PAYABLE": AttemptOutcome.ORDER_CLOSED,
    "ORDER_EXPIRED": AttemptOutcome.ORDER_CLOSED,
    "PAYMENT_IN_FLIGHT": AttemptOutcome.IN_FLIGHT,
    "TRANSACTION_EXPIRED": AttemptOutcome.LAPSED,
    "NONCE_USED": AttemptOutcome.LAPSED,
    "BAD_POLICY": AttemptOutcome.BAD_SIGNATURE,
    "BAD_SIGNATURE_PLACES": AttemptOutcome.BAD_SIGNATURE,
    "BAD_SIGNATURE": AttemptOutcome.BAD_SIGNATURE,
    "NOT_FOUND": AttemptOutcome.UNKNOWN_ORDER,
    "RATE_LIMITED": AttemptOutcome.RATE_LIMITED,
    "LEDGER_UNAVAILABLE": AttemptOutcome.NOT_HANDED_IN,
}
_BY_PAYMENT: Final[Mapping[Outcome, AttemptOutcome]] = {
    Outcome.SUCCEEDED: AttemptOutcome.PAID,
    Outcome.PAID_LATE: AttemptOutcome.PAID,
    Outcome.UNDERPAID: AttemptOutcome.WRONG_AMOUNT,
    Outcome.OVERPAID: AttemptOutcome.WRONG_AMOUNT,
    Outcome.WRONG_REDEMPTION: AttemptOutcome.WRONG_AMOUNT,
    Outcome.DUPLICATE: AttemptOutcome.ALREADY_USED,
    Outcome.PAID_AFTER_CANCEL: AttemptOutcome.ORDER_CLOSED,
    Outcome.UNMATCHED: AttemptOutcome.WRONG_REFERENCE,
    Outcome.IN_VAIN: AttemptOutcome.ALREADY_USED,
    Outcome.FAILED: AttemptOutcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """One attempt, or what has become of it."""

    merchant_id: str
    tx_hash: bytes
    order_id: str | None
    subject: str
    outcome: AttemptOutcome


def subject_of(user_id: str | None, address_index: bytes) -> str:
    """Name who signed: a person with all their linked wallets, else an account's blind index."""
    return f"payer:{address_index.hex()}" if user_id is None else f"user:{user_id}"


def whose(subject: str) -> tuple[str | None, bytes | None]:
    """Tell whose an attempt is: a person's id, or the blind index of an account."""
    kind, _, name = subject.partition(":")
    return (name, None) if kind == "user" else (None, bytes.fromhex(name))


def outcome_of(fault: ApiFault | None) -> AttemptOutcome:
    """Tell what became of an attempt that was answered so; None is no fault."""
    if fault is None:
        return AttemptOutcome.TAKEN
    return _BY_CODE.get(fault.code, AttemptOutcome.ELSE)


def outcome_at_node(fault: ApiFault) -> AttemptOutcome:
    """Tell what a node's refusal of a payment that was taken makes of it.

    What lapsed, or met no node, is nobody's fault; all else is what the payer signed.
    """
    known = outcome_of(fault)
    if known in (AttemptOutcome.LAPSED, AttemptOutcome.NOT_HANDED_IN):
        return known
    return AttemptOutcome.REFUSED if isinstance(fault, Unprocessable) else AttemptOutcome.ELSE


def outcome_on_chain(outcome: Outcome) -> AttemptOutcome:
    """Tell what a settled payment makes of it."""
    return _BY_PAYMENT[outcome]
