"""History pages, blocks by time, farms' lots and traces over HTTP, from a real store."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from ledger.primitives.keys import address_of, format_address
from ledger.store import MemoryStore
from node.cli.trace import trace
from node.client.errors import Rejected
from node.client.views import TransactionState
from node.shell.rpc.backend import NodeBackend
from tests.support.ledger.dairy import GENESIS_MS, Dairy, key
from tests.support.node.final_chain import TO_BOB, fill
from tests.support.node.rpc_runs import rpc_app, run_async
from tests.support.node.toy_backend import ToyBackend, toy_node

FARM = address_of(Dairy().farm_keys[0].public)
LOT = Dairy().claim().lot_id()
PAYMENTS = 30
KEPT = 28
"""More than the RPC process asks for when it connects, fewer than there are."""


class StoreBackend(ToyBackend):
    """The answers of a store, with a toy's status."""

    def __init__(self, store) -> None:
        super().__init__()
        genesis = Dairy().genesis
        self._store = store
        self._answers = NodeBackend("n", genesis, b"", store, None, None, None, None)
        for name in ("history_page", "block_at", "farm_lots", "trace", "block", "transaction"):
            setattr(self, name, getattr(self._answers, name))

    def status(self):
        whole, head = super().status(), self._store.head()
        fields = {name: getattr(whole, name) for name in whole.__struct_fields__}
        fields |= {"height": head.height, "kept_from": self._store.kept_from}
        return type(whole)(**fields)

    async def reached(self, height: int) -> None:
        if height > self._store.head().height:
            await super().reached(2**40)


@pytest.fixture(params=[0, KEPT], ids=["whole", "pruned"])
def chain(request):
    return fill(MemoryStore(keep_blocks=request.param), PAYMENTS)


def served(folder: Path, store, test) -> None:
    async def whole():
        with toy_node(folder / "rpc.sock", StoreBackend(store)):
            async with rpc_app(folder) as client:
                await test(client)

    run_async(whole)


async def asked(client, path):
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        return await http.get(path)


def test_a_history_is_read_page_by_page_to_its_end(tmp_path, chain):
    async def test(client):
        found, cursor = [], (2**53, 0)
        while page := await client.history_page(TO_BOB, cursor, 7):
            found += page
            cursor = (page[-1].height, page[-1].index)
        assert [(e.height, e.index, e.txid) for e in found] == [
            (e.height, e.index, e.txid) for e in chain.store.history(TO_BOB)
        ]
        assert len(found) == 2 * PAYMENTS
        assert (await asked(client, f"/v1/accounts/{TO_BOB.hex()}/history?before=x")).is_error

    served(tmp_path, chain.store, test)


def test_the_block_of_a_time_is_found(tmp_path, chain):
    async def test(client):
        newest = chain.store.header(chain.store.head().height)
        block = await client.block_at(newest.time_ms + 5)
        assert (block.height, block.hash) == (newest.height, newest.hash())
        with pytest.raises(Rejected, match="began after that time"):
            await client.block_at(GENESIS_MS - 1)

    served(tmp_path, chain.store, test)


def test_a_farms_lots_are_listed(tmp_path, chain):
    async def test(client):
        (lot,) = await client.farm_lots(FARM)
        assert lot.id == LOT
        assert await client.farm_lots(FARM, (lot.height, lot.id)) == []
        assert await client.farm_lots(TO_BOB) == []

    served(tmp_path, chain.store, test)


def test_a_trace_is_the_same_over_http_and_by_the_command(tmp_path, chain):
    sold = chain.store.history(TO_BOB, limit=1)[0].txid
    app = typer.Typer()
    app.command()(trace)

    async def test(client):
        found = await client.trace(sold)
        (way,) = found.milk
        assert way.lot.lot == LOT
        assert FARM in [farm.farm for farm in way.farms]
        assert found.complete is (chain.store.kept_from == 1)
        words = [sold.hex(), "--node", client.base_url, "--json"]
        told = await asyncio.to_thread(CliRunner().invoke, app, words)
        shown = json.loads(told.stdout)
        assert shown == (await asked(client, f"/v1/trace/{sold.hex()}")).json()
        (told_way,) = shown["milk"]
        assert told_way["farms"][0]["farm"].startswith("dbill1")
        assert format_address(address_of(key("mmu").public), "dbill") == told_way["lot"]["mmu"]
        with pytest.raises(Rejected, match="unknown_subject"):
            await client.trace(bytes(32))

    served(tmp_path, chain.store, test)


def test_what_is_pruned_is_gone_and_neither_unknown_nor_done(tmp_path):
    store = fill(MemoryStore(keep_blocks=KEPT), PAYMENTS).store
    old = store.history(TO_BOB)[-1]

    async def test(client):
        assert (await client.status()).kept_from == store.kept_from > old.height
        answer = await asked(client, "/v1/blocks/1")
        assert (answer.status_code, answer.json()["code"]) == (410, "pruned_block")
        assert f"kept from {store.kept_from} on" in answer.json()["detail"]
        assert (await asked(client, "/v1/blocks?from=1")).status_code == 410
        assert (await asked(client, "/v1/blocks/9999")).json()["code"] == "unknown_block"
        view = await client.transaction(old.txid)
        assert (view.state, view.height, view.raw) == (TransactionState.PRUNED, old.height, b"")
        gone = await asked(client, f"/v1/trace/{old.txid.hex()}")
        assert (gone.status_code, gone.json()["code"]) == (410, "pruned_block")

    served(tmp_path, store, test)
