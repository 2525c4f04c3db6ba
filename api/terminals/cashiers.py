"""Shifts at a till: a cashier signs in with a staff code and a PIN; a manager's PIN steps up.

A till reads no people: whoever works at it types a staff code. A wrong PIN counts against the code,
in the whole union, and against the till: a stolen till that guesses its way through the codes locks
itself. The count is committed before the PIN is judged.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.principals import Terminal
from api.access.roles import Role
from api.db.session import in_transaction
from api.errors import Forbidden, Locked, Unprocessable
from api.people.logins import locked, normal
from api.people.means import Means
from api.people.misses import PIN_RULE, TERMINAL_RULE
from api.people.model import Credentials, UserState
from api.people.session_store import count_try, forgive_try
from api.people.user_store import find_credentials, place_of_role
from api.terminals.desk import till_subject, write_standing
from api.terminals.model import CashierSession, TerminalState
from api.terminals.rules import step_up_fault
from api.terminals.store import (
    add_stepped_up,
    end_shifts,
    lock_shift,
    lock_till,
    open_shift,
)

WRONG_PIN: Final = "this staff code is not known here, or the PIN is another"
AT_TILL: Final = (Role.CASHIER, Role.MANAGER)
MAY_STEP_UP: Final = (Role.MANAGER,)


def pin_subject(staff_code: str) -> str:
    """Name what wrong PINs of a staff code are counted under."""
    return f"pin:{staff_code}"


@dataclass(frozen=True, slots=True)
class ShiftToken:
    """A shift, and the till's token with it."""

    shift: CashierSession
    access_token: str


class CashierDesk:
    """Signs cashiers in and out, and lets managers step up."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def sign_in(self, till: Terminal, staff_code: str, pin: str) -> ShiftToken:
        """Begin a shift at a till; raise `Forbidden` or `Locked`."""
        user_id = await self._who(till, staff_code, pin, AT_TILL)
        shift = CashierSession(
            merchant_id=till.merchant_id,
            id=str(ULID()),
            terminal_id=till.terminal_id,
            union_id=till.union_id,
            user_id=user_id,
            opened_ms=self._means.now_ms(),
            ended_ms=None,
            stepped_up_sen=0,
        )

        async def begin(connection: AsyncConnection) -> int:
            found = await lock_till(connection, till.merchant_id, till.terminal_id)
            assert found is not None, "the till's token was good"
            await open_shift(connection, shift)
            return found.token_version

        version = await in_transaction(self._means.engine, begin)
        return ShiftToken(shift, self._token(till, version, shift.id))

    async def sign_out(self, till: Terminal) -> None:
        """End the shift at a till, if there is one."""
        now_ms = self._means.now_ms()
        await in_transaction(
            self._means.engine,
            lambda c: end_shifts(c, till.merchant_id, till.terminal_id, now_ms),
        )

    async def step_up(self, till: Terminal, staff_code: str, pin: str) -> str:
        """Give the till a token of five minutes with which its cashier may refund."""
        user_id = await self._who(till, staff_code, pin, MAY_STEP_UP)
        version = till.token_version
        return self._token(till, version, till.cashier_session_id, stepped_up_by=user_id)

    def _token(self, till: Terminal, version: int, shift_id: str, stepped_up_by: str = "") -> str:
        return self._means.tokens.for_terminal(
            till.union_id,
            till.merchant_id,
            till.terminal_id,
            version,
            shift_id,
            stepped_up_by,
        )

    async def _who(self, till: Terminal, staff_code: str, pin: str, roles: tuple[Role, ...]) -> str:
        """Give whose staff code and PIN these are, if they hold one of the roles here."""
        means = self._means
        await self._take_try(till, staff_code)

        async def find(connection: AsyncConnection) -> tuple[Credentials | None, bool]:
            found = await find_credentials(connection, till.union_id, "staff_code", staff_code)
            if found is None:
                return None, False
            at = (till.union_id, found.user_id, roles)
            return found, till.merchant_id in await place_of_role(connection, *at)

        found, here = await in_transaction(means.engine, find)
        stored, user_id = (found.pin_hash, found.user_id) if found else (None, "")
        right = await means.hasher.matches(stored, "pin", user_id, normal(pin))
        if not right or found is None or not here or found.state is not UserState.ACTIVE:
            raise Forbidden(WRONG_PIN, code="PIN_WRONG")

        async def forgive(connection: AsyncConnection) -> None:
            for subject in (pin_subject(staff_code), till_subject(till.terminal_id)):
                await forgive_try(connection, till.union_id, subject)

        await in_transaction(means.engine, forgive)
        return found.user_id

    async def _take_try(self, till: Terminal, staff_code: str) -> None:
        """Count a try against the code and the till; raise `Locked`."""
        told = await in_transaction(
            self._means.engine, lambda c: self._counted(c, till, staff_code)
        )
        if told is not None:
            raise told

    async def _counted(
        self, connection: AsyncConnection, till: Terminal, staff_code: str
    ) -> Locked | None:
        now_ms, union_id = self._means.now_ms(), till.union_id
        subject = till_subject(till.terminal_id)
        if await count_try(connection, union_id, subject, TERMINAL_RULE, now_ms) is None:
            found = await lock_till(connection, till.merchant_id, till.terminal_id)
            if found is not None and found.state is TerminalState.ACTIVE:
                await write_standing(connection, found, TerminalState.LOCKED, now_ms)
            return Locked(
                "too many wrong PINs: the manager unlocks this till", code="TERMINAL_LOCKED"
            )
        waits = await count_try(connection, union_id, pin_subject(staff_code), PIN_RULE, now_ms)
        return None if waits == 0 else locked(waits, "staff code")


async def spend_step_up(connection: AsyncConnection, till: Terminal, refund_sen: int) -> None:
    """Count a refund that a manager's PIN covers, in the refund's own transaction.

    Raise `Unprocessable` for one beyond what a PIN covers: RM 50 each, RM 200 a shift.
    """
    shift = await lock_shift(connection, till.merchant_id, till.cashier_session_id)
    assert shift is not None, "a till that has stepped up has a shift"
    if why := step_up_fault(refund_sen, shift.stepped_up_sen):
        raise Unprocessable(why, code="STEP_UP_EXCEEDED")
    await add_stepped_up(connection, shift, refund_sen)
