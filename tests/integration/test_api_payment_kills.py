"""The service is killed between any two steps of taking a payment in: nobody pays twice.

A wallet is honest if it sends the same bytes until somebody answers for them, and signs anew only
when it is told that they were refused or never seen. The processes are real, and are killed with
SIGKILL: all workers at once. The node is outside, and lives on.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction, decode_transaction
from ledger.types.transfer import Transfer
from node.client.queries import SUBMIT
from tests.support.api.held_locks import HeldLocks, held_locks
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.workers_rig import WorkersRig, running_workers
from tests.support.node.fake_node import OTHER_MERCHANT

FAR: Final = 10_000
"""Blocks that a payment is good for."""
IN_FLIGHT: Final = (409, "PAYMENT_IN_FLIGHT")
NOT_PAYABLE: Final = (409, "ORDER_NOT_PAYABLE")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


class Sale:
    """An order, the wallet that pays it, and another one that would, too."""

    def __init__(self, rig: WorkersRig, order: dict[str, object], **changes: object) -> None:
        self.rig, self.order = rig, order
        self._changes = {"valid_until_height": rig.ledger.height + FAR, **changes}

    @classmethod
    async def opened(cls, rig: WorkersRig, **changes: object) -> "Sale":
        async with rig.till() as till:
            sale = cls(rig, (await till.order()).json(), **changes)
            sale.payment = rig.sign(await till.offer(sale.order), **sale._changes)
            sale.other = rig.sign(await till.offer(sale.order), key=OTHER_MERCHANT, nonce=0)
        return sale

    payment: Transaction
    other: Transaction

    async def hand_in(self, payment: Transaction | None = None) -> tuple[int, str]:
        """Hand bytes in once; 0 if nobody answers."""
        with contextlib.suppress(httpx.TransportError):
            async with self.rig.till() as till:
                answer = await till.pay(self.order, payment or self.payment)
                told = answer.json()
                return answer.status_code, told.get("code") or told.get("state", "")
        return 0, ""

    async def hand_in_until_answered(self) -> tuple[int, str]:
        """Do what an honest wallet does."""
        said: list[tuple[int, str]] = []

        async def answered() -> bool:
            said.append(await self.hand_in())
            return said[-1][0] not in (0, 500, 502, 503)

        await self.rig.until_so(answered, "an answer")
        return said[-1]

    async def outcome(self) -> str:
        """Ask what became of the bytes, until somebody knows."""
        told: list[str] = []

        async def known() -> bool:
            with contextlib.suppress(httpx.TransportError):
                async with self.rig.till() as till:
                    answer = await till.http.get(f"/api/v1/transactions/{self.payment.id.hex()}")
                    told.append(answer.json().get("status"))
                    return answer.status_code == 200
            return False

        await self.rig.until_so(known, "the outcome")
        return told[-1]

    async def is_paid_once(self) -> None:
        """Check that the order is paid, by one transfer on the chain."""
        await self.rig.until_so(self._is_paid, "the payment")
        async with self.rig.till() as till:
            told = await till.read(self.order)
        assert (told["exception"], told["inFlight"]) == (None, None)
        bodies = [
            decode_transaction(raw).intent.body
            for block in self.rig.ledger.chain_blocks()
            for raw in block.transactions
        ]
        body = self.payment.intent.body
        assert isinstance(body, Transfer)
        paid = [b for b in bodies if isinstance(b, Transfer) and b.reference == body.reference]
        assert len(paid) == 1

    async def _is_paid(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with self.rig.till() as till:
                return (await till.read(self.order))["state"] == "paid"
        return False

    async def row(self) -> object:
        """Give what is written down of the payment."""
        return await self.rig.scalar(
            f"SELECT state FROM payments WHERE tx_hash = decode('{self.payment.id.hex()}', 'hex')"
        )

    async def until_stored(self) -> None:
        """Wait until the payment is written down."""
        await self.rig.until_so(self.row, "the payment's row")


def kill_all(rig: WorkersRig) -> None:
    for pid in rig.pids():
        os.kill(pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def order_locked(sale: Sale) -> AsyncIterator[HeldLocks]:
    """Hold the order's row, so that whoever would change it stands before it."""
    async with held_locks(sale.rig.database_url) as locks:
        await locks.do("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", sale.order["id"])
        yield locks


async def before_it_is_stored(sale: Sale) -> None:
    async with order_locked(sale) as locks:
        asked = asyncio.create_task(sale.hand_in())
        await locks.until_met()
        kill_all(sale.rig)
        assert (await asked)[0] == 0
    assert await sale.row() is None
    assert await sale.outcome() == "never_seen"


