"""Kills between any two statements of ask, lease, sign and settle, on a real PostgreSQL.

Each story is played once for every statement (and commit) of each of its steps: the process dies
there, what asked for the step asks again, and asks once more when it was answered. However that
falls, the story ends as one without a kill does, and the books agree in between.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import text

from api.config import DEFAULT_PRODUCTS
from api.coupons.issuing import draw_coupon
from api.coupons.store import add_coupons, find_by_code
from api.events.outbox import write_events
from api.http.idempotency import Token
from api.http.replies import Reply
from api.refunds.desk import RefundWish
from api.refunds.model import RefundReason
from api.signing.accounts import find_account
from api.top_ups.desk import TopUpWish
from ledger.primitives.keys import address_of
from tests.support.api.cash import LITRE, wallet_key
from tests.support.api.kills import killed_at, make_mortal
from tests.support.api.loyal_people import student
from tests.support.api.postgres import running_database
from tests.support.api.signed_money import HandSigner, fresh_key
from tests.support.api.signing_rig import running_signing_rig

STATEMENTS_MAX = 80


@dataclass
class Lent:
    runner: asyncio.Runner
    rig: object
    people: object
    signer: HandSigner
    holder: object
    officer: object


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    with running_database(folder / "postgres") as server, asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin():
            rig = await stack.enter_async_context(
                running_signing_rig(server, folder, float_units=1_000 * LITRE)
            )
            people = await rig.people()
            stack.push_async_callback(people.close)
            signer = HandSigner(rig)
            for name in rig.names:
                await signer.lease(name)
            holder, officer = await student(people), await people.officer()
            make_mortal(rig.api.service.engine)
            return Lent(runner, rig, people, signer, holder, officer)

        try:
            yield runner.run(begin())
        finally:
            runner.run(stack.aclose())


@dataclass
class Story:
    """One thing that is signed for; each step may be taken again and again."""

    lent: Lent
    account: str
    key: str = ""
    thing: str = ""
    request: object = None
    raw: bytes = b""

    async def ask(self):
        """Ask under an idempotency key, as a route does."""
        store = self.lent.rig.api.service.answers
        answer = await store.once(Token("test", self.key, bytes(32)), self._answered)
        self.thing = msgspec.json.decode(msgspec.json.encode(answer.body))["id"]

    async def _answered(self, connection):
        return Reply({"id": await self.begun(connection, self.lent.rig.api.service)}, 202)

    async def lease(self):
        engine = self.lent.signer.engine
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE signing_requests SET leased_until_ms = 0"))
        leased = await self.lent.signer.lease(self.account)
        mine = [one for one in leased if one.ref_id == self.thing]
        assert len(mine) == 1, "it is asked for once"
        self.request = mine[0]
        self.raw = self.raw or self.lent.signer.sign(self.request, self.account)

    async def sign(self):
        await self.lent.signer.hand_over(self.request, self.account, self.raw)

    async def settle(self):
        await self.lent.signer.finalize(self.raw)

    async def one(self, statement, **values):
        async with self.lent.signer.engine.connect() as connection:
            return (await connection.execute(text(statement), values)).one()


@dataclass
class RefundStory(Story):
    order: object = None

    async def begin(self):
        rig = self.lent.rig
        self.order = await rig.api.order()
        await rig.api.chain_only(await rig.api.signed(self.order))
        await rig.api.level()

    async def begun(self, connection, service):
        wish = RefundWish(
            merchant_id=self.lent.people.merchant_id,
            requested_by="test",
            reason=RefundReason.NOT_HANDED_OVER,
            order_id=self.order["id"],
        )
        now_ms, refunds = service.now_ms(), service.money.refunds
        account = await find_account(connection, wish.merchant_id)
        prepared = await refunds.prepare(connection, wish, now_ms)
        refund, event = await refunds.begin(connection, prepared, account.account, now_ms)
        await write_events(connection, [event])
        return refund.id

    async def check(self, *, over):
        row = await self.one(
            """
            SELECT o.state, o.refunded_units, p.units, p.refunded_units AS given,
                (SELECT count(*) FROM refunds r WHERE r.order_id = o.id) AS refunds,
                (SELECT coalesce(sum(units), 0) FROM refunds r
                    WHERE r.order_id = o.id AND r.state = 'succeeded') AS succeeded,
                (SELECT coalesce(sum(packs), 0) FROM returned_packs b
                    JOIN refunds r ON r.id = b.refund_id WHERE r.order_id = o.id) AS packs,
                jsonb_array_length(o.returned) AS again,
                (SELECT coalesce(sum(packs_left), 0) FROM returned_packs b
                    WHERE b.refund_id = o.returned -> 0 ->> 'ref_id') AS left_again
            FROM orders o JOIN payments p ON p.order_id = o.id WHERE o.id = :id
            """,
            id=self.order["id"],
        )
        assert row.refunds <= 1
        assert row.given == row.refunded_units == row.succeeded
        assert row.succeeded in (0, row.units)
        # What came back in an earlier story is sold in this one, and comes back anew.
        assert row.packs == (1 if row.succeeded and not row.again else 0)
        assert row.left_again == (1 if row.succeeded and row.again else 0)
        assert (row.state == "refunded") == bool(row.succeeded)
        if over:
            assert row.state == "refunded"


@dataclass
class CouponStory(Story):
    code: str = ""

    async def begin(self):
        people, now_ms = self.lent.people, self.lent.rig.api.service.now_ms()
        coupon = draw_coupon(
            people.union_id, self.lent.holder.id, people.merchant_id, DEFAULT_PRODUCTS[0], now_ms
        )
        self.code = coupon.code
        async with self.lent.signer.engine.begin() as connection:
            await add_coupons(connection, [coupon])

    async def begun(self, connection, service):
        coupon = await find_by_code(connection, self.code)
        shop = self.lent.people.merchant_id
        order = await service.money.coupons.redeem(
            connection, coupon, shop, None, "A", {}, service.now_ms()
        )
        return order.id

    async def check(self, *, over):
        row = await self.one(
            """
            SELECT c.state, o.state AS order_state, o.paying_tx,
                (SELECT count(*) FROM payments p WHERE p.order_id = o.id
                    AND p.outcome = 'succeeded') AS paid
            FROM coupons c LEFT JOIN orders o ON o.id = c.order_id WHERE c.code = :code
            """,
            code=self.code,
        )
        assert (row.state == "redeemed") == (row.order_state == "paid") == (row.paid == 1)
        assert (row.state == "issued") == (row.order_state is None)
        if over:
            assert (row.state, row.paying_tx) == ("redeemed", None)


@dataclass
class TopUpStory(Story):
    to: object = None

    async def begin(self):
        self.to = address_of(wallet_key(self.key[-6:]).public)

    async def begun(self, connection, service):
        union_id = self.lent.people.union_id
        wish = TopUpWish(
            union_id=union_id, place_id=union_id, terminal_id="", taken_by=self.lent.officer.id,
            amount_sen=360, receipt=self.key, address=self.to,
        )  # fmt: skip
        desk = service.money.top_ups
        top_up, event = await desk.begin(connection, wish, service.now_ms())
        await write_events(connection, [event])
        return top_up.id

    async def check(self, *, over):
        if not self.thing:
            return
        row = await self.one(
            """
            SELECT t.state, t.units, t.amount_sen,
                (SELECT coalesce(sum(cash_sen), 0) FROM cash_entries e WHERE e.ref_id = t.id)
                    AS cash,
                (SELECT coalesce(sum(owed_units), 0) FROM cash_entries e WHERE e.ref_id = t.id)
                    AS owed,
                (SELECT coalesce(sum(float_units), 0) FROM cash_entries e WHERE e.ref_id = t.id)
                    AS sent
            FROM top_ups t WHERE t.id = :id
            """,
            id=self.thing,
        )
        assert row.cash == row.amount_sen
        assert row.owed == (0 if row.state == "succeeded" else row.units)
        assert row.sent == (-row.units if row.state == "succeeded" else 0)
        if over:
            assert row.state == "succeeded"


STEPS = ("ask", "lease", "sign", "settle")
STORIES = {
    "refund": (RefundStory, "operating"),
    "coupon": (CouponStory, "operating"),
    "top_up": (TopUpStory, "float"),
}


@pytest.mark.parametrize("kind", STORIES)
@pytest.mark.parametrize("killed", STEPS)
def test_a_kill_at_any_statement_changes_nothing_of_how_it_ends(lent, kind, killed):
    async def once(place):
        made, account = STORIES[kind]
        story = made(lent, account, key=fresh_key())
        await story.begin()
        for step in STEPS:
            act, struck = getattr(story, step), False
            if step == killed:
                with killed_at(place) as countdown:
                    await act()
                struck = countdown.struck
                await story.check(over=False)
                if not struck:
                    await act()  # Its answer was lost: it is asked for again.
                    return False
            await act()
            await story.check(over=False)
        await story.check(over=True)
        return True

    async def run():
        places = 0
        while await once(places):
            places += 1
            assert places < STATEMENTS_MAX
        assert places >= 3, "a step has a few statements"

    lent.runner.run(run())
