"""Payments as partners ask for them: looked up in batches, and judged.

`read_question` reads a body with the strict reader, numbers as they were written: two readers of
one body never see two amounts. `judge` is the table of the validation endpoint over plain values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.amounts import format_sen, format_time, parse_sen, parse_units
from api.db.models import Outcome, PaymentState
from api.errors import MalformedRequest, Pointer
from api.services.outbox import signed_bill
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import Json, NumberText, decode_json

TX_NOT_FOUND: Final = "TX_NOT_FOUND"
TX_UNCONFIRMED: Final = "TX_UNCONFIRMED"
AMOUNT_MISMATCH: Final = "AMOUNT_MISMATCH"
TX_FAILED: Final = "TX_FAILED"
TX_REFUNDED: Final = "TX_REFUNDED"
TX_ALREADY_USED: Final = "TX_ALREADY_USED"

HASH_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


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


def read_json(raw: bytes) -> dict[str, Json]:
    """Read a JSON object; numbers stay text, and what could be read in two ways is refused."""
    try:
        value = decode_json(raw, len(raw), numbers_as_text=True)
    except BadJson as fault:
        where = fault.place if fault.place.startswith("/") else ""
        raise MalformedRequest(
            f"the body is not JSON as it should be: {fault}",
            errors=(Pointer(where, "INVALID_JSON"),),
        ) from fault
    if not isinstance(value, dict):
        raise MalformedRequest(
            "the body is not a JSON object", errors=(Pointer("", "NOT_AN_OBJECT"),)
        )
    return value


def read_question(raw: bytes) -> Question:
    """Read the body of a validation; raise `MalformedRequest` that points at every fault."""
    members = read_json(raw)
    faults: list[Pointer] = []
    tx_hash, expected = members.get("txHash"), members.get("expectedAmount")
    currency = members.get("currency", "MYR")
    if isinstance(tx_hash, NumberText) or not isinstance(tx_hash, str):
        faults.append(Pointer("/txHash", "MISSING" if tx_hash is None else "NOT_A_STRING"))
    elif HASH_TEXT.fullmatch(tx_hash) is None:
        faults.append(Pointer("/txHash", "NOT_A_HASH"))
    if isinstance(currency, NumberText) or currency not in ("MYR", "BILL"):
        faults.append(Pointer("/currency", "UNKNOWN_CURRENCY"))
    amount = None
    if isinstance(expected, str):
        amount = parse_units(expected) if currency == "BILL" else parse_sen(expected)
    if amount is None:
        faults.append(
            Pointer("/expectedAmount", "MISSING" if expected is None else "NOT_AN_AMOUNT")
        )
    if faults or amount is None or not isinstance(tx_hash, str):
        where = ", ".join(f"{fault.pointer} ({fault.code})" for fault in faults)
        raise MalformedRequest(f"these members can't be used: {where}", errors=tuple(faults))
    in_tokens = currency == "BILL"
    return Question(
        bytes.fromhex(tx_hash), None if in_tokens else amount, amount if in_tokens else None
    )


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
