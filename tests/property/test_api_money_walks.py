"""Whatever a customer does past the service, and whatever a manager makes of it, the books agree.

Each walk is a seed: a customer who signs with keys of their own, uses coupons and hands payments of
any shape straight to a node; a manager who assigns, accepts, gives back and cancels; a signer that
signs, refuses, or forgets; a chain that settles when it likes.
"""

import asyncio
import contextlib
import random

import pytest

from tests.support.api.loyal_people import check_books, student
from tests.support.api.money_walk import Walk, walk
from tests.support.api.postgres import running_database
from tests.support.api.races import Money
from tests.support.api.signing_rig import running_signing_rig
from tests.support.node.fake_node import CUSTOMER

SEEDS = range(4)


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walks")
    with running_database(folder / "postgres") as server, asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin():
            rig = await stack.enter_async_context(running_signing_rig(server, folder))
            people = await rig.people()
            stack.push_async_callback(people.close)
            money = Money(rig, people, None, await student(people, CUSTOMER))
            return runner, money, await people.manager()

        try:
            yield runner.run(begin())
        finally:
            runner.run(stack.aclose())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_leaves_for_an_order_came_in_for_it_and_no_coupon_buys_twice_or_is_lost(lent, seed):
    runner, money, manager = lent

    async def run():
        await walk(Walk(money, manager), random.Random(seed))
        await check_books(money.rig)

    runner.run(run())
