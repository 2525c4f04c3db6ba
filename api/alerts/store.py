"""Alerts in the database: one stands for each trouble, until it is mended."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.alerts.model import Alert, AlertKind, AlertState, FoundTrouble
from api.db.statements import text

_COLUMNS: Final = """union_id, id, merchant_id, kind, subject, state, raised_ms, acknowledged_by,
    acknowledged_ms, over_ms"""


def _read(row: Any) -> Alert:
    return Alert(
        union_id=row.union_id,
        id=row.id,
        merchant_id=row.merchant_id,
        kind=AlertKind(row.kind),
        subject=row.subject,
        state=AlertState(row.state),
        raised_ms=row.raised_ms,
        acknowledged_by=row.acknowledged_by,
        acknowledged_ms=row.acknowledged_ms,
        over_ms=row.over_ms,
    )


async def raise_alert(
    connection: AsyncConnection, trouble: FoundTrouble, alert_id: str, now_ms: int
) -> bool:
    """Write an alert, unless one stands for this already; tell whether it is a new one."""
    done = await connection.execute(
        text("""
            INSERT INTO alerts (union_id, id, merchant_id, kind, subject, state, raised_ms)
            VALUES (:union, :id, :merchant, :kind, :subject, 'open', :now)
            ON CONFLICT (union_id, merchant_id, kind, subject) WHERE state <> 'over' DO NOTHING
        """),
        {
            "union": trouble.union_id,
            "id": alert_id,
            "merchant": trouble.merchant_id,
            "kind": str(trouble.kind),
            "subject": trouble.subject,
            "now": now_ms,
        },
    )
    return done.rowcount == 1


async def store_alert(connection: AsyncConnection, before: Alert, alert: Alert) -> None:
    """Write what became of an alert, from the state in which it was read."""
    done = await connection.execute(
        text("""
            UPDATE alerts SET state = :state, acknowledged_by = :by, acknowledged_ms = :at,
                over_ms = :over
            WHERE union_id = :union AND id = :id AND state = :before
        """),
        {
            "union": before.union_id,
            "id": before.id,
            "before": str(before.state),
            "state": str(alert.state),
            "by": alert.acknowledged_by,
            "at": alert.acknowledged_ms,
            "over": alert.over_ms,
        },
    )
    assert done.rowcount == 1, "alerts are locked by who changes them"


async def find_alert(
    connection: AsyncConnection, union_id: str, alert_id: str, *, lock: bool = False
) -> Alert | None:
    """Read an alert of a union; `lock` holds it until the transaction ends."""
    held = "FOR NO KEY UPDATE" if lock else ""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM alerts WHERE union_id = :union AND id = :id {held}
        """),  # noqa: S608 - constants of this module
        {"union": union_id, "id": alert_id},
    )
    row = rows.first()
    return None if row is None else _read(row)


async def list_alerts(
    connection: AsyncConnection,
    union_id: str,
    merchant_id: str,
    below: str | None,
    limit: int,
    state: str | None,
    kind: str | None,
) -> Sequence[Alert]:
    """List alerts of a union, or of one merchant, below an id, newest first."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM alerts WHERE union_id = :union
                AND id < coalesce(CAST(:below AS text), 'Z')
                AND (CAST(:merchant AS text) = '' OR merchant_id = :merchant)
                AND state = coalesce(CAST(:state AS text), state)
                AND kind = coalesce(CAST(:kind AS text), kind)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - a constant of this module
        {
            "union": union_id,
            "merchant": merchant_id,
            "below": below,
            "limit": limit,
            "state": state,
            "kind": kind,
        },
    )
    return [_read(row) for row in rows]


async def forget_alerts(connection: AsyncConnection, before_ms: int) -> None:
    """Drop alerts that were over long ago."""
    await connection.execute(
        text("DELETE FROM alerts WHERE state = 'over' AND over_ms < :before"), {"before": before_ms}
    )
