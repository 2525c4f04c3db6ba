"""Settlement: what final transactions do to orders, carried out once, in the order of the chain.

`settle` works in the caller's transaction and is the only place where money that is final changes
an order. Calling it twice is calling it once: the orders are locked first, and a payment that is
final here already is passed over. Final blocks are settled by the follower alone; a manager who
assigns a payment that bore no order's reference goes through `api.payments.assigning`.

Whoever signs transactions of the service's own (refunds, coupons, top-ups) claims their hashes and
registers a handler for the claim's subject: such a transaction is nobody's payment, and its handler
runs in the same transaction as all that its block settles.

    async with engine.begin() as connection:
        settled = await settle(connection, read_blocks(blocks), now_ms, parties)
    waiters.wake(settled.tx_hashes)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from api.events.outbox import UNMATCHED, NewEvent, write_events
from api.orders.changes import changed_since, release
from api.orders.model import Order
from api.orders.store import ids_by_reference, lock_by_reference, read_orders, store_orders
from api.payments.accounting import OrderAccount
from api.payments.books import open_accounts
from api.payments.model import Outcome, PaymentState
from api.payments.observation import NO_REFERENCE, FinalBatch, FinalTransaction
from api.payments.store import (
    PAYMENT,
    KnownPayment,
    NewPayment,
    known_payments,
    merchants_paid_at,
    store_payments,
    tx_claims,
)
from ledger.primitives.keys import Address
from node.client.tracing import TRACEPARENT, under


@dataclass(frozen=True, slots=True)
class ClaimedFinal:
    """A final transaction that the service itself had signed, and what it was signed for."""

    merchant_id: str
    ref_id: str
    final: FinalTransaction


FinalHandler = Callable[
    [AsyncConnection, Sequence[ClaimedFinal], int], Awaitable[Sequence[NewEvent]]
]
"""Settles final transactions of one subject, at a time, in the settling transaction.

It gives its events back, to be written last: their numbers are the last lock.
"""


OrderFinder = Callable[[AsyncConnection, Sequence[ClaimedFinal]], Awaitable[Sequence[str]]]
"""Names the orders that final transactions of one subject change, to be locked before all else."""


@dataclass(frozen=True, slots=True)
class MetPayment:
    """A payment that was settled: who paid it, and its order before it and after, if it has one."""

    tx_hash: bytes
    merchant_id: str
    payer: Address
    before: Order | None
    after: Order | None
    outcome: Outcome
    trace: str = field(default_factory=TRACEPARENT.get)
    """Of the request that brought it: what comes of it is told under the same."""


PaymentWitness = Callable[
    [AsyncConnection, Sequence[MetPayment], int], Awaitable[Sequence[NewEvent]]
]
"""Takes note of settled payments in the settling transaction, in the order of the chain.

All of them are written by then, and locked. It gives its events back, as a `FinalHandler` does.
"""


TransferCollector = Callable[
    [AsyncConnection, Sequence[FinalTransaction], int], Awaitable[Sequence[NewEvent]]
]
"""Looks at transfers that took effect and are no merchant's, in the settling transaction.

