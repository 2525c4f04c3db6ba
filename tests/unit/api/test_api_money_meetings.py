"""Two transactions that meet over the same money: a lock is held where the other comes by."""

import asyncio

import pytest
from ulid import ULID

from api.db.session import in_transaction
from api.errors import Unprocessable
from api.payments import resubmission
from api.payments.resubmission import read_waiting
from api.payments.store import history_of
from api.payments.submission import mark_refused
from api.vault.blind import Purpose
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from tests.support.api.cash import LITRE, receipt, wallet_key
from tests.support.api.held_locks import held_locks
from tests.support.api.loyal_people import coupons, played, student
from tests.support.api.service_rig import running_rig
from tests.support.api.signed_money import HandSigner
from tests.support.api.wallet_proofs import link
from tests.support.node.fake_node import CUSTOMER
from tests.unit.api.test_api_assigning import assign, stray

FAR_MS = 1 << 50


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


def on_service(database, act):
    async def run():
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run())


def locks_of(rig):
    return held_locks(rig.service.config.database_url)


async def unmatched(rig, people):
    """Pay for no order what an order costs; give both, with a signer that was heard."""
    await HandSigner(rig).lease("operating")
    order = await rig.api.order()
    return order, await stray(rig.api, order), await people.manager()


def test_a_payment_that_begins_to_go_back_is_not_assigned_by_who_waited_for_it(on_rig):
    async def act(rig, people):
        order, paid, manager = await unmatched(rig, people)
        async with locks_of(rig.api) as locks:
            await locks.do("SELECT 1 FROM payments WHERE tx_hash = $1 FOR UPDATE", paid.id)
            await locks.do(
                """
                INSERT INTO refunds (merchant_id, id, tx_hash, units, reason, state, automatic,
                    requested_by, created_ms)
                SELECT merchant_id, 'r', tx_hash, units, 'unmatched', 'pending', false, 'm', 0
                FROM payments WHERE tx_hash = $1
                """,
                paid.id,
            )
            asked = asyncio.create_task(assign(manager, paid, order))
            await locks.until_met()
            await locks.end()
        refused = await asked
        assert (refused.status_code, refused.json()["code"]) == (409, "NOT_ASSIGNABLE")

    on_rig(act)


def test_a_payment_that_becomes_an_order_s_does_not_go_back_as_if_it_were_nobody_s(on_rig):
    async def act(rig, people):
        order, paid, _ = await unmatched(rig, people)
        async with locks_of(rig.api) as locks:
            await locks.do(
                "UPDATE payments SET order_id = $2, outcome = 'succeeded' WHERE tx_hash = $1",
                paid.id,
                order["id"],
            )
            asked = asyncio.create_task(rig.refund(txHash=paid.id.hex(), reason="unmatched"))
            await locks.until_met()
            await locks.end()
        refused = await asked
        assert (refused.status_code, refused.json()["code"]) == (409, "PAYMENT_ASSIGNED")
        assert await rig.api.scalar("SELECT count(*) FROM refunds") == 0

    on_rig(act)


def test_a_point_that_is_earned_just_as_its_wallet_is_linked_is_given_soon(on_rig):
    async def act(rig, people):
        vault = rig.api.service.desks.means.vault
        index = vault.index(Purpose.ADDRESS, address_of(CUSTOMER.public))
        holder = await student(people)
        async with locks_of(rig.api) as locks:
            # A payment is being settled, and nobody has linked its wallet.
            await locks.do(
                "INSERT INTO waiting_points VALUES ($1, $2, $3, $4, 0, $5)",
                people.union_id,
                str(ULID()),
                people.merchant_id,
                index,
                FAR_MS,
            )
            assert (await link(holder, CUSTOMER)).status_code == 200
            await locks.end()
        await rig.api.service.money.sweep()
        await rig.api.service.money.sweep()
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 1
        assert await rig.api.scalar("SELECT count(*) FROM waiting_points") == 0

    on_rig(act)


