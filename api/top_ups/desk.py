"""A top-up begins, and is reversed: each in one transaction with the signer's request and its book.

Locks: the float (by name), the top-up, the signing requests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.amounts import format_sen, units_bought
from api.cash_book.model import CashEntry, CashKind
from api.cash_book.store import add_cash_entries, drawn_entry
from api.errors import Conflict, Forbidden, NotFound, Unprocessable
from api.events.outbox import NewEvent
from api.people.model import LinkState, UserState
from api.people.user_store import find_user
from api.people.wallet_store import links_of, user_of_address
from api.signing.accounts import paying_account
from api.signing.model import SigningEvent
from api.signing.rules import after as next_state
from api.signing.store import SigningBook
from api.signing.wire import SignTopUp
from api.top_ups.model import TopUp, TopUpEvent, TopUpState
from api.top_ups.purse import FloatDesk
from api.top_ups.rules import ALONE_SEN_MAX, DAY_MS, after, limit_of
from api.top_ups.schemas import told_of_top_up
from api.top_ups.store import add_top_up, given_in_a_day, read_top_ups, store_top_up
from api.vault.blind import Purpose
from api.vault.data_keys import Vault
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import Address, format_address

SIGNED_WITHIN_MS: Final = 15 * 60_000
"""How long whoever paid cash waits for a signer before the cash goes back."""
GIVEN_UP: Final = "REVERSED"
"""What a signing request says of itself that nobody wants any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpWish:
    """Who takes how much cash where, and for whom. `approved_by` is the second officer."""

    union_id: str
    place_id: str
    terminal_id: str
    taken_by: str
    amount_sen: int
    receipt: str
    user_id: str | None = None
    address: Address | None = None
    index: bytes | None = None
    """Which of a person's wallets, by its blind index; the one that there is, if it is None."""
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Payee:
    """Whose wallet it is, if it is known, and all wallets of theirs."""

    address: Address
    index: bytes
    user_id: str | None
    indexes: tuple[bytes, ...]


