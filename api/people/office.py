"""What a union's office does for people: invite, invite anew, suspend, let in again, correct.

Each act runs in the caller's transaction. Whoever asks is known to be an officer of that union;
a person of another union is told as nobody.
"""

import secrets
from dataclasses import dataclass

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.roles import Role
from api.db.faults import sqlstate_of
from api.errors import Conflict, NotFound
from api.people.codes import INVITATION_LETTERS, code_index, draw_code
from api.people.means import Actor, Means
from api.people.model import NoticeKind, Profile, User, UserEvent, UserState
from api.people.notice_store import add_notice
from api.people.rules import AT_MERCHANT, next_state
from api.people.session_store import add_invitation, end_sessions_of
from api.people.user_store import (
    add_user,
    change_profile,
    end_tokens,
    find_user,
    free_staff_code,
    grant_role,
    lock_user,
    set_credentials,
    set_state,
    withdraw_role,
)

UNIQUE_VIOLATED = "23505"
STAFF_CODE_TRIES = 20


@dataclass(frozen=True, slots=True)
class Invited:
    """A person, and the code that the office hands to them; it is shown once."""

    user: User
    code: str


class OfficeDesk:
    """The acts of officers on people of their union."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def invite(
        self, connection: AsyncConnection, actor: Actor, user_id: str, profile: Profile
    ) -> Invited:
        """Write a person down as a student, and give them an invitation.

        Raise `Conflict` if their card or login is somebody's.
        """
        vault, now_ms = self._means.vault, self._means.now_ms()
        await vault.make_key(connection, actor.union_id, user_id)
        try:
            async with connection.begin_nested():
                await add_user(connection, vault, actor.union_id, user_id, profile, now_ms)
        except IntegrityError as fault:
            raise _told(fault) from None
        await grant_role(connection, actor.union_id, user_id, Role.STUDENT, actor.union_id, now_ms)
        code = await self._new_code(connection, actor, user_id)
        return Invited(await self.user(connection, actor.union_id, user_id), code)

    async def reinvite(self, connection: AsyncConnection, actor: Actor, user_id: str) -> Invited:
        """Give a person a new code, and void the old one; their devices are told.

        Nothing ends until the code is used: an officer who errs locks nobody out.
        """
        user = await self._locked(connection, actor.union_id, user_id)
        if user.state is UserState.SUSPENDED:
            raise Conflict("this person is suspended: reactivate them first", code="USER_SUSPENDED")
        code = await self._new_code(connection, actor, user_id)
        if user.state is UserState.ACTIVE:
            await self._notice(connection, user, NoticeKind.REINVITED, actor.user_id)
        return Invited(user, code)

    async def _new_code(self, connection: AsyncConnection, actor: Actor, user_id: str) -> str:
        code = draw_code(INVITATION_LETTERS)
        index = code_index(self._means.vault, actor.union_id, code)
        now_ms = self._means.now_ms()
        await add_invitation(connection, actor.union_id, user_id, index, actor.user_id, now_ms)
        return code

    async def move(
        self, connection: AsyncConnection, actor: Actor, user_id: str, event: UserEvent
    ) -> User:
        """Suspend or reactivate; raise `Conflict` where the table knows no way."""
        user = await self._locked(connection, actor.union_id, user_id)
        after = next_state(user.state, event)
        if event is UserEvent.SUSPEND and user_id == actor.user_id:
            raise Conflict("nobody suspends themselves", code="ONES_OWN")
        if after is None:
            raise Conflict(f"a person who is {user.state} can't be told to {event}")
        if not await set_state(connection, user.union_id, user_id, user.state, after):
            raise Conflict("somebody else changed this person just now")
        if event is UserEvent.SUSPEND:
            now_ms = self._means.now_ms()
            await end_sessions_of(connection, user.union_id, user_id, "suspended", now_ms)
        return await self.user(connection, user.union_id, user_id)

    async def correct(
        self, connection: AsyncConnection, actor: Actor, user_id: str, changes: dict[str, str]
    ) -> User:
        """Write members of a profile anew; raise `Conflict` if a card or login is somebody's."""
        user = await self._locked(connection, actor.union_id, user_id)
        profile = msgspec.structs.replace(user.profile, **changes)
        try:
            async with connection.begin_nested():
                await change_profile(connection, self._means.vault, user.union_id, user_id, profile)
        except IntegrityError as fault:
            raise _told(fault) from None
        return await self.user(connection, user.union_id, user_id)

    async def give_role(
        self, connection: AsyncConnection, union_id: str, user_id: str, role: Role, place: str
    ) -> User:
        """Give a role that four eyes have agreed to; who stands at a till gets a staff code."""
        user = await self._locked(connection, union_id, user_id)
        await grant_role(connection, union_id, user_id, role, place, self._means.now_ms())
        if role in AT_MERCHANT and not user.staff_code:
            candidates = [f"{secrets.randbelow(100_000):05d}" for _ in range(STAFF_CODE_TRIES)]
            code = await free_staff_code(connection, union_id, candidates)
            await set_credentials(connection, union_id, user_id, staff_code=code)
        return await self.user(connection, union_id, user_id)

    async def take_role(
        self, connection: AsyncConnection, actor: Actor, user_id: str, role: Role
    ) -> User:
        """Take a role away: one officer does it alone, and it works at once."""
        await self._locked(connection, actor.union_id, user_id)
        if not await withdraw_role(connection, actor.union_id, user_id, role):
            raise Conflict(f"this person is no {role}")
        await end_tokens(connection, actor.union_id, user_id)
        return await self.user(connection, actor.union_id, user_id)

    async def user(self, connection: AsyncConnection, union_id: str, user_id: str) -> User:
        """Read a person of a union; raise `NotFound`."""
        user = await find_user(connection, self._means.vault, union_id, user_id)
        if user is None:
            raise NotFound("there is no such person")
        return user

    async def _locked(self, connection: AsyncConnection, union_id: str, user_id: str) -> User:
        user = await lock_user(connection, self._means.vault, union_id, user_id)
        if user is None:
            raise NotFound("there is no such person")
        return user

    async def _notice(
        self, connection: AsyncConnection, user: User, kind: NoticeKind, ref_id: str
    ) -> None:
        now_ms = self._means.now_ms()
        await add_notice(connection, user.union_id, user.id, kind, ref_id, now_ms)


def _told(fault: IntegrityError) -> Exception:
    """Say which of a profile's members is somebody's already."""
    if sqlstate_of(fault) != UNIQUE_VIOLATED:
        return fault
    what = "card" if "users_by_card" in str(fault.orig) else "login name"
    return Conflict(f"somebody of this union has this {what}", code="ALREADY_KNOWN")
