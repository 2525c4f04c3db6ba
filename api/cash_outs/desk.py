"""Cash-outs: agreed, taken note of as their BILL comes to the float, paid, and ended in time.

`CashOutDesk.collect` is a `TransferCollector` of the settlement: it looks at final transfers that
are no merchant's. Each is claimed by its hash, so that settling a block twice takes nothing twice.
"""

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.cash_book.model import CashEntry, CashKind
from api.cash_book.store import CHAIN, add_cash_entries, drawn_entry
from api.cash_outs.model import CashOut, CashOutEvent, CashOutState
from api.cash_outs.rules import ALONE_SEN_MAX, HOLDS_MS, after, received
from api.cash_outs.schemas import told_of_cash_out
from api.cash_outs.store import (
    add_cash_out,
    claim_transfer,
    find_cash_out,
    floats_of,
    lock_by_references,
    overdue_cash_outs,
    store_cash_out,
)
from api.errors import Conflict, Forbidden, NotFound
from api.events.outbox import NewEvent
from api.payments.observation import FinalTransaction
from api.payments.settlement import ClaimedFinal
from ledger.types.transfer import REFERENCE_BYTES

GRACE_MS: Final = 60_000
"""How long after its time a cash-out that nobody sent anything for is ended."""
EXPIRY_BATCH: Final = 500


class CashOutDesk:
    """Everything that happens to cash-outs."""

    def __init__(self, price_id: str, litre_sen: int) -> None:
        self._price_id, self._litre_sen = price_id, litre_sen

    async def begin(
        self, connection: AsyncConnection, union_id: str, user_id: str, units: int, now_ms: int
    ) -> CashOut:
        """Agree on a price for a while."""
        cash_out = CashOut(
            union_id=union_id,
            id=str(ULID.from_timestamp(now_ms)),
            user_id=user_id,
            asked_units=units,
            reference=secrets.token_bytes(REFERENCE_BYTES),
            price_id=self._price_id,
            litre_sen=self._litre_sen,
            state=CashOutState.AWAITING,
            created_ms=now_ms,
            expires_ms=now_ms + HOLDS_MS,
        )
        await add_cash_out(connection, cash_out)
        return cash_out

    async def collect(
        self, connection: AsyncConnection, finals: Sequence[FinalTransaction], now_ms: int
    ) -> list[NewEvent]:
        """Take note of what came to floats."""
        transfers = [(final, final.transfer) for final in finals if final.transfer is not None]
        floats = await floats_of(connection, sorted({body.to for _, body in transfers}))
        mine = [(final, body) for final, body in transfers if body.to in floats]
        if not mine:
            return []
        before = await lock_by_references(connection, sorted({body.reference for _, body in mine}))
        after_all, entries = dict(before), list[CashEntry]()
        for final, body in mine:
            unions, found = floats[body.to], after_all.get(body.reference)
            if found is None or found.union_id not in unions:
                if await claim_transfer(connection, final.tx_hash, unions[0], ""):
                    entries.append(_came(final, body.units, unions[0], now_ms))
            elif await claim_transfer(connection, final.tx_hash, found.union_id, found.id):
                one = received(found, body.units, final.time_ms, self._litre_sen)
                after_all[body.reference] = one
                owed_sen = one.received_sen - found.received_sen
                entries.append(_came(final, body.units, found.union_id, now_ms, owed_sen))
        changed = [(before[name], one) for name, one in after_all.items() if one != before[name]]
        for was, one in changed:
            await store_cash_out(connection, was, one)
        await add_cash_entries(connection, entries)
        return [told_of_cash_out("received", one, now_ms) for _, one in changed]

    async def collected(
        self, connection: AsyncConnection, finals: Sequence[ClaimedFinal], now_ms: int
    ) -> list[NewEvent]:
        """Settle what was taken note of before: nothing is left to do."""
        return []

    async def pay(
        self,
        connection: AsyncConnection,
        union_id: str,
        cash_out_id: str,
        by: str,
        approved_by: str,
        receipt: str,
        now_ms: int,
    ) -> tuple[CashOut, NewEvent]:
        """Take note that all that is owed was paid out.

        Raise `NotFound`, `Conflict` if nothing is owed, or `Forbidden` for one person alone.
        """
        cash_out = await self.owed(connection, union_id, cash_out_id, by)
        state = after(cash_out.state, CashOutEvent.PAY)
        assert state is not None, "something is owed"
        if cash_out.owed_sen > ALONE_SEN_MAX and not approved_by:
            raise Forbidden(
                "one person pays out up to RM 50; a second one lets more happen: ask at approvals",
                code="SECOND_PERSON_NEEDED",
            )
        paid = cash_out.changed(
            state=state,
            paid_sen=cash_out.received_sen,
            payments=cash_out.payments + 1,
            ended_ms=now_ms,
        )
        await store_cash_out(connection, cash_out, paid)
        entry = drawn_entry(
            union_id, CashKind.CASH_OUT_PAID, f"{paid.id}/{paid.payments}", union_id, by, now_ms,
            receipt, cash_sen=-cash_out.owed_sen, owed_sen=-cash_out.owed_sen,
        )  # fmt: skip
        await add_cash_entries(connection, [entry])
        return paid, told_of_cash_out("paid", paid, now_ms)

    async def owed(
        self, connection: AsyncConnection, union_id: str, cash_out_id: str, by: str
    ) -> CashOut:
        """Lock a cash-out for which something is owed; raise `NotFound` or `Conflict`."""
        cash_out = await find_cash_out(connection, union_id, cash_out_id, lock=True)
        if cash_out is None:
            raise NotFound("there is no such cash-out")
        if cash_out.user_id == by:
            raise Conflict("somebody else pays you out", code="ONES_OWN")
        if cash_out.owed_sen <= 0:
            raise Conflict(f"the cash-out is {cash_out.state}", code="NOTHING_OWED")
        return cash_out

    async def expire(self, connection: AsyncConnection, now_ms: int) -> None:
        """End what nobody sent anything for. What comes later is owed all the same."""
        overdue = await overdue_cash_outs(connection, now_ms - GRACE_MS, EXPIRY_BATCH)
        for one in overdue:
            over = one.changed(state=CashOutState.EXPIRED, ended_ms=now_ms)
            await store_cash_out(connection, one, over)


def _came(
    final: FinalTransaction, units: int, union_id: str, now_ms: int, owed_sen: int | None = None
) -> CashEntry:
    """Draw up the entry of what came to a float: for a cash-out, or for nothing agreed."""
    kind = CashKind.FLOAT_RECEIVED if owed_sen is None else CashKind.CASH_OUT_RECEIVED
    return drawn_entry(
        union_id,
        kind,
        final.tx_hash.hex(),
        union_id,
        CHAIN,
        now_ms,
        float_units=units,
        owed_sen=owed_sen or 0,
    )
