"""Cash-outs in the database, and the claims on transfers to floats."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.cash_outs.model import CashOut, CashOutState
from api.db.statements import text

CLAIM: Final = "cash_out"
"""The subject of a claim on the hash of a transfer to a float."""
_COLUMNS: Final = """union_id, id, user_id, asked_units, reference, price_id, litre_sen, state,
    created_ms, expires_ms, received_units, received_sen, paid_sen, payments, ended_ms"""
_NAMES: Final = [name.strip() for name in _COLUMNS.split(",")]


def _read(row: Any) -> CashOut:
    fields = {name: getattr(row, name) for name in _NAMES}
    return CashOut(**{**fields, "state": CashOutState(row.state)})


async def add_cash_out(connection: AsyncConnection, cash_out: CashOut) -> None:
    """Write a new cash-out."""
    await connection.execute(
        text(f"""
            INSERT INTO cash_outs ({_COLUMNS}) VALUES ({", ".join(":" + name for name in _NAMES)})
        """),  # noqa: S608 - constants of this module
        {**{name: getattr(cash_out, name) for name in _NAMES}, "state": str(cash_out.state)},
    )


async def find_cash_out(
    connection: AsyncConnection, union_id: str, cash_out_id: str, *, lock: bool = False
) -> CashOut | None:
    """Read one cash-out of a union; `lock` keeps others from it until the commit."""
    how = "FOR NO KEY UPDATE" if lock else ""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM cash_outs WHERE union_id = :union AND id = :id {how}
        """),  # noqa: S608 - constants of this module
        {"union": union_id, "id": cash_out_id},
    )
    row = rows.first()
    return None if row is None else _read(row)


async def lock_by_references(
    connection: AsyncConnection, references: Sequence[bytes]
) -> dict[bytes, CashOut]:
    """Lock the cash-outs that transfers name, by reference."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM cash_outs
            WHERE reference = ANY(CAST(:references AS bytea[]))
            ORDER BY union_id, id FOR NO KEY UPDATE
        """),  # noqa: S608 - a constant of this module
        {"references": list(references)},
    )
    return {row.reference: _read(row) for row in rows}


async def overdue_cash_outs(
    connection: AsyncConnection, before_ms: int, limit: int
) -> list[CashOut]:
    """Lock cash-outs for which nothing came in time, but those that somebody has in hand."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM cash_outs WHERE state = 'awaiting' AND expires_ms <= :before
            ORDER BY union_id, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
        """),  # noqa: S608 - a constant of this module
        {"before": before_ms, "limit": limit},
    )
    return [_read(row) for row in rows]


async def store_cash_out(connection: AsyncConnection, before: CashOut, cash_out: CashOut) -> None:
    """Write a cash-out back, from the state in which it was read."""
    done = await connection.execute(
        text("""
            UPDATE cash_outs SET state = :state, received_units = :units, received_sen = :sen,
                paid_sen = :paid, payments = :payments, ended_ms = :ended
            WHERE union_id = :union AND id = :id AND state = :before AND received_sen = :was_sen
                AND paid_sen = :was_paid
        """),
        {
            "union": cash_out.union_id,
            "id": cash_out.id,
            "before": str(before.state),
            "was_sen": before.received_sen,
            "was_paid": before.paid_sen,
            "state": str(cash_out.state),
            "units": cash_out.received_units,
            "sen": cash_out.received_sen,
            "paid": cash_out.paid_sen,
            "payments": cash_out.payments,
            "ended": cash_out.ended_ms,
        },
    )
    assert done.rowcount == 1, "cash-outs are locked by who changes them"


async def list_cash_outs(
    connection: AsyncConnection,
    union_id: str,
    user_id: str | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> list[CashOut]:
    """List cash-outs of a union below an id, newest first; one's own, if named."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM cash_outs
            WHERE union_id = :union AND id < coalesce(CAST(:before AS text), 'Z')
                AND (CAST(:user AS text) IS NULL OR user_id = :user)
                AND state = coalesce(CAST(:state AS text), state)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - a constant of this module
        {"union": union_id, "user": user_id, "state": state, "before": before, "limit": limit},
    )
    return [_read(row) for row in rows]


async def floats_of(
    connection: AsyncConnection, accounts: Sequence[bytes]
) -> dict[bytes, list[str]]:
    """Say which accounts are floats, and of which unions."""
    rows = await connection.execute(
        text("""
            SELECT float_account, array_agg(id ORDER BY id) AS ids FROM unions
            WHERE float_account = ANY(CAST(:accounts AS bytea[])) GROUP BY float_account
        """),
        {"accounts": list(accounts)},
    )
    return {row.float_account: row.ids for row in rows}


async def claim_transfer(
    connection: AsyncConnection, tx_hash: bytes, union_id: str, ref_id: str
) -> bool:
    """Claim the hash of a transfer to a float; False if it was taken note of before."""
    claimed = await connection.execute(
        text("""
            INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
            VALUES ('tx', :hash, :union, :subject, :ref) ON CONFLICT (kind, value) DO NOTHING
        """),
        {"hash": tx_hash, "union": union_id, "subject": CLAIM, "ref": ref_id},
    )
    return claimed.rowcount == 1
