"""Many hands on the same money at once, on a real PostgreSQL whose connections are killed.

Refunds of one payment are asked for, cancelled, leased by two signers, signed, refused and settled
twice; one coupon is scanned by many tills, cancelled and revoked; one student is topped up at many
tills at once, whose cashiers give cash back. Whatever comes of it, once all that was signed is
settled the books agree: nothing was given twice, nothing is forgotten, nothing waits for ever.
"""

import asyncio
import contextlib

import pytest

from api.config import DEFAULT_PRODUCTS
from api.coupons.issuing import draw_coupon
from api.coupons.store import add_coupons
from tests.support.api.cash import LITRE, receipt, wallet_key
from tests.support.api.loyal_people import student
from tests.support.api.postgres import running_database
from tests.support.api.races import Money, race
from tests.support.api.signed_money import fresh_key
from tests.support.api.signing_rig import running_signing_rig


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("races")
    with running_database(folder / "postgres") as server, asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin():
            rig = await stack.enter_async_context(
                running_signing_rig(server, folder, float_units=1_000 * LITRE)
            )
            people = await rig.people()
            stack.push_async_callback(people.close)
            return runner, Money(rig, people, await people.officer(), await student(people))

        try:
            yield runner.run(begin())
        finally:
            runner.run(stack.aclose())


class Refunds:
    """One payment, which is given back in parts by many at once."""

    def __init__(self, money, order):
        self.money, self.order = money, order

    @classmethod
    async def begin(cls, money):
        order = await money.rig.api.order(quantity=2)
        await money.rig.api.paid(order)
        return cls(money, order)

    async def ask(self, chance):
        part = {"amount": "0.90"} if chance.random() < 0.7 else {}
        await self.money.rig.refund(orderId=self.order["id"], **part)

    async def cancel(self, chance):
        rows = await self.money.rows(
            "SELECT id FROM refunds WHERE order_id = :id", id=self.order["id"]
        )
        if rows:
            one = chance.choice(rows).id
            money = self.money
            service = money.rig.api.service
            async with service.engine.begin() as connection:
                await service.money.refunds.cancel(
                    connection, money.people.merchant_id, one, service.now_ms()
                )

    async def check(self):
        [row] = await self.money.rows(
            """
            SELECT o.state, o.refunded_units, p.units, p.refunded_units AS given,
                (SELECT coalesce(sum(units), 0) FROM refunds r WHERE r.order_id = o.id
                    AND r.state = 'succeeded') AS succeeded,
                (SELECT count(*) FROM refunds r WHERE r.order_id = o.id
                    AND r.state IN ('pending', 'submitted')) AS flying
            FROM orders o JOIN payments p ON p.order_id = o.id WHERE o.id = :id
            """,
            id=self.order["id"],
        )
        assert row.flying == 0
        assert row.given == row.refunded_units == row.succeeded <= row.units
        whole = {0: "paid", row.units: "refunded"}
        assert row.state == whole.get(row.given, "partially_refunded")


