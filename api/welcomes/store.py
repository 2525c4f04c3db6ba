"""Welcomes in the database: one row a person, found by the hash of their card."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.welcomes.model import Welcome, WelcomeState

_COLUMNS: Final = (
    "union_id, student, id, user_id, units, state, created_ms, tx_hash, code, ended_ms"
)


def _read(row: Any) -> Welcome:
    return Welcome(
        union_id=row.union_id,
        student=row.student,
        id=row.id,
        user_id=row.user_id,
        units=row.units,
        state=WelcomeState(row.state),
        created_ms=row.created_ms,
        tx_hash=row.tx_hash,
        code=row.code,
        ended_ms=row.ended_ms,
    )


async def add_welcome(connection: AsyncConnection, welcome: Welcome) -> bool:
    """Write a welcome; False if its person had one before."""
    added = await connection.execute(
        text(f"""
            INSERT INTO welcomes ({_COLUMNS}) VALUES (:union, :student, :id, :user, :units, :state,
                :created, NULL, '', NULL)
            ON CONFLICT (union_id, student) DO NOTHING
        """),  # noqa: S608 - a constant of this module
        {
            "union": welcome.union_id,
            "student": welcome.student,
            "id": welcome.id,
            "user": welcome.user_id,
            "units": welcome.units,
            "state": str(welcome.state),
            "created": welcome.created_ms,
        },
    )
    return added.rowcount == 1


async def lock_welcome_of(
    connection: AsyncConnection, union_id: str, student: str
) -> Welcome | None:
    """Lock the welcome of a person."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM welcomes WHERE union_id = :union AND student = :student
            FOR NO KEY UPDATE
        """),  # noqa: S608 - a constant of this module
        {"union": union_id, "student": student},
    )
    row = rows.first()
    return None if row is None else _read(row)


async def lock_welcomes(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[str, Welcome]:
    """Lock welcomes by (union, id)."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM welcomes
            WHERE (union_id, id) IN (SELECT * FROM unnest(
                CAST(:unions AS text[]), CAST(:ids AS text[])))
            ORDER BY union_id, id FOR NO KEY UPDATE
        """),  # noqa: S608 - a constant of this module
        {"unions": [union for union, _ in keys], "ids": [one for _, one in keys]},
    )
    return {row.id: _read(row) for row in rows}


async def store_welcome(connection: AsyncConnection, before: Welcome, welcome: Welcome) -> None:
    """Write a welcome back, from the state in which it was read."""
    done = await connection.execute(
        text("""
            UPDATE welcomes SET state = :state, created_ms = :created,
                tx_hash = CAST(:tx_hash AS bytea), code = :code, ended_ms = :ended
            WHERE union_id = :union AND student = :student AND state = :before
        """),
        {
            "union": welcome.union_id,
            "student": welcome.student,
            "before": str(before.state),
            "state": str(welcome.state),
            "created": welcome.created_ms,
            "tx_hash": welcome.tx_hash,
            "code": welcome.code,
            "ended": welcome.ended_ms,
        },
    )
    assert done.rowcount == 1, "welcomes are locked by who changes them"
