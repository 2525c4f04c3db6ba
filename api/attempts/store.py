"""Payment attempts in the database: one row a transaction, and whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.attempts.model import AttemptOutcome, PaymentAttempt, subject_of
from api.db.statements import text

KEPT_MS: Final = 40 * 86_400_000
"""Longer than any window of a detector."""
_NOW_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class PayerStanding:
    """Who signed a transaction, whether a flag of theirs stands, and whether it is a new one."""

    subject: str
    flagged: bool
    new: bool


async def standings(
    connection: AsyncConnection, signed: Sequence[tuple[bytes, bytes]]
) -> dict[bytes, PayerStanding]:
    """Find whose transactions are, by (hash, blind index of the sender's account)."""
    if not signed:
        return {}
    rows = await connection.execute(
        text("""
            WITH n AS MATERIALIZED (
                SELECT n.tx_hash, n.address_index, w.user_id FROM unnest(
                    CAST(:hashes AS bytea[]), CAST(:indexes AS bytea[])
                ) AS n(tx_hash, address_index)
                LEFT JOIN claims c ON c.kind = 'wallet' AND c.value = n.address_index
                LEFT JOIN wallet_links w ON w.union_id = c.merchant_id AND w.id = c.ref_id
                    AND w.state = 'active'
            )
            SELECT n.tx_hash, n.address_index, n.user_id,
                EXISTS (
                    SELECT FROM flags f WHERE f.state <> 'released' AND f.subject IN (
                        'user:' || n.user_id, 'payer:' || encode(n.address_index, 'hex')
                    )
                ) AS flagged,
                EXISTS (SELECT FROM payment_attempts a WHERE a.tx_hash = n.tx_hash) AS known
            FROM n
        """),
        {
            "hashes": [tx_hash for tx_hash, _ in signed],
            "indexes": [index for _, index in signed],
        },
    )
    return {
        row.tx_hash: PayerStanding(
            subject_of(row.user_id, row.address_index), flagged=row.flagged, new=not row.known
        )
        for row in rows
    }


async def note_attempts(connection: AsyncConnection, attempts: Sequence[PaymentAttempt]) -> None:
    """Write attempts, or what has become of those that are known: the newest word counts.

    Times are the database's: what a person released a moment ago must not come after it.
    """
    newest = {(attempt.merchant_id, attempt.tx_hash): attempt for attempt in attempts}
    if not newest:
        return
    rows = [newest[key] for key in sorted(newest)]
    await connection.execute(
        text(f"""
            INSERT INTO payment_attempts AS p
                (merchant_id, tx_hash, order_id, subject, outcome, at_ms, told_ms)
            SELECT merchant_id, tx_hash, order_id, subject, outcome, {_NOW_MS}, {_NOW_MS}
            FROM unnest(
                CAST(:merchants AS text[]), CAST(:hashes AS bytea[]), CAST(:orders AS text[]),
                CAST(:subjects AS text[]), CAST(:outcomes AS text[])
            ) AS n(merchant_id, tx_hash, order_id, subject, outcome)
            ON CONFLICT (merchant_id, tx_hash) DO UPDATE
                SET outcome = EXCLUDED.outcome, told_ms = EXCLUDED.told_ms
        """),  # noqa: S608 - a constant of this module
        {
            "merchants": [row.merchant_id for row in rows],
            "hashes": [row.tx_hash for row in rows],
            "orders": [row.order_id for row in rows],
            "subjects": [row.subject for row in rows],
            "outcomes": [str(row.outcome) for row in rows],
        },
    )


async def mark_attempts(
    connection: AsyncConnection, outcomes: Sequence[tuple[bytes, AttemptOutcome]]
) -> None:
    """Write what became of attempts that are on their way."""
    if not outcomes:
        return
    await connection.execute(
        text(f"""
            UPDATE payment_attempts p SET outcome = n.outcome, told_ms = {_NOW_MS}
            FROM unnest(CAST(:hashes AS bytea[]), CAST(:outcomes AS text[])) AS n(tx_hash, outcome)
            WHERE p.tx_hash = n.tx_hash AND p.outcome = 'taken'
        """),  # noqa: S608 - a constant of this module
        {
            "hashes": [tx_hash for tx_hash, _ in outcomes],
            "outcomes": [str(outcome) for _, outcome in outcomes],
        },
    )


async def forget_attempts(connection: AsyncConnection, before_ms: int) -> None:
    """Drop attempts that no detector looks at any more."""
    await connection.execute(
        text("DELETE FROM payment_attempts WHERE told_ms < :before"), {"before": before_ms}
    )
