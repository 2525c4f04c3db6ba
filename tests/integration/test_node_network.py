"""Whole validators over real libp2p, disk and threads, in one trio loop: they agree and recover."""

import shutil
from functools import partial

import trio

from ledger.primitives.keys import address_of
from node.client.views import TransactionState
from node.config import JOURNAL_FOLDER, STORE_FOLDER
from node.shell.running import Node, make_node
from tests.support.node.homes import BALANCE, PAYEE, Homes, make_homes, transfer
from tests.support.system.trio_runs import in_trio, until


class Running:
    """Validators that run, and can be ended one by one as a crash would."""

    def __init__(self, homes: Homes, nursery: trio.Nursery) -> None:
        self.homes, self._nursery = homes, nursery
        self.nodes: dict[int, Node] = {}
        self._scopes: dict[int, trio.CancelScope] = {}
        self._ended: dict[int, trio.Event] = {}

    async def start(self, *indexes: int) -> None:
        for index in indexes:
            self._ended[index] = trio.Event()
            await self._nursery.start(self._run, index)

    async def _run(self, index: int, *, task_status) -> None:
        node = self.nodes[index] = make_node(self.homes.configs[index])
        try:
            with trio.CancelScope() as self._scopes[index]:
                async with trio.open_nursery() as nursery:
                    await nursery.start(node.service.run)
                    await nursery.start(partial(node.transport.run, node.service))
                    task_status.started()
        finally:
            node.close()
            del self.nodes[index]
            self._ended[index].set()

    async def end(self, *indexes: int) -> None:
        for index in indexes:
            self._scopes[index].cancel()
            await self._ended[index].wait()

    def heights(self) -> list[int]:
        return [node.backend.status().height for node in self.nodes.values()]

    async def pay(self, index: int, nonce: int) -> bytes:
        """Hand a transfer to one validator and wait until all have it as final."""
        [outcome] = await self.nodes[index].service.submit((transfer(self.homes, nonce),))
        assert (outcome.code, outcome.detail) == ("", "")

        def final() -> bool:
            views = [node.backend.transaction(outcome.txid) for node in self.nodes.values()]
            return all(view.state is TransactionState.FINAL for view in views)

        await until(final)
        return outcome.txid


def test_four_validators_agree_lose_one_and_take_it_back(tmp_path):
    @in_trio
    async def run() -> None:
        homes = make_homes(tmp_path, 4)
        async with trio.open_nursery() as nursery:
            net = Running(homes, nursery)
            await net.start(0, 1, 2, 3)
            await net.pay(0, 0)
            await net.end(3)
            await net.pay(1, 1)
            behind = max(net.heights())
            await net.start(3)
            await until(lambda: net.nodes[3].backend.status().height >= behind)
            txid = await net.pay(3, 2)
            blocks = [node.backend.block(h) for node in net.nodes.values() for h in range(behind)]
            per_node = len(blocks) // 4
            assert all(blocks[i] == blocks[i % per_node] for i in range(len(blocks)))
            for node in net.nodes.values():
                assert node.backend.account(PAYEE).units == 3_000_000
                assert node.backend.supply().ok
                assert node.backend.history(PAYEE, 2**40, 1) == [txid]
            await net.end(0, 1, 2, 3)

    run()


def test_a_network_that_stopped_whole_goes_on_where_it_was(tmp_path):
    @in_trio
    async def run() -> None:
        homes = make_homes(tmp_path, 4)
        async with trio.open_nursery() as nursery:
            net = Running(homes, nursery)
            await net.start(0, 1, 2, 3)
            first = await net.pay(2, 0)
            await net.end(0, 1, 2, 3)
            await net.start(0, 1, 2, 3)
            for node in net.nodes.values():
                assert node.backend.transaction(first).state is TransactionState.FINAL
            await net.pay(1, 1)
            rich = address_of(homes.payer.public)
            paid = 2 * (1_000_000 + 100)
            assert net.nodes[0].backend.account(rich).units == BALANCE - paid
            await net.end(0, 1, 2, 3)

    run()


def test_a_wiped_home_votes_only_after_it_has_watched(tmp_path):
    @in_trio
    async def run() -> None:
        homes = make_homes(tmp_path, 4)
        async with trio.open_nursery() as nursery:
            net = Running(homes, nursery)
            await net.start(0, 1, 2, 3)
            assert not any(node.journal.is_lost for node in net.nodes.values())
            await net.pay(3, 0)
            await net.end(3)
            config = homes.configs[3]
            for folder in (JOURNAL_FOLDER, STORE_FOLDER):
                shutil.rmtree(config.path(folder))
            await net.start(3)
            wiped = net.nodes[3]
            assert wiped.journal.is_lost
            assert wiped.backend.status().height == 0
            await until(lambda: not wiped.journal.is_lost)
            # Without another one, nothing is final but by its votes.
            await net.end(2)
            await net.pay(3, 1)
            await net.end(0, 1, 3)

    run()


def test_refusals_name_the_law_and_leave_the_pool_alone(tmp_path):
    @in_trio
    async def run() -> None:
        homes = make_homes(tmp_path, 1)
        async with trio.open_nursery() as nursery:
            net = Running(homes, nursery)
            await net.start(0)
            node = net.nodes[0]
            good, unsigned = transfer(homes, 0), bytearray(transfer(homes, 1))
            unsigned[-1] ^= 1
            outcomes = await node.service.submit(
                (b"garbage", bytes(unsigned), transfer(homes, 0, 2 * BALANCE), good)
            )
            assert [bool(o.code) for o in outcomes] == [True, True, True, False]
            assert len({o.code for o in outcomes}) == 4
            txid = outcomes[3].txid
            await until(lambda: node.backend.transaction(txid).state is TransactionState.FINAL)
            metrics = node.backend.metrics().decode()
            assert "billcoin_submitted_total 4.0" in metrics
            assert "billcoin_refused_total 3.0" in metrics
            await net.end(0)

    run()
