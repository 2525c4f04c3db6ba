"""Activation: who holds the office's code comes in, and sets what they will log in with.

Staff set a password, and a PIN if they work at a till; a student links a wallet in the session that
begins here, and logs in with it from then on. What was set before is void.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.session import in_transaction
from api.errors import Unauthorized, Unprocessable
from api.people.codes import code_index
from api.people.logins import LoggedIn, LoginDesk
from api.people.means import Means
from api.people.model import LoginMethod, User, UserEvent, UserState
from api.people.rules import next_state, password_fault, pin_fault
from api.people.session_store import end_sessions_of, invited_by_code, use_invitation
from api.people.user_store import find_user, set_credentials, set_state

CODE_REFUSED: Final = "this code is not known, was used, or is over: ask who gave it to you"


@dataclass(frozen=True, slots=True, repr=False)
class Activation:
    """What a person brings to the office's invitation."""

    union_id: str
    code: str
    password: str = ""
    pin: str = ""


class ActivationDesk:
    """Lets people in for the first time, and again after the office has invited them anew."""

    def __init__(self, means: Means, logins: LoginDesk) -> None:
        self._means = means
        self._logins = logins

    async def activate(self, asked: Activation) -> LoggedIn:
        """Let in whoever holds an invitation; what they had set before is void from now on."""
        means = self._means
        index = code_index(means.vault, asked.union_id, asked.code)
        user = await in_transaction(means.engine, lambda c: self._invited(c, asked.union_id, index))
        about = (user.profile.name, user.profile.login_name, *user.profile.name.split())
        _check(password_fault(asked.password, about) if asked.password else "", "password")
        _check(pin_fault(asked.pin) if asked.pin else "", "pin")
        hashes = {
            "password_hash": await self._logins.hashed("password", user.id, asked.password),
            "pin_hash": await self._logins.hashed("pin", user.id, asked.pin),
        }
        return await in_transaction(means.engine, lambda c: self._activated(c, user, index, hashes))

    async def _invited(self, connection: AsyncConnection, union_id: str, index: bytes) -> User:
        user_id = await invited_by_code(connection, union_id, index, self._means.now_ms())
        user = user_id and await find_user(connection, self._means.vault, union_id, user_id)
        if not user or next_state(user.state, UserEvent.ACTIVATE) is None:
            raise Unauthorized(CODE_REFUSED, code="CODE_REFUSED")
        return user

    async def _activated(
        self, connection: AsyncConnection, user: User, index: bytes, hashes: dict[str, str | None]
    ) -> LoggedIn:
        now_ms = self._means.now_ms()
        used = await use_invitation(connection, user.union_id, index, now_ms)
        if used is None or not await set_state(
            connection, user.union_id, user.id, user.state, UserState.ACTIVE
        ):
            raise Unauthorized(CODE_REFUSED, code="CODE_REFUSED")
        await set_credentials(connection, user.union_id, user.id, activated_ms=now_ms, **hashes)
        await end_sessions_of(connection, user.union_id, user.id, "activated", now_ms)
        return await self._logins.let_in(connection, user.union_id, user.id, LoginMethod.INVITATION)


def _check(fault: str, member: str) -> None:
    if fault:
        code = "PASSWORD_REFUSED" if member == "password" else "PIN_REFUSED"
        raise Unprocessable(f"{member}: {fault}", code=code)
