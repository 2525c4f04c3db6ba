"""Writes a development network's people down: those of `HOME/demo.json`, once."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.db.session import in_transaction
from api.people.demo_file import Demo, DemoPerson, DemoTill
from api.people.desks import Desks
from api.people.means import Actor
from api.people.model import Profile, UserState
from api.people.rules import AT_MERCHANT
from api.people.user_store import (
    find_credentials,
    grant_role,
    login_index,
    set_credentials,
    set_state,
)
from api.tenants.store import merchant_known_as, union_known_as
from api.terminals.model import TerminalRecord, TerminalState
from api.terminals.store import add_till, change_till, find_till
from ledger.primitives.keys import Seed, SigningKey

_LOCK: Final = 0x62696C6C05


async def admit_demo(engine: AsyncEngine, desks: Desks, demo: Demo) -> None:
    """Write down whoever is not there yet. Of several workers one does it."""
    await in_transaction(engine, lambda c: _admit(c, desks, demo))


async def _admit(connection: AsyncConnection, desks: Desks, demo: Demo) -> None:
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    union = await union_known_as(connection, demo.union)
    merchant_id = await merchant_known_as(connection, demo.merchant)
    assert union is not None, "the configuration has been published"
    assert merchant_id is not None, "the configuration has been published"
    for person in demo.people:
        index = login_index(desks.means.vault, union.id, person.login_name)
        if await find_credentials(connection, union.id, "login_index", index) is not None:
            continue
        await _admit_person(connection, desks, union.id, merchant_id, person)
    if await find_till(connection, merchant_id, demo.till.terminal_id) is None:
        await _admit_till(connection, union.id, merchant_id, demo.till, desks.means.now_ms)


async def _admit_person(
    connection: AsyncConnection, desks: Desks, union_id: str, merchant_id: str, person: DemoPerson
) -> None:
    means, user_id = desks.means, str(ULID())
    profile = Profile(person.login_name.capitalize(), login_name=person.login_name)
    await desks.office.invite(connection, Actor(union_id, user_id), user_id, profile)
    at, now_ms = (union_id, user_id), means.now_ms()
    await set_state(connection, *at, UserState.INVITED, UserState.ACTIVE)
    await set_credentials(
        connection,
        *at,
        activated_ms=now_ms,
        staff_code=person.staff_code or None,
        password_hash=await desks.logins.hashed("password", user_id, person.password),
        pin_hash=await desks.logins.hashed("pin", user_id, person.pin),
    )
    place = merchant_id if person.role in AT_MERCHANT else union_id
    await grant_role(connection, *at, person.role, place, now_ms)


async def _admit_till(
    connection: AsyncConnection,
    union_id: str,
    merchant_id: str,
    till: DemoTill,
    now_ms: Callable[[], int],
) -> None:
    record = TerminalRecord(
        union_id=union_id,
        merchant_id=merchant_id,
        id=till.terminal_id,
        label="Demonstration till",
        letter="D",
        state=TerminalState.ACTIVE,
        token_version=1,
        commitment=None,
        server_nonce=None,
        public_key=None,
        match="",
        pairing_expires_ms=0,
        created_ms=now_ms(),
        paired_ms=None,
    )
    await add_till(connection, record, b"")
    key = SigningKey(Seed(bytes.fromhex(till.seed)))
    paired = {"pairing_index": None, "public_key": key.public, "paired_ms": now_ms()}
    await change_till(connection, record, **paired)
