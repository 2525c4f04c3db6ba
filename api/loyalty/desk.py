"""Points, carried out: earned as orders turn paid, reversed with refunds, made into coupons.

Everything happens in the transaction that settles, links or refunds. Locks: people's balances, by
union and user, and then their coupons.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.catalogue.model import ShopProduct
from api.coupons.issuing import draw_coupon
from api.coupons.model import Coupon, CouponEvent
from api.coupons.schemas import told_of_coupon
from api.coupons.store import add_coupons, step, unused_coupons
from api.events.outbox import NewEvent
from api.loyalty.model import POINTS_A_COUPON, EarnedPoint, EntryKind, LoyaltyEntry
from api.loyalty.rules import adjust, earn, reverse
from api.loyalty.store import (
    add_entries,
    drop_waiting,
    let_wait,
    linked_users,
    lock_balances,
    orders_with_points,
    take_missed,
    take_waiting,
    unions_of,
    who_paid_most,
)
from api.orders.model import Order, OrderState
from api.payments.settlement import MetPayment
from ledger.primitives.keys import Address
from node.client.tracing import TRACEPARENT, under

Reward = Callable[[AsyncConnection, str], Awaitable[ShopProduct]]
"""Gives what five points buy at a merchant, as that merchant sells it."""


class LoyaltyDesk:
    """Gives and takes points. `index_of` makes an address's blind index."""

    def __init__(self, index_of: Callable[[bytes], bytes], reward: Reward) -> None:
        self._index_of, self._reward = index_of, reward

    async def witness(
        self, connection: AsyncConnection, met: Sequence[MetPayment], now_ms: int
    ) -> list[NewEvent]:
        """Give a point for each order that turned paid: to whose wallet closed it."""
        closing = [one for one in met if _turned_paid(one)]
        if not closing:
            return []
        unions = await unions_of(connection, sorted({one.merchant_id for one in closing}))
        points = [
            EarnedPoint(
                unions[one.merchant_id], one.merchant_id, one.after.id, self._index_of(one.payer)
            )
            for one in closing
            if one.after is not None
        ]
        traces = {one.after.id: one.trace for one in closing if one.after is not None}
        return await self._earn(connection, points, now_ms, traces)

    async def order_changed(
        self, connection: AsyncConnection, before: Order, after: Order, now_ms: int
    ) -> list[NewEvent]:
        """Give the point of an order that turned paid without a payment: an `OrderWitness`.

        Somebody let it be, or money that was to go back did not. Who brought most of it gets it.
        """
        turned = before.state is not OrderState.PAID is after.state
        if not turned or after.free:
            return []
        shop = after.merchant_id
        union_id = (await unions_of(connection, [shop]))[shop]
        user_id, index = await who_paid_most(connection, union_id, shop, after.id)
        if user_id is not None:
            point = EarnedPoint(union_id, shop, after.id, b"")
            return await self._give(connection, [(point, user_id)], now_ms)
        if index is None:
            return []
        return await self._earn(connection, [EarnedPoint(union_id, shop, after.id, index)], now_ms)

    async def _earn(
        self,
        connection: AsyncConnection,
        points: Sequence[EarnedPoint],
        now_ms: int,
        traces: Mapping[str, str] | None = None,
    ) -> list[NewEvent]:
        """Give points to who has linked the wallets, as `_give` does; let those of others wait."""
        users = await linked_users(connection, points)
        mine = [(p, users.get((p.union_id, p.address_index))) for p in points]
        await let_wait(connection, [point for point, user in mine if user is None], now_ms)
        theirs = [(point, user) for point, user in mine if user is not None]
        return await self._give(connection, theirs, now_ms, traces)

    async def credit_linked(
        self,
        connection: AsyncConnection,
        union_id: str,
        user_id: str,
        address: Address,
        now_ms: int,
    ) -> list[NewEvent]:
        """Give somebody the points that waited for the wallet that they have linked."""
        address_index = self._index_of(address)
        waited = await take_waiting(connection, union_id, address_index, now_ms)
        points = [
            (EarnedPoint(union_id, one.merchant_id, one.order_id, address_index), user_id)
            for one in waited
        ]
        return await self._give(connection, points, now_ms)

    async def credit_missed(
        self, connection: AsyncConnection, linked_since_ms: int, now_ms: int
    ) -> list[NewEvent]:
        """Give the points of payments that were settled just as their wallet was linked.

        Neither of the two transactions saw the other: the point waits for a link that is there.
        """
        return await self._give(connection, await take_missed(connection, linked_since_ms), now_ms)

    async def _give(
        self,
        connection: AsyncConnection,
        points: Sequence[tuple[EarnedPoint, str]],
        now_ms: int,
        traces: Mapping[str, str] | None = None,
    ) -> list[NewEvent]:
        """Give points; `traces` are those under which their orders were paid, by order."""
        balances = await lock_balances(connection, [(p.union_id, user) for p, user in points])
        entries, coupons, events = list[LoyaltyEntry](), list[Coupon](), list[NewEvent]()
        for point, user_id in points:
            person = (point.union_id, user_id)
            entries.append(_entry(*person, EntryKind.EARN, 1, now_ms, order_id=point.order_id))
            balances[person], whole = earn(balances[person])
            if whole:
                reward = await self._reward(connection, point.merchant_id)
                coupon = draw_coupon(*person, point.merchant_id, reward, now_ms)
                coupons.append(coupon)
                entries.append(_redeemed(coupon, now_ms))
                with under((traces or {}).get(point.order_id, TRACEPARENT.get())):
                    events.append(told_of_coupon("issued", coupon, now_ms))
        await add_coupons(connection, coupons)
        await add_entries(connection, entries)
        return events

    async def reverse(
        self, connection: AsyncConnection, order: Order, now_ms: int
    ) -> list[NewEvent]:
        """Take the point of an order back that was refunded whole; twice is once."""
        union_id = (await unions_of(connection, [order.merchant_id]))[order.merchant_id]
        if await drop_waiting(connection, union_id, order.id):
            return []
        earned = await orders_with_points(connection, union_id, EntryKind.EARN, [order.id])
        user_id = earned.get(order.id)
        if user_id is None:
            return []
        person = (union_id, user_id)
        balance = (await lock_balances(connection, [person]))[person]
        if await orders_with_points(connection, union_id, EntryKind.REVERSE, [order.id]):
            return []
        unused = await unused_coupons(connection, *person)
        decided = reverse(balance, [coupon.id for coupon in unused])
        entries = [_entry(*person, EntryKind.REVERSE, -1, now_ms, order_id=order.id)]
        events = []
        for coupon in unused:
            if coupon.id == decided.revoked:
                revoked = await step(connection, coupon, CouponEvent.REVOKE, now_ms)
                assert revoked is not None, "it is locked"
                events.append(told_of_coupon("revoked", revoked, now_ms))
                entries.append(_restored(coupon, now_ms))
        await add_entries(connection, entries)
        return events

    async def adjust(
        self,
        connection: AsyncConnection,
        union_id: str,
        user_id: str,
        merchant_id: str,
        points: int,
        note: str,
        now_ms: int,
    ) -> list[NewEvent]:
        """Give or take points by hand, with a word why."""
        person = (union_id, user_id)
        balance = (await lock_balances(connection, [person]))[person]
        _, count = adjust(balance, points)
        reward = await self._reward(connection, merchant_id)
        coupons = [draw_coupon(*person, merchant_id, reward, now_ms) for _ in range(count)]
        entries = [_entry(*person, EntryKind.ADJUST, points, now_ms, note=note)]
        entries += [_redeemed(coupon, now_ms) for coupon in coupons]
        await add_coupons(connection, coupons)
        await add_entries(connection, entries)
        return [told_of_coupon("issued", coupon, now_ms) for coupon in coupons]