def test_a_float_is_looked_into_after_all_who_came_before(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        await HandSigner(rig).lease("float")
        async with locks_of(rig.api) as locks:
            name = f"{people.union_id}|float"
            await locks.do("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
            wish = receipt(userId=poor.id, amount="10.80")
            asked = asyncio.create_task(officer.call("POST", "/top-ups", wish))
            await locks.until_met()
            rig.ledger.pay(address_of(CUSTOMER.public), 2 * LITRE, key=rig.key_of("float"))
            rig.ledger.make_block()
            await locks.end()
        low = await asked
        assert (low.status_code, low.json()["code"]) == (409, "FLOAT_LOW")

    on_rig(act, float_units=4 * LITRE)


def test_settling_a_coupon_holds_no_milk_while_it_waits_for_an_order(on_rig):
    async def act(rig, people):
        signer, holder = HandSigner(rig), await student(people, CUSTOMER)
        await signer.lease("operating")
        await rig.buy(5)
        [coupon] = await coupons(holder)
        bought = (await rig.post(f"/coupons/{coupon['code']}/redeem", {})).json()
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        order = await rig.api.order()
        paid = await rig.api.signed(order)
        async with locks_of(rig.api) as locks:
            await locks.do("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", order["id"])
            settling = asyncio.create_task(signer.finalize(raw, encode(paid)))
            await locks.until_met()
            await locks.do("SELECT 1 FROM lots ORDER BY id FOR UPDATE NOWAIT")
            await locks.end()
        await settling
        for one in (bought, order):
            assert (await rig.get(f"/orders/{one['id']}")).json()["state"] == "paid"
        assert await rig.api.scalar("SELECT sum(reserved_units) FROM lots") == 0

    on_rig(act)


def test_an_offer_of_other_milk_waits_for_lots_in_the_order_of_their_ids(database):
    async def act(rig):
        order = await rig.order()
        mine = bytes.fromhex(order["redeem"][0]["lot"])
        await rig.execute("UPDATE lots SET sound = false WHERE reserved_units > 0")
        await rig.execute("""
            INSERT INTO lots VALUES (decode(repeat('00', 32), 'hex'), decode(repeat('cd', 32),
                'hex'), 'whole', 'plant', 200000, 400000, 0, true, 1::bigint << 45, 0)
        """)
        async with locks_of(rig) as locks:
            await locks.do("SELECT 1 FROM lots WHERE id = $1 FOR UPDATE", bytes(32))
            offered = asyncio.create_task(rig.offer(order))
            await locks.until_met()
            await locks.do("SELECT 1 FROM lots WHERE id = $1 FOR UPDATE NOWAIT", mine)
            await locks.end()
        assert (await offered)["redeem"] == [{"lot": "00" * 32, "bill": "0.200000"}]
        assert await rig.scalar("SELECT sum(reserved_units) FROM lots") == 200_000

    on_service(database, act)


def test_what_came_on_its_way_since_it_was_looked_up_is_not_refused_with_the_rest(database):
    async def act(rig):
        rig.node.automatic = False
        orders, payments = [await rig.order() for _ in range(2)], []
        for order in orders:
            payments.append(await rig.signed(order))
            assert (await rig.post(order, payments[-1])).status_code == 202
        late = f"'\\x{payments[1].id.hex()}'"
        await rig.execute(
            f"UPDATE payments SET state = 'refused', raw = NULL WHERE tx_hash = {late}"
        )
        fault = Unprocessable("no block took it in time", code="TRANSACTION_EXPIRED")
        over = {payment.id: fault for payment in payments}
        async with locks_of(rig) as locks:
            await locks.do("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", orders[0]["id"])
            marking = asyncio.create_task(mark_refused(rig.service.engine, over, 0))
            await locks.until_met()
            # Its wallet sends it once more, and it is taken in.
            await rig.execute(
                f"UPDATE payments SET state = 'seen', raw = '\\x00' WHERE tx_hash = {late}"
            )
            await locks.end()
        assert await marking == [orders[0]["id"]]
        state = f"SELECT state FROM payments WHERE tx_hash = {late}"
        assert await rig.scalar(state) == "seen"

    on_service(database, act)


def test_what_is_on_its_way_is_read_in_pages(database, monkeypatch):
    async def act(rig):
        monkeypatch.setattr(resubmission, "BATCH_MAX", 2)
        rig.node.automatic = False
        for _ in range(3):
            order = await rig.order()
            assert (await rig.post(order, await rig.signed(order))).status_code == 202
        first = await read_waiting(rig.service.engine, FAR_MS)
        second = await read_waiting(rig.service.engine, FAR_MS, first[-1])
        assert [len(first), len(second)] == [2, 1]
        assert len({one.tx_hash for one in first + second}) == 3
        assert await read_waiting(rig.service.engine, FAR_MS, second[-1]) == []

    on_service(database, act)


def test_an_order_s_history_is_its_merchant_s(database):
    async def act(rig):
        order = await rig.order()
        await rig.paid(order)
        own = await rig.scalar(f"SELECT merchant_id FROM orders WHERE id = '{order['id']}'")
        other = await rig.scalar(f"SELECT id FROM merchants WHERE id <> '{own}'")

        async def count(merchant):
            return await in_transaction(
                rig.service.engine, lambda c: history_of(c, [(merchant, order["id"])])
            )

        assert [len(await count(merchant)) for merchant in (own, other)] == [1, 0]

    on_service(database, act)


@pytest.mark.parametrize(
    ("asked", "found_by"),
    [
        ("signing_requests WHERE account = '\\x00' AND id = 'a'", ("account", "id")),
        (
            "refunds WHERE merchant_id = 'm' AND order_id = 'o' AND state = 'pending'",
            ("merchant_id", "order_id"),
        ),
        ("wallet_links WHERE state = 'active' AND linked_ms >= 5", ("linked_ms",)),
        ("coupons WHERE order_id = 'o'", ("order_id",)),
    ],
)
def test_what_is_asked_of_long_tables_finds_an_index(database, asked, found_by):
    async def act(rig):
        async with rig.service.engine.begin() as connection:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            told = await connection.exec_driver_sql(f"EXPLAIN SELECT 1 FROM {asked}")
            [by] = [row[0] for row in told if "Index Cond" in row[0]]
        assert all(f"({name})" in by or f"({name} " in by for name in found_by), by

    on_service(database, act)