It may be shown one again, and takes note of it once. It gives its events back, as a `FinalHandler`
does.
"""


@dataclass(frozen=True, slots=True)
class SettlingParties:
    """Who takes part in settlement beside the orders: handlers by subject, and who looks on."""

    handlers: Mapping[str, FinalHandler] = field(default_factory=dict)
    finders: Mapping[str, OrderFinder] = field(default_factory=dict)
    witnesses: Sequence[PaymentWitness] = ()
    collectors: Sequence[TransferCollector] = ()

    def joined_by(self, witness: PaymentWitness) -> "SettlingParties":
        """Give them with one more witness, the last to be told."""
        return replace(self, witnesses=(*self.witnesses, witness))


@dataclass(slots=True)
class Settled:
    """What a settlement did, for those who wait."""

    tx_hashes: list[bytes] = field(default_factory=list)
    order_ids: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


async def settle(
    connection: AsyncConnection,
    batch: FinalBatch,
    now_ms: int,
    parties: SettlingParties,
) -> Settled:
    """Settle final transactions, in the order of the chain; commit is the caller's.

    `now_ms` (UTC) is the time that events bear.
    """
    claims = await tx_claims(connection, [final.tx_hash for final in batch.transactions])
    claimed, payments = _divide(batch.transactions, claims)
    before = await _lock_orders(connection, claimed, payments, parties) if claimed else {}
    events: list[NewEvent] = []
    # Before the orders are read: what is given back in these blocks changes them, too.
    for subject, theirs in sorted(claimed.items()):
        events += await parties.handlers[subject](connection, theirs, now_ms)
    changed = await changed_since(connection, before)
    books = await _open_books(connection, payments)
    done = Settled()
    for final in payments:
        books.meet(final, now_ms, done)
    # Lots come last, those of handlers' orders and all others in one order: nobody waits in a ring.
    await books.write(connection, batch, changed)
    for witness in parties.witnesses:
        events += await witness(connection, books.met, now_ms)
    for collector in parties.collectors if books.strays else ():
        events += await collector(connection, books.strays, now_ms)
    await write_events(connection, [*books.events, *events])
    return done


class _Books:
    """Everything that a batch's payments meet, and what becomes of it."""

    def __init__(
        self,
        accounts: Mapping[bytes, OrderAccount],
        known: dict[bytes, KnownPayment],
        purses: Mapping[bytes, str],
    ) -> None:
        self._accounts = accounts
        self._known = known
        self._purses = purses
        self._rows: list[NewPayment] = []
        self.events: list[NewEvent] = []
        self.met: list[MetPayment] = []
        self.strays: list[FinalTransaction] = []

    def meet(self, final: FinalTransaction, now_ms: int, done: Settled) -> None:
        """Settle a payment, unless it is settled already or none of ours."""
        before = self._known.get(final.tx_hash)
        if before is not None and before.final:
            return
        with under("" if before is None else before.trace):
            self._meet(final, before, now_ms, done)

    def _meet(
        self, final: FinalTransaction, before: KnownPayment | None, now_ms: int, done: Settled
    ) -> None:
        transfer = final.transfer
        assert transfer is not None, "divided so"
        account = self._accounts.get(transfer.reference)
        order = after = None
        if account is not None and account.order.payout == transfer.to:
            seen_ms, order = None if before is None else before.seen_ms, account.order
            row, event = account.meet(final, seen_ms, now_ms)
            after = account.order
            done.order_ids.append(after.id)
        elif (merchant_id := self._purses.get(transfer.to)) is not None and not final.code:
            row, event = unmatched(final, merchant_id, now_ms)
        else:
            if not final.code:
                self.strays.append(final)
            return
        self._known[final.tx_hash] = KnownPayment(row.order_id, PaymentState.FINALISED, None, "")
        self._rows.append(row)
        self.events.append(event)
        payer = final.transaction.sender
        self.met.append(
            MetPayment(final.tx_hash, row.merchant_id, payer, order, after, row.outcome)
        )
        done.tx_hashes.append(final.tx_hash)
        done.outcomes.append(row.outcome)

    async def write(
        self,
        connection: AsyncConnection,
        batch: FinalBatch,
        written: Sequence[tuple[Order, Order]],
    ) -> None:
        """Write payments, orders and stock; `written` are orders that handlers have changed."""
        changes = [(a.before, a.order) for a in self._accounts.values() if a.changed]
        await store_payments(connection, self._rows)
        await store_orders(connection, changes)
        await release(connection, [*written, *changes], batch.redeemed_units)


async def _lock_orders(
    connection: AsyncConnection,
    claimed: Mapping[str, Sequence[ClaimedFinal]],
    payments: Sequence[FinalTransaction],
    parties: SettlingParties,
) -> dict[str, Order]:
    """Lock all orders of a batch at once, those that handlers change and those that are paid."""
    transfers = [final.transfer for final in payments if final.transfer is not None]
    ids = set(await ids_by_reference(connection, [one.reference for one in transfers]))
    for subject, theirs in claimed.items():
        if (finder := parties.finders.get(subject)) is not None:
            ids.update(await finder(connection, theirs))
    return await read_orders(connection, sorted(ids), lock=True)


async def _open_books(connection: AsyncConnection, payments: Sequence[FinalTransaction]) -> _Books:
    """Lock the orders that payments are for, and look up what is known of all of them."""
    transfers = [final.transfer for final in payments if final.transfer is not None]
    references = {t.reference for t in transfers if t.reference != NO_REFERENCE}
    orders = await lock_by_reference(connection, sorted(references))
    # A statement of its own, after the locks: one that had to wait for them would see the payments
    # as they stood before it waited.
    known = await known_payments(connection, [final.tx_hash for final in payments])
    opened = await open_accounts(connection, list(orders.values()))
    accounts = {reference: opened[order.id] for reference, order in orders.items()}
    strays = {
        t.to for t in transfers if t.reference not in orders or t.to != orders[t.reference].payout
    }
    return _Books(accounts, known, await merchants_paid_at(connection, sorted(strays)))


def _divide(
    finals: Sequence[FinalTransaction], claims: Mapping[bytes, tuple[str, str, str]]
) -> tuple[dict[str, list[ClaimedFinal]], list[FinalTransaction]]:
    """Tell what the service itself had signed, by subject, from what may be a payment."""
    mine: dict[str, list[ClaimedFinal]] = {}
    payments = []
    for final in finals:
        subject, merchant_id, ref_id = claims.get(final.tx_hash, (PAYMENT, "", ""))
        if subject != PAYMENT:
            mine.setdefault(subject, []).append(ClaimedFinal(merchant_id, ref_id, final))
        elif final.transfer is not None:
            payments.append(final)
    return mine, payments


def unmatched(
    final: FinalTransaction, merchant_id: str, now_ms: int
) -> tuple[NewPayment, NewEvent]:
    """Keep what came to a merchant for no order that we know: a person assigns or refunds it."""
    transfer = final.transfer
    assert transfer is not None, "payments are transfers"
    row = NewPayment.final(final, merchant_id, None, Outcome.UNMATCHED, transfer.units)
    body = {"txHash": final.tx_hash.hex(), "outcome": row.outcome, "units": row.units}
    tx_hash = final.tx_hash
    return row, NewEvent(UNMATCHED, merchant_id, tx_hash.hex(), body, now_ms, tx_hash)