def _turned_paid(met: MetPayment) -> bool:
    before, after = met.before, met.after
    return (
        before is not None
        and after is not None
        and before.state is not OrderState.PAID
        and after.state is OrderState.PAID
    )


def _redeemed(coupon: Coupon, now_ms: int) -> LoyaltyEntry:
    person = (coupon.union_id, coupon.user_id)
    return _entry(*person, EntryKind.REDEEM, -POINTS_A_COUPON, now_ms, coupon_id=coupon.id)


def _restored(coupon: Coupon, now_ms: int) -> LoyaltyEntry:
    person = (coupon.union_id, coupon.user_id)
    return _entry(*person, EntryKind.RESTORE, POINTS_A_COUPON, now_ms, coupon_id=coupon.id)


def _entry(
    union_id: str,
    user_id: str,
    kind: EntryKind,
    points: int,
    now_ms: int,
    *,
    order_id: str | None = None,
    coupon_id: str | None = None,
    note: str = "",
) -> LoyaltyEntry:
    return LoyaltyEntry(
        union_id=union_id,
        id=str(ULID.from_timestamp(now_ms)),
        user_id=user_id,
        kind=kind,
        points=points,
        at_ms=now_ms,
        order_id=order_id,
        coupon_id=coupon_id,
        note=note,
    )
