"""The follower: nothing skipped, nothing settled twice, another chain refused."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from sqlalchemy import text

from api.catalogue.stock import mirror, open_shelves
from api.chain.follower import Follower
from api.chain.tip import Cursor, SettledTip
from api.db.session import open_engine
from api.errors import FollowerFault
from api.payments.observation import read_blocks
from api.payments.settlement import Settled, SettlingParties, settle
from api.service import Service, open_service
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.types.block import Receipt
from ledger.types.mandate import ChargeMandate
from ledger.types.transfer import Transfer
from node.client.views import FinalBlock, ProductLotView
from tests.support.api.postgres import GONE_WITHIN_MS, TestDatabase
from tests.support.api.service_rig import ServiceRig, rig_config, running_rig, until
from tests.support.ledger.dairy import Dairy, key
from tests.support.node.fake_node import FakeNode


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def test_a_service_that_comes_back_settles_what_it_missed_once(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        config = rig.service.config
        rig.node.silence()
        await rig.chain_only_while_silent(payment)
        assert await rig.scalar("SELECT height FROM follower_cursor") == 0
        rig.node.silence(False)
        async with open_service(config, rig.node) as second:
            task = asyncio.create_task(second.follower.run())
            await until(lambda: second.tip.cursor.height >= rig.node.height)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            row = await second.find_order(str(order["id"]))
        assert row is not None
        assert row.state == "paid"
        assert await rig.scalar("SELECT count(*) FROM payments") == 1
        assert await rig.scalar("SELECT count(*) FROM events WHERE kind = 'order.paid'") == 1

    on_rig(database, act)


def test_blocks_that_do_not_follow_stop_it(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        node, follower = rig.node, _fresh_follower(rig)
        first, second, third = (node.make_block() for _ in range(3))
        await rig.level()
        follower.cursor = rig.service.follower.cursor
        with pytest.raises(FollowerFault, match="came after"):
            await follower.settle_blocks([first])
        follower.cursor = Cursor(node.chain.chain_id, 1, first.hash)
        with pytest.raises(FollowerFault, match="came after"):
            await follower.settle_blocks([third])
        forked = msgspec.structs.replace(second, parent_hash=Hash(bytes(32)))
        with pytest.raises(FollowerFault, match="another"):
            await follower.settle_blocks([forked])
        # The cursor in the database is ahead of this one: another worker has been here.
        with pytest.raises(OSError, match="another worker"):
            await follower.settle_blocks([second])

    on_rig(database, act, automatic=False)


def _fresh_follower(rig: ServiceRig) -> Follower:
    return follower_of(rig, rig.node)


def follower_of(rig: ServiceRig, node: FakeNode) -> Follower:
    """Make a follower beside the service's own, for a node."""
    service = rig.service
    return Follower(
        service.engine,
        node,
        service.watch,
        SettledTip(),
        SettlingParties(),
        lambda settled: None,
        lambda: None,
    )


def test_a_node_of_another_chain_is_refused(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        stranger = FakeNode()
        assert stranger.chain.chain_id != rig.node.chain.chain_id
        with pytest.raises(FollowerFault, match="has followed chain"):
            await follower_of(rig, stranger).run()

    on_rig(database, act)


def test_redeemed_milk_leaves_the_mirror_and_the_ledger_corrects_it(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        before = await rig.scalar("SELECT remaining_units FROM lots")
        await rig.paid(await rig.order())
        assert await rig.scalar("SELECT remaining_units FROM lots") == before - 200_000
        assert await rig.scalar("SELECT reserved_units FROM lots") == 0
        await rig.execute("UPDATE lots SET remaining_units = 1")
        await rig.service.stock.take_over()
        assert await rig.scalar("SELECT remaining_units FROM lots") == before - 200_000

    on_rig(database, act)


def test_what_is_packed_is_sold_under_its_product_lot_and_what_is_frozen_not_at_all(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        (lot,) = await rig.node.lots()
        pack_id = Hash(b"\7" * 32)
        pack = ProductLotView(
            pack_id, lot.id, 1, 9, Units(200_000), Units(0), Units(1_800_000), Units(0)
        )
        left = Units(lot.remaining_units - 1_800_000)
        view = msgspec.structs.replace(
            lot, loose_units=left, packed_unsold_units=Units(1_800_000), status="sound"
        )

        async def sellable() -> dict[bytes, int]:
            async with rig.service.engine.begin() as connection:
                await mirror(connection, [view], {lot.id: [pack]}, 0)
                shelves = await open_shelves(connection, 0)
            return {shelf.id: shelf.free_units for shelf in shelves}

        assert await sellable() == {lot.id: left, pack_id: 1_800_000}
        for status in ("frozen", "recalled"):
            view = msgspec.structs.replace(view, status=status)
            assert await sellable() == {}

    on_rig(database, act)


def test_what_baskets_redeemed_is_counted_by_lot_and_a_refused_one_not_at_all() -> None:
    dairy, (one, two) = Dairy(), (Hash(bytes([number]) * 32) for number in (1, 2))

    def redeeming(*redeem: tuple[Hash, int]) -> Transfer:
        return dairy.pay(Address(bytes(32)), 9, *redeem)

    charge = ChargeMandate(one, bytes(32), redeeming((two, 5)).redeem)
    judged = [
        (redeeming((one, 2)), ""),
        (redeeming((one, 3), (two, 4)), ""),
        (redeeming((two, 9)), "short_lot"),
        (charge, ""),
        (redeeming(), ""),
    ]
    made = [(dairy.transaction(body, key("alice"), 0), code) for body, code in judged]
    block = FinalBlock(
        1, one, one, 1, 0, 0, Address(bytes(32)),
        tuple(encode(transaction) for transaction, _ in made),
        tuple(Receipt(transaction.id, code, Units(0)) for transaction, code in made),
    )  # fmt: skip
    assert read_blocks([block]).redeemed_units == {one: 5, two: 9}


def test_settling_in_two_places_at_once_settles_once(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        await rig.node.submit([encode(payment)])
        batch = read_blocks([rig.node.make_block()])

        async def one() -> Settled:
            async with rig.service.engine.begin() as connection:
                return await settle(connection, batch, rig.service.now_ms(), SettlingParties())

        results = await asyncio.gather(*(one() for _ in range(4)))
        await rig.level()
        told = await rig.scalar("SELECT count(*) FROM events WHERE kind = 'order.paid'")
        assert told == 1
        assert sum(len(result.tx_hashes) for result in results) <= 1

    on_rig(database, act, automatic=False)


def test_the_follower_outlives_a_lost_database(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        name = str(rig.service.engine.url.database)
        await database.execute(
            f"SELECT pg_terminate_backend(pid, {GONE_WITHIN_MS}) FROM pg_stat_activity "
            f"WHERE datname = '{name}'"
        )
        payment = await rig.signed(order)
        await rig.node.submit([encode(payment)])
        rig.node.make_block()
        await rig.level()
        assert (await rig.validate(payment)).json()["valid"] is True

    on_rig(database, act, automatic=False)


def test_migrations_wait_for_one_another(database: TestDatabase) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            config = rig_config(url, ("bck_" + "a" * 52, "bck_" + "b" * 52))

            async def start() -> None:
                async with open_service(config, FakeNode()) as service:
                    assert isinstance(service, Service)

            await asyncio.gather(*(start() for _ in range(3)))
            engine = open_engine(url, 2)
            async with engine.connect() as connection:
                prices = await connection.scalar(text("SELECT count(*) FROM prices"))
            await engine.dispose()
            assert prices == 1, "the same price is published once"

    asyncio.run(run())
