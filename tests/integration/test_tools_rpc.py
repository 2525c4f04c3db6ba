"""History pages, blocks by time, farms' lots and traces over HTTP, from a real store."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import typer
from typer.testing import CliRunner

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import address_of, format_address
from ledger.rules.context import Call
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.types.milk import PackLot
from node.cli.lots import lots
from node.cli.trace import trace
from node.client.errors import Rejected
from node.client.views import TransactionState
from node.core.mempool import Mempool, Waiting
from node.shell.rpc.backend import NodeBackend
from tests.support.ledger.dairy import GENESIS_MS, Dairy, bill, key
from tests.support.ledger.milking import Milking
from tests.support.node.final_chain import TO_BOB, fill
from tests.support.node.rpc_runs import rpc_app, run_async
from tests.support.node.toy_backend import ToyBackend, toy_node

FARM = address_of(Dairy().farm_keys[0].public)
LOT = Milking(Dairy()).next().lot
PAYMENTS = 30
KEPT = 28
"""More than the RPC process asks for when it connects, fewer than there are."""


class StoreBackend(ToyBackend):
    """The answers of a store, with a toy's status."""

    def __init__(self, store) -> None:
        super().__init__()
        genesis = Dairy().genesis
        self._store = store
        machine = SimpleNamespace(mempool=Mempool())
        self.waiting = machine.mempool
        self._answers = NodeBackend("n", genesis, b"", store, machine, None, None, None)
        for name in (
            "history_page", "block_at", "farm_lots", "lots", "lot", "lot_products", "trace",
            "block", "transaction",
        ):  # fmt: skip
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


def served(folder: Path, store, test, waiting=()) -> None:
    async def whole():
        backend = StoreBackend(store)
        for transaction in waiting:
            raw, sender = encode(transaction), transaction.sender
            nonce = transaction.intent.nonce
            backend.waiting.add(Waiting(transaction.id, transaction, raw, sender, 0), nonce)
        with toy_node(folder / "rpc.sock", backend):
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


def packed(chain):
    """Pack forty litres of the lot in two sizes, sell of both; leave a payment waiting."""
    dairy, store = chain.dairy, chain.store
    packs = []
    for each in (bill(1), bill(2)):
        nonce = account(store, address_of(dairy.mmu.public)).nonce
        chain.block(dairy.next(store, PackLot(LOT, 20 * bill(1) // each, each), dairy.mmu))
        packs.append(Call(address_of(dairy.mmu.public), nonce, 0).name(Domain.PRODUCT))
    basket = sorted([(pack, bill(2)) for pack in packs])
    chain.block(dairy.next(store, dairy.pay(TO_BOB, bill(4), *basket), key("alice")))
    waits = sorted([(LOT, 5), (packs[0], 7)])
    return packs, dairy.next(store, dairy.pay(TO_BOB, bill(1), *waits), key("alice"))


def test_a_lot_tells_what_is_loose_in_packs_and_reserved_and_its_product_lots(tmp_path, chain):
    packs, waiting = packed(chain)
    app = typer.Typer()
    app.command()(lots)

    async def told(client, *words):
        words = [*words, "--node", client.base_url]
        return await asyncio.to_thread(CliRunner().invoke, app, words)

    async def test(client):
        lot = await client.lot(LOT)
        assert (lot.id, lot.status) == (LOT, "sound")
        assert lot in await client.lots()
        assert lot.remaining_units == lot.loose_units + lot.packed_unsold_units
        assert (lot.packed_unsold_units, lot.reserved_units) == (bill(36), 5)
        newest, older = await client.lot_products(LOT)
        assert [newest.id, older.id] == packs[::-1]
        assert await client.lot_products(LOT, (newest.height, newest.id)) == [older]
        assert [newest.pack_units, older.pack_units] == [bill(2), bill(1)]
        assert [each.left_units for each in (newest, older)] == [bill(18)] * 2
        assert [each.sold_units for each in (newest, older)] == [bill(2)] * 2
        assert [each.reserved_units for each in (newest, older)] == [0, 7]
        with pytest.raises(Rejected, match="unknown_lot"):
            await client.lot(packs[0])
        assert await client.lot_products(packs[0]) == []
        shown = json.loads((await told(client, LOT.hex(), "--json")).stdout)
        assert shown["lots"] == [(await asked(client, f"/v1/lots/{LOT.hex()}")).json()]
        path = f"/v1/lots/{LOT.hex()}/products"
        assert shown["products"] == (await asked(client, path)).json()["products"]
        text = (await told(client, LOT.hex())).stdout
        assert "36.000000 in packs" in text
        assert "0.000005 of the loose reserved" in text
        assert "18.000000 litres left, 0.000007 of them reserved" in text
        assert LOT.hex() in (await told(client)).stdout
        assert "64 digits of hex" in str((await told(client, "x")).exception)

    served(tmp_path, chain.store, test, [waiting])


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
