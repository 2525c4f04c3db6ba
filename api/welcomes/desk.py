"""The first fees of whoever links a wallet: asked for as they link it, settled with all else.

A person is known by their card's number: who is invited anew, or rebound to another wallet, is the
same person and gets nothing twice. The signer holds the same law by the same hash, on its own.
A float that nobody signs for is no hindrance to a link: the welcome waits, or fails and is asked
for anew with the next wallet.
"""

from base64 import b32encode
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.budgets.model import BudgetPurpose
from api.budgets.store import has_room
from api.cash_book.model import CashKind
from api.cash_book.store import CHAIN, add_cash_entries, drawn_entry
from api.events.outbox import NewEvent
from api.people.user_store import find_user
from api.signing.accounts import find_account
from api.signing.model import SigningEnd, SigningOutcome, SigningRequest
from api.signing.store import SigningBook
from api.signing.wire import SignGrant
from api.vault.blind import Purpose, fold
from api.vault.data_keys import Vault
from api.welcomes.model import WELCOME_UNITS, Welcome, WelcomeEvent, WelcomeState
from api.welcomes.rules import after
from api.welcomes.store import add_welcome, lock_welcome_of, lock_welcomes, store_welcome
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import Address, format_address, parse_address

SIGNED_WITHIN_MS: Final = 7 * 86_400_000
HASH_CHARS: Final = 24
BEGUN_ANEW: Final[dict[str, object]] = {"code": "", "tx_hash": None, "ended_ms": None}
"""Beside its time: whatever is asked for anew counts in the budget's days of now."""

_EVENTS: Final = {
    SigningOutcome.SUCCEEDED: WelcomeEvent.SUCCEEDED,
    SigningOutcome.FAILED: WelcomeEvent.FAILED,
    SigningOutcome.REFUSED: WelcomeEvent.FAILED,
    SigningOutcome.EXPIRED: WelcomeEvent.FAILED,
    SigningOutcome.LAPSED: WelcomeEvent.LAPSED,
}


class WelcomeDesk:
    """Gives welcomes; the welcomes' `SigningHandler`, and a `LinkWitness`."""

    def __init__(
        self, book: SigningBook, vault: Vault, prefix: str, poke: Callable[[], None]
    ) -> None:
        self._book, self._vault, self._prefix = book, vault, prefix
        self._poke = poke

    async def linked(
        self,
        connection: AsyncConnection,
        union_id: str,
        user_id: str,
        address: Address,
        now_ms: int,
    ) -> list[NewEvent]:
        """Welcome a person who has linked a wallet, unless they were welcomed before."""
        account = await find_account(connection, union_id)
        if account is None or account.account == address:
            return []
        purpose = BudgetPurpose.WELCOMES
        if not await has_room(connection, union_id, purpose, WELCOME_UNITS, now_ms):
            return []
        welcome = Welcome(
            union_id=union_id,
            student=await self._student(connection, union_id, user_id),
            id=str(ULID.from_timestamp(now_ms)),
            user_id=user_id,
            units=WELCOME_UNITS,
            state=WelcomeState.PENDING,
            created_ms=now_ms,
        )
        if not await add_welcome(connection, welcome):
            before = await lock_welcome_of(connection, union_id, welcome.student)
            assert before is not None, "it was in the way"
            state = after(before.state, WelcomeEvent.ASK)
            if state is None:
                return []
            welcome = before.changed(state=state, created_ms=now_ms, **BEGUN_ANEW)
            await store_welcome(connection, before, welcome)
        await self._ask(connection, welcome, account.account, address, now_ms)
        return []

    async def _student(self, connection: AsyncConnection, union_id: str, user_id: str) -> str:
        user = await find_user(connection, self._vault, union_id, user_id)
        assert user is not None, "they have linked a wallet"
        who = fold(user.profile.card_number) or user_id.encode()
        digest = self._vault.index(Purpose.WELCOME, union_id.encode() + who)
        return f"h1_{b32encode(digest).decode().lower()[:HASH_CHARS]}"

    async def _ask(
        self,
        connection: AsyncConnection,
        welcome: Welcome,
        account: Address,
        to: Address,
        now_ms: int,
    ) -> None:
        bill = format_bill(Units(welcome.units))
        what = SignGrant(welcome.student, format_address(to, self._prefix), bill)
        until_ms = now_ms + SIGNED_WITHIN_MS
        await self._book.open(
            connection, welcome.union_id, account, what, welcome.id, now_ms, until_ms
        )
        self._poke()

    async def orders_of(
        self, connection: AsyncConnection, requests: Sequence[SigningRequest]
    ) -> Sequence[str]:
        """Name none: welcomes are of no order."""
        return ()

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock welcomes."""
        await lock_welcomes(connection, [(one.owner_id, one.ref_id) for one in requests])

    async def signed(
        self, connection: AsyncConnection, request: SigningRequest, now_ms: int
    ) -> list[NewEvent]:
        """Take note that a welcome's bytes are there."""
        await self._move(connection, request, WelcomeEvent.SIGNED, tx_hash=request.tx_hash)
        return []

    async def ended(
        self, connection: AsyncConnection, request: SigningRequest, end: SigningEnd, now_ms: int
    ) -> list[NewEvent]:
        """Take note of what became of a welcome's signature."""
        event = _EVENTS[end.outcome]
        if event is WelcomeEvent.LAPSED:
            welcome = await self._move(connection, request, event, created_ms=now_ms, **BEGUN_ANEW)
            assert isinstance(request.what, SignGrant), "it is a welcome's request"
            to = parse_address(request.what.to, self._prefix)
            await self._ask(connection, welcome, request.account, to, now_ms)
            return []
        welcome = await self._move(connection, request, event, code=end.code, ended_ms=now_ms)
        if welcome.state is WelcomeState.SUCCEEDED:
            sent = drawn_entry(
                welcome.union_id, CashKind.WELCOME_SENT, welcome.id, welcome.union_id, CHAIN,
                now_ms, float_units=-welcome.units,
            )  # fmt: skip
            await add_cash_entries(connection, [sent])
        return []

    async def _move(
        self,
        connection: AsyncConnection,
        request: SigningRequest,
        event: WelcomeEvent,
        **changes: object,
    ) -> Welcome:
        key = (request.owner_id, request.ref_id)
        before = (await lock_welcomes(connection, [key]))[request.ref_id]
        state = after(before.state, event)
        assert state is not None, f"a welcome that is {before.state} is {event}"
        welcome = before.changed(state=state, **changes)
        await store_welcome(connection, before, welcome)
        return welcome