async def stored_and_not_submitted(sale: Sale) -> None:
    sale.rig.node.hold(SUBMIT.path)
    asked = asyncio.create_task(sale.hand_in())
    await sale.until_stored()
    kill_all(sale.rig)
    assert (await asked)[0] == 0
    sale.rig.node.release(SUBMIT.path, lost=True)
    assert sale.rig.ledger.pending() == 0, "no node has it"
    assert await sale.outcome() == "taken"


async def submitted_and_the_node_not_heard(sale: Sale) -> None:
    sale.rig.node.hold(SUBMIT.path, answers=True)
    asked = asyncio.create_task(sale.hand_in())
    await sale.rig.until(sale.rig.ledger.pending, "the payment at the node")
    kill_all(sale.rig)
    assert (await asked)[0] == 0
    sale.rig.node.release(SUBMIT.path)
    assert await sale.outcome() == "taken"


async def answered_and_the_wallet_does_not_hear(sale: Sale) -> None:
    body = b'{"transaction": "' + encode(sale.payment).hex().encode() + b'"}'
    head = (
        f"POST /api/v1/orders/{sale.order['id']}/payment HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", sale.rig.port)) as wallet:
        wallet.sendall(head.encode() + body)
        await sale.rig.until(sale.rig.ledger.pending, "the payment at the node")
        await asyncio.sleep(0.2)
        kill_all(sale.rig)
    assert await sale.outcome() == "taken"


async def on_its_way_and_lost_by_the_node(sale: Sale) -> None:
    assert await sale.hand_in() == (202, "seen")
    kill_all(sale.rig)
    sale.rig.ledger.forget_waiting()
    assert await sale.outcome() == "taken"


async def final_and_not_settled(sale: Sale) -> None:
    async with order_locked(sale) as locks:
        # What is locked is the order: the payment goes to the node past the service.
        await sale.rig.ledger.submit([encode(sale.payment)])
        sale.rig.ledger.make_block()
        await locks.until_met()
        kill_all(sale.rig)
    assert await sale.outcome() == "final"


STEPS: Final[tuple[Callable[[Sale], Awaitable[None]], ...]] = (
    before_it_is_stored,
    stored_and_not_submitted,
    submitted_and_the_node_not_heard,
    answered_and_the_wallet_does_not_hear,
    on_its_way_and_lost_by_the_node,
    final_and_not_settled,
)


def test_killed_between_any_two_steps_an_honest_wallet_pays_once(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running_workers(database, tmp_path, automatic=False) as rig:
            for step in STEPS:
                sale = await Sale.opened(rig)
                await step(sale)
                said = await sale.hand_in_until_answered()
                assert said[0] == 202, (step.__name__, said)
                second = await sale.hand_in(sale.other)
                if step is final_and_not_settled:
                    assert second in (IN_FLIGHT, NOT_PAYABLE), "it may be settled meanwhile"
                else:
                    assert second == IN_FLIGHT, step.__name__
                    # What the node lost is handed in again within seconds.
                    await rig.until(rig.ledger.pending, f"the bytes, after {step.__name__}")
                    rig.ledger.make_block()
                await sale.is_paid_once()
                assert await sale.hand_in() == (202, "finalised")
                assert await sale.hand_in(sale.other) == NOT_PAYABLE, step.__name__

    asyncio.run(run())


def test_killed_before_a_refusal_is_written_down_the_order_is_free_when_no_block_can_take_it(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running_workers(database, tmp_path, automatic=False) as rig:
            last = rig.ledger.height + 100
            sale = await Sale.opened(rig, nonce=7, valid_until_height=last)
            rig.node.hold(SUBMIT.path, answers=True)
            asked = asyncio.create_task(sale.hand_in())
            await sale.until_stored()
            async with order_locked(sale) as locks:
                rig.node.release(SUBMIT.path)
                await locks.until_met()
                kill_all(rig)
                assert (await asked)[0] == 0
            assert await sale.outcome() == "taken", "whether another node has it, nobody knows"
            assert await sale.hand_in_until_answered() == (202, "seen")
            assert await sale.hand_in(sale.other) == IN_FLIGHT
            while rig.ledger.height < last:
                rig.ledger.make_block()

            async def refused() -> bool:
                return await sale.row() == "refused"

            await rig.until_so(refused, "the refusal")
            async with rig.till() as till:
                good = rig.sign(await till.offer(sale.order))
            assert await sale.hand_in(good) == (202, "seen")
            rig.ledger.make_block()
            sale.payment = good
            await sale.is_paid_once()

    asyncio.run(run())
