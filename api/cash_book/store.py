"""The cash book in the database: entries are added and read. A trigger refuses all else."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.cash_book.model import CashEntry, CashKind
from api.db.statements import text

CHAIN: Final = "chain"
"""Who makes an entry that no person made."""
_COLUMNS: Final = """union_id, id, kind, ref_id, place_id, made_by, receipt, at_ms, cash_sen,
    float_units, owed_units, owed_sen"""


def drawn_entry(
    union_id: str,
    kind: CashKind,
    ref_id: str,
    place_id: str,
    by: str,
    now_ms: int,
    receipt: str = "",
    **changes: int,
) -> CashEntry:
    """Draw up an entry; `changes` are what it changes."""
    return CashEntry(
        union_id=union_id,
        id=str(ULID.from_timestamp(now_ms)),
        kind=kind,
        ref_id=ref_id,
        place_id=place_id,
        by=by,
        receipt=receipt,
        at_ms=now_ms,
        **changes,
    )


async def add_cash_entries(connection: AsyncConnection, entries: Sequence[CashEntry]) -> None:
    """Write entries; the database refuses a second one of a kind about the same thing."""
    if not entries:
        return
    await connection.execute(
        text(f"""
            INSERT INTO cash_entries ({_COLUMNS}) VALUES (:union, :id, :kind, :ref, :place, :by,
                :receipt, :at, :cash, :float, :owed_units, :owed_sen)
        """),  # noqa: S608 - a constant of this module
        [
            {
                "union": entry.union_id,
                "id": entry.id,
                "kind": str(entry.kind),
                "ref": entry.ref_id,
                "place": entry.place_id,
                "by": entry.by,
                "receipt": entry.receipt,
                "at": entry.at_ms,
                "cash": entry.cash_sen,
                "float": entry.float_units,
                "owed_units": entry.owed_units,
                "owed_sen": entry.owed_sen,
            }
            for entry in entries
        ],
    )


def _read(row: Any) -> CashEntry:
    return CashEntry(
        union_id=row.union_id,
        id=row.id,
        kind=CashKind(row.kind),
        ref_id=row.ref_id,
        place_id=row.place_id,
        by=row.made_by,
        receipt=row.receipt,
        at_ms=row.at_ms,
        cash_sen=row.cash_sen,
        float_units=row.float_units,
        owed_units=row.owed_units,
        owed_sen=row.owed_sen,
    )


async def list_cash_entries(
    connection: AsyncConnection, union_id: str, place_id: str, before: str | None, limit: int
) -> list[CashEntry]:
    """List entries of a union below an id, newest first; of one place alone, if it is named."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM cash_entries
            WHERE union_id = :union AND id < coalesce(CAST(:before AS text), 'Z')
                AND (:place = '' OR place_id = :place)
            ORDER BY id DESC LIMIT :limit
        """),  # noqa: S608 - a constant of this module
        {"union": union_id, "place": place_id, "before": before, "limit": limit},
    )
    return [_read(row) for row in rows]
