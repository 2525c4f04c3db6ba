"""Tills and the shifts at them in the database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.tables.terminals import cashier_sessions, terminals
from api.terminals.model import CashierSession, TerminalRecord, TerminalState

_TILL = tuple(column for column in terminals.c if column.name != "pairing_index")


def _at(merchant_id: str, terminal_id: str) -> Any:
    return (terminals.c.merchant_id == merchant_id) & (terminals.c.id == terminal_id)


async def add_till(connection: AsyncConnection, till: TerminalRecord, pairing_index: bytes) -> None:
    """Write a till that waits to be paired."""
    await connection.execute(
        terminals.insert().values(
            merchant_id=till.merchant_id,
            id=till.id,
            union_id=till.union_id,
            label=till.label,
            letter=till.letter,
            state=till.state,
            pairing_index=pairing_index,
            pairing_expires_ms=till.pairing_expires_ms,
            created_ms=till.created_ms,
        )
    )


async def find_till(
    connection: AsyncConnection, merchant_id: str, terminal_id: str
) -> TerminalRecord | None:
    """Read a till."""
    query = select(*_TILL).where(_at(merchant_id, terminal_id))
    row = (await connection.execute(query)).first()
    return None if row is None else _till(row)


async def lock_till(
    connection: AsyncConnection, merchant_id: str, terminal_id: str
) -> TerminalRecord | None:
    """Read a till, which nobody else changes until the transaction ends."""
    query = select(*_TILL).where(_at(merchant_id, terminal_id)).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else _till(row)


async def till_of_code(connection: AsyncConnection, pairing_index: bytes) -> TerminalRecord | None:
    """Find the till that a pairing code is for, and lock it."""
    c = terminals.c
    waits = (c.pairing_index == pairing_index) & (c.state == TerminalState.PAIRING)
    row = (await connection.execute(select(*_TILL).where(waits).with_for_update())).first()
    return None if row is None else _till(row)


async def till_by_id(connection: AsyncConnection, terminal_id: str) -> TerminalRecord | None:
    """Find a till whose merchant is not known: what a till says of itself is its id alone."""
    query = select(*_TILL).where(terminals.c.id == terminal_id)
    row = (await connection.execute(query)).first()
    return None if row is None else _till(row)


async def list_tills(
    connection: AsyncConnection, merchant_id: str, after: str, limit: int
) -> Sequence[TerminalRecord]:
    """Read a merchant's tills by id."""
    c = terminals.c
    wanted = (c.merchant_id == merchant_id) & (c.id > after)
    query = select(*_TILL).where(wanted).order_by(c.id).limit(limit)
    return [_till(row) for row in await connection.execute(query)]


async def change_till(connection: AsyncConnection, till: TerminalRecord, **columns: object) -> None:
    """Write columns of a locked till anew."""
    at = _at(till.merchant_id, till.id)
    await connection.execute(update(terminals).where(at).values(**columns))


def _till(row: Row[Any]) -> TerminalRecord:
    fields: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - its public name
    fields["state"] = TerminalState(row.state)
    return TerminalRecord(**fields)


async def open_shift(connection: AsyncConnection, shift: CashierSession) -> None:
    """Write a shift; end the one that somebody forgot to end at this till."""
    await end_shifts(connection, shift.merchant_id, shift.terminal_id, shift.opened_ms)
    names = ("merchant_id", "id", "union_id", "terminal_id", "user_id", "opened_ms")
    fields = {name: getattr(shift, name) for name in names}
    await connection.execute(cashier_sessions.insert().values(**fields))


async def end_shifts(
    connection: AsyncConnection, merchant_id: str, terminal_id: str, now_ms: int
) -> bool:
    """End the shift at a till; tell whether there was one."""
    c = cashier_sessions.c
    open_here = (c.merchant_id == merchant_id) & (c.terminal_id == terminal_id)
    ended = update(cashier_sessions).where(open_here & c.ended_ms.is_(None))
    return (await connection.execute(ended.values(ended_ms=now_ms))).rowcount > 0


async def current_shift(
    connection: AsyncConnection, merchant_id: str, terminal_id: str
) -> CashierSession | None:
    """Read the shift at a till."""
    c = cashier_sessions.c
    open_here = (c.merchant_id == merchant_id) & (c.terminal_id == terminal_id)
    query = select(cashier_sessions).where(open_here & c.ended_ms.is_(None))
    row = (await connection.execute(query)).first()
    return None if row is None else CashierSession(**row._mapping)  # noqa: SLF001


async def lock_shift(
    connection: AsyncConnection, merchant_id: str, shift_id: str
) -> CashierSession | None:
    """Read a shift, which nobody else changes until the transaction ends."""
    c = cashier_sessions.c
    at = (c.merchant_id == merchant_id) & (c.id == shift_id)
    row = (await connection.execute(select(cashier_sessions).where(at).with_for_update())).first()
    return None if row is None else CashierSession(**row._mapping)  # noqa: SLF001


async def add_stepped_up(connection: AsyncConnection, shift: CashierSession, sen: int) -> None:
    """Count what was refunded by a manager's PIN in a locked shift."""
    c = cashier_sessions.c
    at = (c.merchant_id == shift.merchant_id) & (c.id == shift.id)
    spent = c.stepped_up_sen + sen
    await connection.execute(update(cashier_sessions).where(at).values(stepped_up_sen=spent))