class TopUpDesk:
    """Asks the signer of a union's float for top-ups, and gives cash back."""

    def __init__(
        self,
        book: SigningBook,
        floats: FloatDesk,
        vault: Vault,
        prefix: str,
        price: tuple[str, int],
        poke: Callable[[], None],
    ) -> None:
        self.floats = floats
        self._book, self._vault, self._prefix = book, vault, prefix
        self._price_id, self._litre_sen = price
        self._poke = poke

    async def begin(
        self, connection: AsyncConnection, wish: TopUpWish, now_ms: int
    ) -> tuple[TopUp, NewEvent]:
        """Write a top-up and ask for it.

        Raise `NotFound`, `Conflict`, `Forbidden`, `Unprocessable` or `Unavailable`: then no cash is
        to be taken.
        """
        purse = await paying_account(connection, wish.union_id, now_ms)
        units = units_bought(wish.amount_sen, self._litre_sen)
        if not units:
            raise Unprocessable("so little buys no BILL", code="TOO_LITTLE")
        payee = await self.payee(connection, wish)
        if payee.address == purse.account:
            raise Unprocessable("the float would pay itself", code="BAD_ADDRESS")
        await self.floats.promise(connection, purse, units)
        await self._check_day(connection, wish, payee, now_ms)
        top_up = self._drawn(wish, payee, units, now_ms)
        if not await add_top_up(connection, top_up):
            raise Conflict("this receipt's number was used here before", code="RECEIPT_USED")
        await self.ask(connection, top_up, purse.account, payee.address, now_ms)
        taken = _entry(
            top_up, CashKind.TOP_UP_TAKEN, now_ms, cash_sen=wish.amount_sen, owed_units=units
        )
        await add_cash_entries(connection, [taken])
        return top_up, told_of_top_up("created", top_up, now_ms)

    def _drawn(self, wish: TopUpWish, payee: Payee, units: int, now_ms: int) -> TopUp:
        return TopUp(
            union_id=wish.union_id,
            id=str(ULID.from_timestamp(now_ms)),
            place_id=wish.place_id,
            terminal_id=wish.terminal_id,
            taken_by=wish.taken_by,
            approved_by=wish.approved_by,
            user_id=payee.user_id,
            address_index=payee.index,
            amount_sen=wish.amount_sen,
            units=units,
            price_id=self._price_id,
            litre_sen=self._litre_sen,
            receipt=wish.receipt,
            state=TopUpState.PENDING,
            created_ms=now_ms,
        )

    async def payee(self, connection: AsyncConnection, wish: TopUpWish) -> Payee:
        """Find whose wallet it is; raise `NotFound`, `Conflict` or `Unprocessable`."""
        user_id, index = wish.user_id, wish.index
        if wish.address is not None:
            index = self._vault.index(Purpose.ADDRESS, wish.address)
            user_id = user_id or await user_of_address(connection, wish.union_id, index)
            if user_id is None:
                return Payee(wish.address, index, None, (index,))
        assert user_id is not None, "one of the two was sent"
        if user_id == wish.taken_by:
            raise Conflict("somebody else takes your own cash", code="ONES_OWN")
        user = await find_user(connection, self._vault, wish.union_id, user_id)
        if user is None or user.state is not UserState.ACTIVE:
            raise NotFound("there is no such person, or they are not active")
        links = await links_of(connection, self._vault, wish.union_id, user_id)
        wallets = {
            link.address_index: Address(link.address)
            for link in links
            if link.state is LinkState.ACTIVE and link.address_index and link.address
        }
        if index is None and len(wallets) > 1:
            raise Unprocessable("this person has several wallets", code="NAME_THE_WALLET")
        index = index or next(iter(wallets), None)
        if index is None or index not in wallets:
            raise Unprocessable("this person has linked no such wallet", code="NO_WALLET")
        return Payee(wallets[index], index, user_id, tuple(wallets))

    async def _check_day(
        self, connection: AsyncConnection, wish: TopUpWish, payee: Payee, now_ms: int
    ) -> None:
        """Raise `Forbidden` for more than a person may get in a day.

        The float is locked: of a union's top-ups one is looked at a time.
        """
        given = await given_in_a_day(
            connection, wish.union_id, payee.user_id, payee.indexes, now_ms - DAY_MS
        )
        left_sen = limit_of(wish.approved_by) - given
        if wish.amount_sen <= left_sen:
            return
        if wish.approved_by:
            raise Forbidden("two officers give no more than that in a day", code="DAY_USED_UP")
        raise Forbidden(
            f"one person tops somebody up by RM {format_sen(ALONE_SEN_MAX)} in 24 hours, and "
            f"RM {format_sen(max(0, left_sen))} are left: two officers give more, at "
            f"/top-ups/approvals",
            code="SECOND_PERSON_NEEDED",
        )

    async def ask(
        self, connection: AsyncConnection, top_up: TopUp, account: Address, to: Address, now_ms: int
    ) -> None:
        """Ask the signer for a top-up that is written."""
        what = SignTopUp(
            top_up.id, format_address(to, self._prefix), format_bill(Units(top_up.units))
        )
        await self._book.open(
            connection, top_up.union_id, account, what, top_up.id, now_ms, now_ms + SIGNED_WITHIN_MS
        )
        self._poke()

    async def reverse(
        self,
        connection: AsyncConnection,
        union_id: str,
        place_id: str,
        top_up_id: str,
        by: str,
        now_ms: int,
    ) -> tuple[TopUp, list[NewEvent]]:
        """Give the cash of a top-up back that sent nothing; twice is once.

        Raise `NotFound`, or `Conflict` while a signer has it in hand, and once it is sent.
        """
        found = await read_top_ups(connection, [(union_id, top_up_id)], lock=True)
        top_up = found.get(top_up_id)
        if top_up is None or (place_id and top_up.place_id != place_id):
            raise NotFound("there is no such top-up")
        if top_up.state is TopUpState.REVERSED:
            return top_up, []
        requests = await self._book.read_for(connection, union_id, top_up_id)
        state = after(top_up.state, TopUpEvent.REVERSE)
        in_hand = any(one.leased_until_ms > now_ms for one in requests)
        if state is None or (in_hand and top_up.state is TopUpState.PENDING):
            raise Conflict(f"the top-up is {top_up.state}", code="TOP_UP_IN_FLIGHT")
        given_up = [
            one.changed(state=over, code=GIVEN_UP, ended_ms=now_ms)
            for one in requests
            if (over := next_state(one.state, SigningEvent.GIVE_UP)) is not None
        ]
        await self._book.store(connection, given_up)
        reversed_ = top_up.changed(state=state, ended_ms=now_ms)
        await store_top_up(connection, top_up, reversed_)
        back = drawn_entry(
            union_id, CashKind.TOP_UP_RETURNED, top_up.id, top_up.place_id, by, now_ms,
            top_up.receipt, cash_sen=-top_up.amount_sen, owed_units=-top_up.units,
        )  # fmt: skip
        await add_cash_entries(connection, [back])
        return reversed_, [told_of_top_up("reversed", reversed_, now_ms)]


def _entry(top_up: TopUp, kind: CashKind, now_ms: int, **changes: int) -> CashEntry:
    return drawn_entry(
        top_up.union_id,
        kind,
        top_up.id,
        top_up.place_id,
        top_up.taken_by,
        now_ms,
        top_up.receipt,
        **changes,
    )