class Scans:
    """One coupon, at many tills at once."""

    def __init__(self, money, coupon):
        self.money, self.coupon = money, coupon

    @classmethod
    async def begin(cls, money):
        people, now_ms = money.people, money.rig.api.service.now_ms()
        coupon = draw_coupon(
            people.union_id, money.holder.id, people.merchant_id, DEFAULT_PRODUCTS[0], now_ms
        )
        async with money.signer.engine.begin() as connection:
            await add_coupons(connection, [coupon])
        return cls(money, coupon)

    async def scan(self, chance):
        await self.money.rig.post(f"/coupons/{self.coupon.code}/redeem", {})

    async def cancel(self, chance):
        rows = await self.money.rows(
            "SELECT order_id FROM coupons WHERE code = :code AND order_id IS NOT NULL",
            code=self.coupon.code,
        )
        if rows:
            await self.money.rig.post(f"/orders/{rows[0].order_id}/cancel", {})

    async def check(self):
        [row] = await self.money.rows(
            """
            SELECT c.state, o.state AS order_state,
                (SELECT count(*) FROM payments p JOIN orders b ON b.id = p.order_id
                    JOIN signing_requests s ON s.ref_id = b.id
                    WHERE s.tx_hash = p.tx_hash AND p.outcome = 'succeeded'
                        AND b.created_ms >= c.issued_ms AND b.kind = 'coupon'
                        AND b.id = c.order_id) AS paid
            FROM coupons c LEFT JOIN orders o ON o.id = c.order_id WHERE c.code = :code
            """,
            code=self.coupon.code,
        )
        assert row.state in ("issued", "redeemed")
        assert (row.state == "redeemed") == (row.order_state == "paid") == (row.paid == 1)
        [orders] = await self.money.rows("""
            SELECT count(*) FROM orders o WHERE o.kind = 'coupon' AND o.state = 'paid'
                AND NOT EXISTS (SELECT FROM coupons c
                    WHERE c.order_id = o.id AND c.state = 'redeemed')
        """)
        assert orders[0] == 0, "no milk for nothing without a coupon"
        [waiting] = await self.money.rows("""
            SELECT count(*) FROM orders WHERE kind = 'coupon' AND state = 'awaiting_payment'
        """)
        assert waiting[0] == 0


class TopUps:
    """One wallet, topped up at many desks at once."""

    def __init__(self, money, person):
        self.money, self.person = money, person

    @classmethod
    async def begin(cls, money):
        return cls(money, await student(money.people, wallet_key(fresh_key())))

    async def ask(self, chance):
        amount = chance.choice(("10.00", "20.00", "30.00"))
        body = receipt(userId=self.person.id, amount=amount)
        await self.money.officer.call("POST", "/top-ups", body)

    async def reverse(self, chance):
        rows = await self.money.rows(
            "SELECT id FROM top_ups WHERE user_id = :id", id=self.person.id
        )
        if rows:
            at = f"/top-ups/{chance.choice(rows).id}/reverse"
            await self.money.officer.call("POST", at)

    async def check(self):
        [row] = await self.money.rows(
            """
            SELECT coalesce(sum(amount_sen) FILTER (WHERE state = 'succeeded'), 0) AS sent_sen,
                coalesce(sum(units) FILTER (WHERE state = 'succeeded'), 0) AS sent,
                coalesce(sum(units) FILTER (WHERE state = 'failed'), 0) AS owed,
                coalesce(sum(amount_sen) FILTER (WHERE state <> 'reversed'), 0) AS held_sen,
                count(*) FILTER (WHERE state IN ('pending', 'submitted')) AS flying
            FROM top_ups WHERE user_id = :id
            """,
            id=self.person.id,
        )
        assert row.flying == 0
        assert row.sent_sen <= 5_000, "nobody gets more than the day's alone"
        [book] = await self.money.rows(
            """
            SELECT coalesce(sum(cash_sen), 0) AS cash, coalesce(sum(owed_units), 0) AS owed,
                coalesce(sum(float_units), 0) AS moved
            FROM cash_entries WHERE ref_id IN (SELECT id FROM top_ups WHERE user_id = :id)
            """,
            id=self.person.id,
        )
        assert (book.cash, book.owed, book.moved) == (row.held_sen, row.owed, -row.sent)


async def checked(money, subject):
    await subject.check()


SEEDS = range(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_payment_is_given_back_beyond_what_it_was(lent, seed):
    hands = (_call("ask"), _call("ask"), _call("cancel"))
    race(lent, seed, Refunds.begin, hands, checked)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_coupon_buys_twice_and_none_is_lost(lent, seed):
    race(lent, seed, Scans.begin, (_call("scan"), _call("scan"), _call("cancel")), checked)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_cash_is_lost_and_none_buys_twice(lent, seed):
    race(lent, seed, TopUps.begin, (_call("ask"), _call("ask"), _call("reverse")), checked)


def _call(name):
    async def act(chance, subject):
        await getattr(subject, name)(chance)

    return act
