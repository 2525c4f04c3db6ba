"""A customer with keys of their own, and a manager who does anything: one act after another."""

import contextlib
import secrets

from api.config import DEFAULT_PRODUCTS
from api.coupons.issuing import draw_coupon
from api.coupons.store import add_coupons
from api.db.session import in_transaction
from api.errors import ApiFault
from api.orders.changes import expire_orders
from ledger.primitives.amounts import Units
from ledger.types.transaction import decode_transaction
from tests.support.node.fake_node import make_transfer

ORDERS_MAX, STEPS = 3, 60
EXACT, MILK = Units(500_000), Units(200_000)
SHAPES = (
    (EXACT, True), (EXACT, True), (EXACT, True), (EXACT, False), (MILK, True), (MILK, False),
    (Units(300_000), True), (Units(300_000), False), (Units(1), False), (Units(600_000), True),
)  # fmt: skip
"""What a wallet sends, and whether it burns the milk: an order's price, a part of it, too much."""
FAR_MS = 10**9


class Walk:
    """What was opened and paid until now, and the acts that may come next."""

    def __init__(self, money, manager):
        self.money, self.manager, self.rig = money, manager, money.rig
        self.orders, self.payments, self.strays = [], [], []

    async def begin(self):
        """Give the customer four coupons more."""
        people, service = self.money.people, self.rig.api.service
        shop, product = people.merchant_id, DEFAULT_PRODUCTS[0]
        drawn = [
            draw_coupon(
                people.union_id,
                self.money.holder.id,
                shop,
                product,
                service.now_ms(),
                campaign_id=f"walk{n}",
            )
            for n in range(4)
        ]
        await in_transaction(service.engine, lambda connection: add_coupons(connection, drawn))

    async def step(self, chance):
        acts = (
            self.open, self.scan, self.use, self.overtake, self.overtake, self.pay, self.pay,
            self.pay, self.stray, self.assign, self.sign, self.sign, self.settle, self.settle,
            self.ask, self.ask, self.undo, self.resolve, self.end, self.expire,
        )  # fmt: skip
        with contextlib.suppress(ApiFault):
            await chance.choice(acts)(chance)

    async def open(self, chance):
        self.orders = [*self.orders, await self.rig.api.order()][-ORDERS_MAX:]

    async def coupon(self, chance):
        rows = await self.money.rows(
            "SELECT id, code FROM coupons WHERE user_id = :id AND state = 'issued'",
            id=self.money.holder.id,
        )
        return chance.choice(rows) if rows else None

    async def scan(self, chance):
        if coupon := await self.coupon(chance):
            answer = await self.rig.post(f"/coupons/{coupon.code}/redeem", {})
            if answer.status_code == 201:
                self.orders = [*self.orders, answer.json()][-ORDERS_MAX:]

    async def use(self, chance):
        coupon = await self.coupon(chance)
        if coupon and self.orders:
            path = f"/orders/{chance.choice(self.orders)['id']}/coupon"
            await self.money.holder.call("POST", path, {"couponId": coupon.id})

    async def overtake(self, chance):
        """Use a coupon on a new order, and pay it past the service before its milk is bought."""
        if coupon := await self.coupon(chance):
            await self.open(chance)
            path = f"/orders/{self.orders[-1]['id']}/coupon"
            await self.money.holder.call("POST", path, {"couponId": coupon.id})
            await self._send(chance, self.orders[-1], shape=(EXACT, True))

    async def pay(self, chance):
        """Send money past the service."""
        if self.orders:
            await self._send(chance, chance.choice(self.orders))

    async def stray(self, chance):
        if self.orders:
            other = {"reference": secrets.token_bytes(32)}
            self.strays.append(await self._send(chance, chance.choice(self.orders), **other))

    async def _send(self, chance, order, shape=None, **changes):
        units, burns = shape or chance.choice(SHAPES)
        if not burns or not order["redeem"]:
            changes["redeem"] = ()
        paid = make_transfer(
            self.rig.api.node, {**order, "address": order["payTo"]}, units=units, **changes
        )
        await self.rig.api.chain_only(paid)
        await self.rig.api.level()
        self.payments.append(paid.id.hex())
        return paid.id.hex()

    async def assign(self, chance):
        if self.strays and self.orders:
            path = f"/payments/{chance.choice(self.strays)}/assign"
            await self.manager.call("POST", path, {"orderId": chance.choice(self.orders)["id"]})

    async def sign(self, chance):
        await self.money.sign_some(chance)

    async def settle(self, chance):
        await self.money.settle_some(chance)

    async def ask(self, chance):
        """Ask for a payment back, in part or whole; for what a coupon bought, too."""
        bought = [decode_transaction(raw).id.hex() for raw in self.money.signed.values()]
        if known := self.payments + bought:
            part = {"amount": "0.90"} if chance.random() < 0.3 else {}
            reason = chance.choice(("spoiled", "not_handed_over"))
            await self.rig.refund(txHash=chance.choice(known[-6:]), reason=reason, **part)

    async def undo(self, chance):
        """Cancel a refund that is asked for, those among them that began by themselves."""
        await self.rig.api.execute("UPDATE signing_requests SET leased_until_ms = 0")
        rows = await self.money.rows("SELECT id FROM refunds WHERE state = 'pending'")
        if rows:
            await self.manager.call("POST", f"/refunds/{chance.choice(rows).id}/cancel")

    async def resolve(self, chance):
        if self.orders:
            path = f"/orders/{chance.choice(self.orders)['id']}/resolve"
            await self.manager.call(
                "POST", path, {"resolution": chance.choice(("accept", "refund"))}
            )

    async def end(self, chance):
        if self.orders:
            order, act = chance.choice(self.orders), chance.choice(("cancel", "fulfill"))
            await self.rig.post(f"/orders/{order['id']}/{act}", {})

    async def expire(self, chance):
        if chance.random() < 0.2:
            far_ms = self.rig.api.service.now_ms() + FAR_MS
            await expire_orders(self.rig.api.service.engine, far_ms, far_ms)


