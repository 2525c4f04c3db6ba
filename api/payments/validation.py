"""Payments as partners ask for them: looked up in batches, and judged.

`judge` is the table of the validation endpoint over plain values. A payment of an order is valid
exactly if it alone paid that order, which is paid, and nothing of it was given back: till and
partner can't disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.amounts import format_time, parse_sen, parse_units
from api.db.statements import text
from api.errors import MalformedRequest, Pointer
from api.payments.model import GOOD, Outcome, Payment, PaymentState
from api.payments.reading import PAYMENT_COLUMNS, PAYMENT_FROM, read_payment
from api.payments.schemas import Currency, ValidationBody
from ledger.types.transfer import Transfer

TX_NOT_FOUND: Final = "TX_NOT_FOUND"
TX_UNCONFIRMED: Final = "TX_UNCONFIRMED"
AMOUNT_MISMATCH: Final = "AMOUNT_MISMATCH"
TX_FAILED: Final = "TX_FAILED"
TX_REFUNDED: Final = "TX_REFUNDED"
TX_ALREADY_USED: Final = "TX_ALREADY_USED"
ORDER_CANCELLED: Final = "ORDER_CANCELLED"
NO_QUOTE: Final = "NO_QUOTE"


@dataclass(frozen=True, slots=True)
class Question:
    """Was this transaction paid, and was it this much? One of the two amounts is given."""

    tx_hash: bytes
    sen: int | None
    units: int | None


@dataclass(frozen=True, slots=True)
class ValidationAnswer:
    """What a partner is told. `unconfirmed` also asks them to come back."""

    valid: bool
    confirmed_ms: int | None
    error: str | None

    def body(self) -> dict[str, object]:
        """Present the answer."""
        confirmed = None if self.confirmed_ms is None else format_time(self.confirmed_ms)
        return {"valid": self.valid, "confirmedAt": confirmed, "error": self.error}


NOT_FOUND: Final = ValidationAnswer(False, None, TX_NOT_FOUND)
UNCONFIRMED: Final = ValidationAnswer(False, None, TX_UNCONFIRMED)


def question_of(body: ValidationBody) -> Question:
    """Take a body for a question; raise `MalformedRequest` for an amount of another currency."""
    text = body.expected_amount.text
    if body.currency is Currency.BILL:
        return Question(body.tx_hash.raw, None, parse_units(text))
    sen = parse_sen(text)
    if sen is None:
        raise MalformedRequest(
            "expectedAmount is RM, with at most two decimals",
            errors=(Pointer("/expectedAmount", "NOT_AN_AMOUNT"),),
        )
    return Question(body.tx_hash.raw, sen, None)


_WRONG: Final = {
    Outcome.FAILED: TX_FAILED,
    Outcome.DUPLICATE: TX_ALREADY_USED,
    Outcome.IN_VAIN: TX_ALREADY_USED,
    Outcome.PAID_AFTER_CANCEL: ORDER_CANCELLED,
    Outcome.UNDERPAID: AMOUNT_MISMATCH,
    Outcome.OVERPAID: AMOUNT_MISMATCH,
    Outcome.WRONG_REDEMPTION: AMOUNT_MISMATCH,
}
"""What a partner is told of a payment that is no good payment by itself."""


def judge(payment: Payment | None, merchant_id: str, question: Question) -> ValidationAnswer:
    """Answer about a payment; another merchant's payment is as if it were not there."""
    if payment is None or payment.merchant_id != merchant_id:
        return NOT_FOUND
    if payment.state is PaymentState.REFUSED:
        return ValidationAnswer(False, None, TX_FAILED)
    if payment.outcome is None:
        return UNCONFIRMED
    error = _WRONG.get(payment.outcome) or _wrong_about_good(payment, question)
    return ValidationAnswer(error is None, payment.confirmed_ms, error)


def _wrong_about_good(payment: Payment, question: Question) -> str | None:
    """Say what is wrong about a payment that is good by itself, or for no order."""
    if payment.refunded_units > 0:
        return TX_REFUNDED
    if payment.outcome not in GOOD and question.sen is not None:
        return NO_QUOTE
    # Compared with the quote that the order was made under, never with today's price.
    quoted = payment.amount_sen if question.units is None else payment.amount_units
    if payment.outcome not in GOOD:
        quoted = payment.units
    expected = question.sen if question.units is None else question.units
    return None if quoted == expected else AMOUNT_MISMATCH


class PaymentBook:
    """Looks payments up, many at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        # A look is one statement: without BEGIN and ROLLBACK it is one round trip of three.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def find(self, tx_hashes: Sequence[bytes]) -> list[Payment | Exception | None]:
        """Find payments by hash, each with its order's quote."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                text(f"""
                    SELECT {PAYMENT_COLUMNS} {PAYMENT_FROM}
                    WHERE p.tx_hash = ANY(CAST(:hashes AS bytea[]))
                """),
                {"hashes": sorted(set(tx_hashes))},
            )
            found = {row.tx_hash: read_payment(row) for row in rows}
        return [found.get(tx_hash) for tx_hash in tx_hashes]

    async def is_for(self, transfer: Transfer, merchant_id: str) -> bool:
        """Tell whether a transfer is for an order of this merchant, or comes to its account."""
        async with self._engine.connect() as connection:
            found = await connection.scalar(
                text("""
                    SELECT EXISTS (
                        SELECT FROM claims WHERE kind = 'reference' AND value = :reference
                            AND merchant_id = :merchant_id
                    ) OR EXISTS (
                        SELECT FROM merchants WHERE id = :merchant_id AND payout = :payout
                    )
                """),
                {
                    "reference": transfer.reference,
                    "payout": transfer.to,
                    "merchant_id": merchant_id,
                },
            )
        return found is True
