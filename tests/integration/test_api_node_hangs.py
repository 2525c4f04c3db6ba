"""A node that hangs does not stop payments while others answer: real sockets, real database."""

import asyncio
from collections.abc import Iterator

import pytest

from node.client.http import NodeClient
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import running_rig
from tests.support.node.fake_node import FakeNode
from tests.support.node.fake_node_http import HttpNode


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_payments_go_on_when_the_node_that_was_asked_hangs(database: TestDatabase) -> None:
    async def run() -> None:
        ledger = FakeNode()
        first, second, third = (HttpNode(ledger) for _ in range(3))
        async with (
            first.serving(),
            second.serving(),
            third.serving(),
            NodeClient(first.url, second.url, third.url) as client,
            running_rig(database, ledger=ledger, way=client) as rig,
        ):
            before = await rig.paid(await rig.order())
            assert (await rig.validate(before)).json()["valid"] is True
            assert not second.asked
            order = await rig.order()
            payment = await rig.signed(order)
            first.hang()
            answer = await rig.post(order, payment)
            assert answer.status_code == 202, answer.text
            told = await rig.validate(payment, wait=10)
            assert told.json()["valid"] is True
            first.asked.clear()
            await rig.paid(await rig.order())
            assert first.asked == []

    asyncio.run(run())


def test_a_node_that_took_a_payment_and_hung_before_it_said_so_costs_no_refusal(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        ledger = FakeNode()
        first, second = HttpNode(ledger), HttpNode(ledger)
        async with (
            first.serving(),
            second.serving(),
            NodeClient(first.url, second.url) as client,
            running_rig(database, ledger=ledger, way=client) as rig,
        ):
            order = await rig.order()
            payment = await rig.signed(order)
            await rig.chain_only(payment)  # Final already: its nonce is used.
            answer = await rig.post(order, payment)
            assert answer.status_code == 202, answer.text
            other = await rig.order()
            stale = await rig.signed(other, nonce=0)
            refused = await rig.post(other, stale)
            assert (refused.status_code, refused.json()["code"]) == (422, "BAD_NONCE")

    asyncio.run(run())