_OWN = """EXISTS (SELECT FROM claims c WHERE c.kind = 'tx' AND c.value = p.tx_hash
    AND c.subject = 'signing')"""
_ORDERS = f"""
    SELECT o.*, coalesce(m.came, 0) AS came, coalesce(m.theirs, 0) AS theirs,
        coalesce(m.back, 0) AS back, coalesce(m.bought, 0) AS bought,
        coalesce(m.in_vain, 0) AS in_vain,
        (SELECT coalesce(sum(units), 0) FROM refunds r WHERE r.order_id = o.id
            AND r.state = 'succeeded') AS given,
        (SELECT coalesce(sum(packs), 0) FROM returned_packs k WHERE k.refund_id = o.id) AS packs,
        (SELECT count(*) FROM loyalty_entries e WHERE e.order_id = o.id
            AND e.kind = 'earn') AS earned,
        (SELECT count(*) FROM loyalty_entries e WHERE e.order_id = o.id
            AND e.kind = 'reverse') AS reversed,
        EXISTS (SELECT FROM events e WHERE e.subject_id = o.id
            AND e.kind = 'order.resolved') AS let_be
    FROM orders o LEFT JOIN (
        SELECT p.order_id, sum(p.refunded_units) AS back,
            sum(p.units) FILTER (WHERE p.outcome <> 'in_vain') AS came,
            sum(p.units) FILTER (WHERE NOT {_OWN}) AS theirs,
            count(*) FILTER (WHERE {_OWN} AND p.outcome = 'succeeded') AS bought,
            count(*) FILTER (WHERE p.outcome = 'in_vain') AS in_vain
        FROM payments p WHERE p.outcome <> 'failed' GROUP BY p.order_id
    ) m ON m.order_id = o.id
"""


async def check_orders(money):
    """What leaves for an order came in for it; its milk, its point and its coupon go with it."""
    for order in await money.rows(_ORDERS):
        told = f"{order.id} {order.kind} {order.state} {order.exception}"
        free, sold = order.amount_sen == 0, order.state in ("paid", "partially_refunded")
        net = order.received_units - order.refunded_units
        assert order.received_units == order.came, told
        assert order.refunded_units == order.back == order.given <= order.theirs, told
        assert order.bought <= 1, told
        assert not sold or order.bought or order.theirs > order.back, f"milk for nothing: {told}"
        assert not free or (order.state == "paid") == (order.bought == 1), told
        assert not order.bought or free, told
        if order.state == "paid" and order.exception is None and not order.let_be:
            assert net == order.amount_units, f"nobody mends {net}: {told}"
        assert order.earned == (order.paid_ms is not None and not free), told
        assert order.reversed == (order.state == "refunded"), told
        assert order.packs == order.in_vain, told


async def check_coupons(money):
    """No coupon buys twice, none is lost, and nothing that a coupon bought goes back."""
    coupons = await money.rows(f"""
        SELECT c.state, c.order_id, (SELECT count(*) FROM payments p WHERE p.order_id = c.order_id
            AND p.outcome = 'succeeded' AND {_OWN}) AS bought FROM coupons c
    """)
    for coupon in coupons:
        assert coupon.state in ("issued", "redeemed", "revoked")
        assert (coupon.state == "redeemed") == (coupon.order_id is not None) == (coupon.bought == 1)
    [own] = await money.rows(f"""
        SELECT count(*) FILTER (WHERE p.outcome = 'succeeded') AS bought,
            coalesce(sum(p.refunded_units), 0) AS back FROM payments p WHERE {_OWN}
    """)
    assert own.bought == len([one for one in coupons if one.state == "redeemed"])
    assert own.back == 0
    [odd] = await money.rows("""
        SELECT (SELECT count(*) FROM refunds WHERE amount_sen < 0 OR units <= 0) AS below,
            (SELECT count(*) FROM payments WHERE refunded_units > units) AS beyond,
            (SELECT count(*) FROM orders WHERE kind = 'coupon' AND state = 'awaiting_payment') AS w
    """)
    assert tuple(odd) == (0, 0, 0)


async def walk(walker, chance, steps=STEPS):
    """Let acts follow each other, end what is on its way, and check the books."""
    money = walker.money
    for name in money.rig.names:
        await money.signer.lease(name, 1)
    await walker.begin()
    for _ in range(steps):
        await walker.step(chance)
    await money.rig.api.level()
    await money.quiesce()
    await check_orders(money)
    await check_coupons(money)
