"""Top-ups in the database: written, summed up by the day, and moved on."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.top_ups.model import COUNTS, PROMISED, TopUp, TopUpState

_COLUMNS: Final = """union_id, id, place_id, terminal_id, taken_by, approved_by, user_id,
    address_index, amount_sen, units, price_id, litre_sen, receipt, state, created_ms, tx_hash,
    code, detail, ended_ms"""


def _read(row: Any) -> TopUp:
    return TopUp(
        union_id=row.union_id,
        id=row.id,
        place_id=row.place_id,
        terminal_id=row.terminal_id,
        taken_by=row.taken_by,
        approved_by=row.approved_by,
        user_id=row.user_id,
        address_index=row.address_index,
        amount_sen=row.amount_sen,
        units=row.units,
        price_id=row.price_id,
        litre_sen=row.litre_sen,
        receipt=row.receipt,
        state=TopUpState(row.state),
        created_ms=row.created_ms,
        tx_hash=row.tx_hash,
        code=row.code,
        detail=row.detail,
        ended_ms=row.ended_ms,
    )


async def add_top_up(connection: AsyncConnection, top_up: TopUp) -> bool:
    """Write a new top-up; False if its receipt's number was used at this place."""
    names = [name.strip() for name in _COLUMNS.split(",")]
    added = await connection.execute(
        text(f"""
            INSERT INTO top_ups ({_COLUMNS}) VALUES ({", ".join(":" + name for name in names)})
            ON CONFLICT (union_id, place_id, receipt) DO NOTHING
        """),  # noqa: S608 - constants of this module
        {**{name: getattr(top_up, name) for name in names}, "state": str(top_up.state)},
    )
    return added.rowcount == 1


async def given_in_a_day(
    connection: AsyncConnection,
    union_id: str,
    user_id: str | None,
    indexes: Sequence[bytes],
    since_ms: int,
) -> int:
    """Sum up what a person, or their wallets, got since a time, in sen."""
    found = await connection.scalar(
        text("""
            SELECT coalesce(sum(amount_sen), 0) FROM top_ups
            WHERE union_id = :union AND created_ms > :since
                AND state = ANY(CAST(:states AS text[]))
                AND (user_id = CAST(:user AS text)
                    OR address_index = ANY(CAST(:indexes AS bytea[])))
        """),
        {
            "union": union_id,
            "user": user_id,
            "indexes": list(indexes),
            "since": since_ms,
            "states": [str(state) for state in COUNTS],
        },
    )
    return int(found or 0)


async def promised_units(connection: AsyncConnection, union_id: str) -> int:
    """Sum up what a union's float was asked for and has not sent yet."""
    found = await connection.scalar(
        text("""
            SELECT (SELECT coalesce(sum(units), 0) FROM top_ups
                WHERE union_id = :union AND state = ANY(CAST(:states AS text[])))
            + (SELECT coalesce(sum(units), 0) FROM welcomes
                WHERE union_id = :union AND state = ANY(CAST(:states AS text[])))
        """),
        {"union": union_id, "states": [str(state) for state in PROMISED]},
    )
    return int(found or 0)


async def read_top_ups(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]], *, lock: bool = False
) -> dict[str, TopUp]:
    """Read top-ups by (union, id); `lock` keeps others from them until the commit."""
    how = "FOR NO KEY UPDATE" if lock else ""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM top_ups
            WHERE (union_id, id) IN (SELECT * FROM unnest(
                CAST(:unions AS text[]), CAST(:ids AS text[])))
            ORDER BY union_id, id {how}
        """),  # noqa: S608 - constants of this module
        {"unions": [union for union, _ in keys], "ids": [one for _, one in keys]},
    )
    return {row.id: _read(row) for row in rows}


async def store_top_up(connection: AsyncConnection, before: TopUp, top_up: TopUp) -> None:
    """Write a top-up back, from the state in which it was read."""
    done = await connection.execute(
        text("""
            UPDATE top_ups SET state = :state, tx_hash = CAST(:tx_hash AS bytea), code = :code,
                detail = :detail, ended_ms = :ended
            WHERE union_id = :union AND id = :id AND state = :before
        """),
        {
            "union": top_up.union_id,
            "id": top_up.id,
            "before": str(before.state),
            "state": str(top_up.state),
            "tx_hash": top_up.tx_hash,
            "code": top_up.code,
            "detail": top_up.detail,
            "ended": top_up.ended_ms,
        },
    )
    assert done.rowcount == 1, "top-ups are locked by who changes them"


async def list_top_ups(
    connection: AsyncConnection,
    union_id: str,
    place_id: str,
    state: str | None,
    before: str | None,
    limit: int,
) -> list[TopUp]:
    """List top-ups of a union below an id, newest first; of one place alone, if it is named."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM top_ups
            WHERE union_id = :union AND id < coalesce(CAST(:before AS text), 'Z')
                AND (:place = '' OR place_id = :place)
                AND state = coalesce(CAST(:state AS text), state)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - constants of this module
        {"union": union_id, "place": place_id, "state": state, "before": before, "limit": limit},
    )
    return [_read(row) for row in rows]
