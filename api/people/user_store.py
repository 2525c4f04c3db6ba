"""Users and their roles in the database. Personal data pass through a `DataKey` on their way."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.roles import Role
from api.db.tables.people import user_roles, users
from api.people.model import Credentials, Profile, User, UserState
from api.vault.blind import Purpose, fold
from api.vault.data_keys import Vault

_ROLES_OF_USER = (
    select(func.json_object_agg(user_roles.c.role, user_roles.c.place))
    .where((user_roles.c.union_id == users.c.union_id) & (user_roles.c.user_id == users.c.id))
    .scalar_subquery()
)


def _at(union_id: str, user_id: str) -> Any:
    return (users.c.union_id == union_id) & (users.c.id == user_id)


def login_index(vault: Vault, union_id: str, login_name: str) -> bytes | None:
    """Give what a login is found by; None for none."""
    text = fold(login_name)
    return vault.index(Purpose.LOGIN, union_id.encode() + text) if text else None


def card_index(vault: Vault, union_id: str, card_number: str) -> bytes | None:
    """Give what a card is found by; None for none."""
    text = fold(card_number)
    return vault.index(Purpose.CARD, union_id.encode() + text) if text else None


async def add_user(
    connection: AsyncConnection,
    vault: Vault,
    union_id: str,
    user_id: str,
    profile: Profile,
    now_ms: int,
) -> None:
    """Write a new person, whose data key is there already."""
    await connection.execute(
        users.insert().values(
            union_id=union_id,
            id=user_id,
            state=UserState.INVITED,
            created_ms=now_ms,
            **await _sealed(connection, vault, union_id, user_id, profile),
        )
    )


async def change_profile(
    connection: AsyncConnection, vault: Vault, union_id: str, user_id: str, profile: Profile
) -> None:
    """Write a person's profile anew."""
    sealed = await _sealed(connection, vault, union_id, user_id, profile)
    await connection.execute(update(users).where(_at(union_id, user_id)).values(**sealed))


async def _sealed(
    connection: AsyncConnection, vault: Vault, union_id: str, user_id: str, profile: Profile
) -> dict[str, object]:
    key = await vault.key_of(connection, union_id, user_id)
    return {
        "profile": key.seal("users", "profile", msgspec.json.encode(profile)),
        "login_index": login_index(vault, union_id, profile.login_name),
        "card_index": card_index(vault, union_id, profile.card_number),
    }


async def find_user(
    connection: AsyncConnection, vault: Vault, union_id: str, user_id: str
) -> User | None:
    """Read a person."""
    row = (
        await connection.execute(select(users, _ROLES_OF_USER).where(_at(union_id, user_id)))
    ).first()
    return None if row is None else await _user(connection, vault, row)


async def lock_user(
    connection: AsyncConnection, vault: Vault, union_id: str, user_id: str
) -> User | None:
    """Read a person, whom nobody else changes until the transaction ends."""
    await connection.execute(
        select(users.c.id).where(_at(union_id, user_id)).with_for_update(key_share=True)
    )
    return await find_user(connection, vault, union_id, user_id)


async def list_users(
    connection: AsyncConnection, vault: Vault, union_id: str, after: str, limit: int, **having: Any
) -> Sequence[User]:
    """Read a union's people by id; `having` are columns and what they must be."""
    wanted = (users.c.union_id == union_id) & (users.c.id > after)
    for column, value in having.items():
        wanted &= users.c[column] == value
    query = select(users, _ROLES_OF_USER).where(wanted).order_by(users.c.id).limit(limit)
    return [await _user(connection, vault, row) for row in await connection.execute(query)]


async def _user(connection: AsyncConnection, vault: Vault, row: Row[Any]) -> User:
    key = await vault.key_of(connection, row.union_id, row.id)
    profile = msgspec.json.decode(key.unseal("users", "profile", row.profile), type=Profile)
    return User(
        union_id=row.union_id,
        id=row.id,
        state=UserState(row.state),
        token_version=row.token_version,
        profile=profile,
        staff_code=row.staff_code or "",
        roles=_roles(row[-1]),
        created_ms=row.created_ms,
        activated_ms=row.activated_ms,
    )


def _roles(held: Mapping[str, str] | None) -> Mapping[Role, str]:
    return {Role(role): place for role, place in sorted((held or {}).items())}


async def set_state(
    connection: AsyncConnection, union_id: str, user_id: str, before: UserState, after: UserState
) -> bool:
    """Move a person on, if they stand where they are thought to; all their tokens end."""
    moved = await connection.execute(
        update(users)
        .where(_at(union_id, user_id) & (users.c.state == before))
        .values(state=after, token_version=users.c.token_version + 1)
    )
    return moved.rowcount == 1


async def set_credentials(
    connection: AsyncConnection, union_id: str, user_id: str, **columns: object
) -> None:
    """Write hashes of a password or PIN, a staff code, the time of activation."""
    await connection.execute(update(users).where(_at(union_id, user_id)).values(**columns))


async def end_tokens(connection: AsyncConnection, union_id: str, user_id: str) -> None:
    """Let no access token of a person count that was given out before."""
    version = users.c.token_version + 1
    await connection.execute(
        update(users).where(_at(union_id, user_id)).values(token_version=version)
    )


async def grant_role(
    connection: AsyncConnection, union_id: str, user_id: str, role: Role, place: str, now_ms: int
) -> None:
    """Give a person a role at a place; a role that they held elsewhere moves there."""
    row = insert(user_roles).values(
        union_id=union_id, user_id=user_id, role=role, place=place, granted_ms=now_ms
    )
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=["union_id", "user_id", "role"],
            set_={"place": place, "granted_ms": now_ms},
        )
    )


async def place_of_role(
    connection: AsyncConnection, union_id: str, user_id: str, roles: Sequence[Role]
) -> Sequence[str]:
    """Give where a person holds any of these roles."""
    c = user_roles.c
    held = (c.union_id == union_id) & (c.user_id == user_id) & c.role.in_(roles)
    return (await connection.execute(select(c.place).where(held))).scalars().all()


async def withdraw_role(
    connection: AsyncConnection, union_id: str, user_id: str, role: Role
) -> bool:
    """Take a role away; tell whether it was held."""
    c = user_roles.c
    held = (c.union_id == union_id) & (c.user_id == user_id) & (c.role == role)
    return (await connection.execute(delete(user_roles).where(held))).rowcount == 1


async def find_credentials(
    connection: AsyncConnection, union_id: str, column: str, value: object
) -> Credentials | None:
    """Read what a login is compared with, by `id`, `login_index` or `staff_code`."""
    c = users.c
    query = select(c.id, c.state, c.password_hash, c.pin_hash).where(
        (c.union_id == union_id) & (c[column] == value)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    return Credentials(
        union_id=union_id,
        user_id=row.id,
        state=UserState(row.state),
        password_hash=row.password_hash,
        pin_hash=row.pin_hash,
    )


async def free_staff_code(
    connection: AsyncConnection, union_id: str, candidates: Sequence[str]
) -> str | None:
    """Give the first of the candidates that nobody in the union has."""
    taken = select(users.c.staff_code).where(
        (users.c.union_id == union_id) & users.c.staff_code.in_(candidates)
    )
    used = {row.staff_code for row in await connection.execute(taken)}
    return next((code for code in candidates if code not in used), None)
