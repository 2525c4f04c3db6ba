"""What people do about themselves: read what is known, set a password or a PIN."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.model import Approval, ApprovalKind
from api.approvals.store import open_about
from api.db.session import in_transaction
from api.errors import Forbidden, NotFound, Unprocessable
from api.people.logins import LoginDesk, locked, normal
from api.people.means import Actor, Means
from api.people.misses import PASSWORD_RULE
from api.people.model import Credentials, User
from api.people.notice_store import Notice, newest_notices
from api.people.rules import password_fault, pin_fault
from api.people.session_store import count_try, end_sessions_of, forgive_try
from api.people.user_store import end_tokens, find_credentials, find_user, set_credentials


@dataclass(frozen=True, slots=True)
class Oneself:
    """A person, their credentials, what they were told, and a rebind that is under way."""

    user: User
    credentials: Credentials
    notices: Sequence[Notice]
    rebind: Approval | None


class OwnDesk:
    """Serves each person alone."""

    def __init__(self, means: Means, logins: LoginDesk) -> None:
        self._means = means
        self._logins = logins

    async def read(self, actor: Actor) -> Oneself:
        """Read oneself."""
        return await in_transaction(self._means.engine, lambda c: self._read(c, actor))

    async def _read(self, connection: AsyncConnection, actor: Actor) -> Oneself:
        at = (actor.union_id, actor.user_id)
        user = await find_user(connection, self._means.vault, *at)
        credentials = await find_credentials(connection, actor.union_id, "id", actor.user_id)
        if user is None or credentials is None:
            raise NotFound("there is no such person")
        rebind = await open_about(
            connection, actor.union_id, ApprovalKind.WALLET_REBIND, user.id, self._means.now_ms()
        )
        return Oneself(user, credentials, await newest_notices(connection, *at), rebind)

    async def set_password(self, actor: Actor, password: str, current: str) -> None:
        """Set a password; other devices are out. Raise `Forbidden` for a wrong current one."""
        me = await self.read(actor)
        await self._check_current(actor, me.credentials, current)
        profile = me.user.profile
        about = (profile.name, profile.login_name, *profile.name.split())
        if fault := password_fault(password, about):
            raise Unprocessable(f"password: {fault}", code="PASSWORD_REFUSED")
        hashed = await self._logins.hashed("password", actor.user_id, password)

        async def write(connection: AsyncConnection) -> None:
            at = (actor.union_id, actor.user_id)
            await set_credentials(connection, *at, password_hash=hashed)
            now_ms = self._means.now_ms()
            await end_sessions_of(connection, *at, "password", now_ms, but=actor.session_id)
            await end_tokens(connection, *at)

        await in_transaction(self._means.engine, write)

    async def set_pin(self, actor: Actor, pin: str, current: str) -> None:
        """Set a PIN for tills; raise `Forbidden` for a wrong password."""
        me = await self.read(actor)
        await self._check_current(actor, me.credentials, current)
        if fault := pin_fault(pin):
            raise Unprocessable(f"pin: {fault}", code="PIN_REFUSED")
        hashed = await self._logins.hashed("pin", actor.user_id, pin)
        await in_transaction(
            self._means.engine,
            lambda c: set_credentials(c, actor.union_id, actor.user_id, pin_hash=hashed),
        )

    async def _check_current(self, actor: Actor, held: Credentials, current: str) -> None:
        """Let an open browser that somebody else sits at change nothing: tries are counted."""
        if held.password_hash is None:
            return
        means, subject = self._means, f"current:{actor.user_id}"
        waits = await in_transaction(
            means.engine,
            lambda c: count_try(c, actor.union_id, subject, PASSWORD_RULE, means.now_ms()),
        )
        if waits != 0:
            raise locked(waits, "account")
        text = normal(current)
        if not await means.hasher.matches(held.password_hash, "password", actor.user_id, text):
            raise Forbidden("the password is another", code="PASSWORD_WRONG")
        await in_transaction(means.engine, lambda c: forgive_try(c, actor.union_id, subject))
