"""Sessions, invitations, spent challenges and counted misses in the database."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.tables.people import (
    invitations,
    miss_tallies,
    sessions,
    spent_nonces,
)
from api.people.misses import MissRule, MissTally, after_hit, after_miss, wait_ms
from api.people.model import LoginMethod
from api.people.refreshing import Family
from api.people.rules import INVITATION_MS, SESSION_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session that was found and locked."""

    union_id: str
    id: str
    user_id: str
    method: LoginMethod
    family: Family


def _session_at(union_id: str, session_id: str) -> Any:
    return (sessions.c.union_id == union_id) & (sessions.c.id == session_id)


async def begin_session(
    connection: AsyncConnection,
    union_id: str,
    session_id: str,
    user_id: str,
    method: LoginMethod,
    digest: bytes,
    now_ms: int,
) -> None:
    """Write a session that begins with a token of this digest."""
    await connection.execute(
        sessions.insert().values(
            union_id=union_id,
            id=session_id,
            user_id=user_id,
            method=method,
            current=digest,
            rotated_ms=now_ms,
            created_ms=now_ms,
            expires_ms=now_ms + SESSION_MS[method],
        )
    )


async def lock_session(
    connection: AsyncConnection, union_id: str, session_id: str
) -> OpenSession | None:
    """Read a session, which nobody else changes until the transaction ends."""
    query = select(sessions).where(_session_at(union_id, session_id)).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    family = Family(
        current=row.current,
        previous=row.previous,
        rotated_ms=row.rotated_ms,
        expires_ms=row.expires_ms,
        ended=row.ended_ms is not None,
    )
    return OpenSession(
        union_id=union_id,
        id=session_id,
        user_id=row.user_id,
        method=LoginMethod(row.method),
        family=family,
    )


async def method_of_session(
    connection: AsyncConnection, union_id: str, session_id: str
) -> LoginMethod | None:
    """Tell by what a session began; None if it is not there."""
    query = select(sessions.c.method).where(_session_at(union_id, session_id))
    method = (await connection.execute(query)).scalar_one_or_none()
    return None if method is None else LoginMethod(method)


async def rotate_session(
    connection: AsyncConnection, session: OpenSession, digest: bytes, now_ms: int
) -> None:
    """Make a token the current one of a locked session."""
    at = _session_at(session.union_id, session.id)
    changed = {"current": digest, "previous": session.family.current, "rotated_ms": now_ms}
    await connection.execute(update(sessions).where(at).values(**changed))


async def end_session(
    connection: AsyncConnection, union_id: str, session_id: str, why: str, now_ms: int
) -> None:
    """End one session; one that has ended stays as it is."""
    at = _session_at(union_id, session_id) & sessions.c.ended_ms.is_(None)
    await connection.execute(update(sessions).where(at).values(ended_ms=now_ms, ended_why=why))


async def end_sessions_of(
    connection: AsyncConnection, union_id: str, user_id: str, why: str, now_ms: int, but: str = ""
) -> None:
    """End all sessions of a person, `but` one."""
    c = sessions.c
    of_user = (c.union_id == union_id) & (c.user_id == user_id) & c.ended_ms.is_(None)
    await connection.execute(
        update(sessions).where(of_user & (c.id != but)).values(ended_ms=now_ms, ended_why=why)
    )


async def add_invitation(
    connection: AsyncConnection,
    union_id: str,
    user_id: str,
    code_index: bytes,
    by: str,
    now_ms: int,
) -> None:
    """Write an invitation; those that the person had before are good for nothing any more."""
    c = invitations.c
    await connection.execute(
        delete(invitations).where((c.union_id == union_id) & (c.user_id == user_id))
    )
    await connection.execute(
        invitations.insert().values(
            union_id=union_id,
            code_index=code_index,
            user_id=user_id,
            invited_by=by,
            created_ms=now_ms,
            expires_ms=now_ms + INVITATION_MS,
        )
    )


def _good_invitation(union_id: str, code_index: bytes, now_ms: int) -> Any:
    c = invitations.c
    good = (c.union_id == union_id) & (c.code_index == code_index)
    return good & c.used_ms.is_(None) & (c.expires_ms > now_ms)


async def invited_by_code(
    connection: AsyncConnection, union_id: str, code_index: bytes, now_ms: int
) -> str | None:
    """Give whom a code invites; None if it is unknown, used or over."""
    good = _good_invitation(union_id, code_index, now_ms)
    found = await connection.execute(select(invitations.c.user_id).where(good))
    user_id: str | None = found.scalar_one_or_none()
    return user_id


async def use_invitation(
    connection: AsyncConnection, union_id: str, code_index: bytes, now_ms: int
) -> str | None:
    """Use a code up; give whom it invites, or None if it is good for nothing any more."""
    good = _good_invitation(union_id, code_index, now_ms)
    used = update(invitations).where(good).values(used_ms=now_ms)
    found = await connection.execute(used.returning(invitations.c.user_id))
    user_id: str | None = found.scalar_one_or_none()
    return user_id


async def spend_nonce(
    connection: AsyncConnection, union_id: str, nonce: bytes, expires_ms: int
) -> bool:
    """Use a challenge up; False if it was answered before."""
    row = insert(spent_nonces).values(union_id=union_id, nonce=nonce, expires_ms=expires_ms)
    return (await connection.execute(row.on_conflict_do_nothing())).rowcount == 1


async def count_try(
    connection: AsyncConnection, union_id: str, subject: str, rule: MissRule, now_ms: int
) -> int | None:
    """Count a try as a miss before it is judged; give 0, or the wait that it is refused with.

    Commit before judging. None is a refusal that only a person can lift.
    """
    blank = insert(miss_tallies).values(union_id=union_id, subject=subject, **asdict(MissTally()))
    await connection.execute(blank.on_conflict_do_nothing())
    tally = await _lock_tally(connection, union_id, subject)
    waits = wait_ms(tally, rule, now_ms)
    if waits == 0:
        await _write_tally(connection, union_id, subject, after_miss(tally, rule, now_ms))
    return waits


async def forgive_try(connection: AsyncConnection, union_id: str, subject: str) -> None:
    """Take a try back that was counted and has turned out to be right."""
    tally = await _lock_tally(connection, union_id, subject)
    await _write_tally(connection, union_id, subject, after_hit(tally))


async def forget_misses(connection: AsyncConnection, union_id: str, subject: str) -> None:
    """Let somebody in again whom misses have shut out."""
    await connection.execute(delete(miss_tallies).where(_tally_at(union_id, subject)))


def _tally_at(union_id: str, subject: str) -> Any:
    return (miss_tallies.c.union_id == union_id) & (miss_tallies.c.subject == subject)


async def _lock_tally(connection: AsyncConnection, union_id: str, subject: str) -> MissTally:
    c = miss_tallies.c
    query = select(c.in_a_row, c.locked_until_ms, c.day_began_ms, c.in_the_day)
    row = (
        await connection.execute(query.where(_tally_at(union_id, subject)).with_for_update())
    ).first()
    return MissTally() if row is None else MissTally(**row._mapping)  # noqa: SLF001


async def _write_tally(
    connection: AsyncConnection, union_id: str, subject: str, tally: MissTally
) -> None:
    at = _tally_at(union_id, subject)
    await connection.execute(update(miss_tallies).where(at).values(**asdict(tally)))
