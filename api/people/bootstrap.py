"""What begins without anyone who could agree: the first people of a union, and a new master key."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.access.roles import Role
from api.chain.node_watch import wall_ms
from api.config import ApiConfig
from api.db.session import in_transaction, open_engine
from api.errors import ConfigFault
from api.people.codes import activation_url
from api.people.desks import Desks
from api.people.means import Actor
from api.people.model import Profile
from api.people.rules import place_fault
from api.tenants.store import list_merchants, union_named
from api.vault.data_keys import rewrap
from api.vault.files import turn_ring

MASTERS_KEPT = 1_000
"""Old master keys are never deleted here: backups are wrapped under them."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Somebody who comes by the command line. Names are those of unions and merchants."""

    name: str
    role: str
    union: str = ""
    merchant: str = ""
    login: str = ""


async def invite_first(config: ApiConfig, asked: Bootstrap) -> dict[str, str]:
    """Invite a person with a role; give their ids, code and address. Raise `ConfigFault`."""
    try:
        role = Role(asked.role)
    except ValueError:
        raise ConfigFault(f"--role: one of {', '.join(Role)}") from None
    engine = open_engine(config.database_url, 2)
    try:
        desks = offline_desks(engine, config)
        return await in_transaction(engine, lambda c: _invite(c, desks, config, asked, role))
    finally:
        await engine.dispose()


def offline_desks(engine: AsyncEngine, config: ApiConfig) -> Desks:
    """Give desks that know no chain: for what needs none."""
    return Desks(engine, config, wall_ms, lambda: 0.0, lambda: b"")


async def _invite(
    connection: AsyncConnection, desks: Desks, config: ApiConfig, asked: Bootstrap, role: Role
) -> dict[str, str]:
    name = asked.union or config.unions[0].name
    union = await union_named(connection, name)
    if union is None:
        raise ConfigFault(
            f"there is no union {name!r}: unions stand in config.toml and are known once the "
            f"service has run"
        )
    place = await _place(connection, union.id, asked.merchant)
    if fault := place_fault(role, place, union.id):
        raise ConfigFault(fault)
    user_id = str(ULID())
    profile = Profile(asked.name, login_name=asked.login)
    actor = Actor(union.id, user_id)
    invited = await desks.office.invite(connection, actor, user_id, profile)
    if role is not Role.STUDENT:
        await desks.office.give_role(connection, union.id, user_id, role, place)
    return {
        "unionId": union.id,
        "userId": user_id,
        "activationCode": invited.code,
        "activationUrl": activation_url(config.public_url, union.id, invited.code),
    }


async def _place(connection: AsyncConnection, union_id: str, merchant: str) -> str:
    """Find the merchant of a name, or take the union."""
    if not merchant:
        return union_id
    for found in await list_merchants(connection, union_id, "", 1_000):
        if found.name == merchant:
            return found.id
    raise ConfigFault(f"there is no merchant {merchant!r} of this union")


async def turn_master_key(home: Path, load: Callable[[Path], ApiConfig]) -> int:
    """Draw a master key and wrap every data key under it; give how many were not."""
    turn_ring(home, "master", keep=MASTERS_KEPT)
    config = load(home)
    engine = open_engine(config.database_url, 2)
    try:
        return await rewrap(config.secrets, engine)
    finally:
        await engine.dispose()
