"""Payments as partners ask for them: looked up in batches, and judged.

`judge` is the table of the validation endpoint over plain values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.amounts import format_sen, format_time, parse_sen, parse_units
from api.db.models import Outcome, PaymentState
from api.errors import MalformedRequest, Pointer
from api.payments.schemas import Currency, ValidationBody
from api.services.outbox import signed_bill
from ledger.primitives.amounts import Units, format_bill

TX_NOT_FOUND: Final = "TX_NOT_FOUND"
TX_UNCONFIRMED: Final = "TX_UNCONFIRMED"
AMOUNT_MISMATCH: Final = "AMOUNT_MISMATCH"
TX_FAILED: Final = "TX_FAILED"
TX_REFUNDED: Final = "TX_REFUNDED"
TX_ALREADY_USED: Final = "TX_ALREADY_USED"


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


def judge(row: Mapping[str, Any] | None, merchant_id: str, question: Question) -> ValidationAnswer:
    """Answer from a payment's row; another merchant's payment is as if it were not there."""
    if row is None or row["merchant_id"] != merchant_id:
        return NOT_FOUND
    if row["state"] != PaymentState.FINALISED:
        return UNCONFIRMED
    confirmed_ms = row["confirmed_ms"]
    match row["outcome"]:
        case Outcome.FAILED:
            return ValidationAnswer(False, confirmed_ms, TX_FAILED)
        case Outcome.DUPLICATE:
            return ValidationAnswer(False, confirmed_ms, TX_ALREADY_USED)
        case Outcome.UNDERPAID | Outcome.OVERPAID | Outcome.WRONG_REDEMPTION:
            return ValidationAnswer(False, confirmed_ms, AMOUNT_MISMATCH)
    if row["refunded_units"] > 0:
        return ValidationAnswer(False, confirmed_ms, TX_REFUNDED)
    # Compared with the quote that the order was made under, never with today's price.
    quoted = row["amount_units"] if question.sen is None else row["amount_sen"]
    expected = question.units if question.sen is None else question.sen
    if quoted != expected:
        return ValidationAnswer(False, confirmed_ms, AMOUNT_MISMATCH)
    return ValidationAnswer(True, confirmed_ms, None)


class PaymentBook:
    """Looks payments up, many at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        # A look is one statement: without BEGIN and ROLLBACK it is one round trip of three.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def find(self, tx_hashes: Sequence[bytes]) -> list[dict[str, Any] | Exception | None]:
        """Find payments by hash, each with its order's quote."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                text("""
                    SELECT p.*, i.amount_sen, i.amount_units FROM payments p
                    JOIN payment_intents i ON i.order_id = p.order_id
                    WHERE p.tx_hash = ANY(CAST(:hashes AS bytea[]))
                """),
                {"hashes": sorted(set(tx_hashes))},
            )
            found = {row["tx_hash"]: dict(row) for row in rows.mappings()}
        return [found.get(tx_hash) for tx_hash in tx_hashes]

    async def is_reference_of(self, reference: bytes, merchant_id: str) -> bool:
        """Tell whether a reference belongs to an order of this merchant."""
        async with self._engine.connect() as connection:
            found = await connection.scalar(
                text("""
                    SELECT true FROM payment_intents i JOIN orders o ON o.id = i.order_id
                    WHERE i.reference = :reference AND o.merchant_id = :merchant_id
                """),
                {"reference": reference, "merchant_id": merchant_id},
            )
        return found is True


def payment_json(row: Mapping[str, Any]) -> dict[str, object]:
    """Present a payment to its merchant."""
    confirmed_ms, block_hash = row["confirmed_ms"], row["block_hash"]
    return {
        "txHash": row["tx_hash"].hex(),
        "orderId": row["order_id"],
        "state": row["state"],
        "outcome": row["outcome"],
        "code": row["code"] or None,
        "amount": {"bill": format_bill(Units(row["units"]))},
        "quote": {
            "myr": format_sen(row["amount_sen"]),
            "bill": format_bill(Units(row["amount_units"])),
        },
        "delta": signed_bill(row["delta_units"]),
        "settlement": row["settlement"],
        "height": row["height"],
        "blockHash": None if block_hash is None else block_hash.hex(),
        "seenAt": format_time(row["seen_ms"]),
        "confirmedAt": None if confirmed_ms is None else format_time(confirmed_ms),
    }
