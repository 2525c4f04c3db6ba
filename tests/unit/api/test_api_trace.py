"""Lots and traces: what a node tells of milk, told on, and nothing of who paid."""

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from api.client import PaymentsClient
from ledger.errors.store import NoMilkBehind, PrunedBlock
from ledger.genesis import Genesis
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import address_of, format_address
from ledger.rules.context import Call
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.trace import trace
from ledger.types.milk import PackLot
from ledger.types.trace import Trace
from ledger.types.transfer import Redemption
from node.client.requests import LOTS_MAX
from node.client.views import LotView, ProductLotView
from tests.support.api.client_bridge import as_partner
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig
from tests.support.ledger.dairy import Chain, Dairy, bill, key
from tests.support.ledger.milking import make_lots
from tests.support.node.fake_node import FakeNode, small_genesis
from tests.unit.api.test_api_access import on_rig

NOTHING = "ab" * 32
NO_ORDER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ALICE = key("alice")


class SoldPack:
    """A real chain on which a pack of a real lot was sold."""

    def __init__(self) -> None:
        self.chain = Chain(Dairy(), MemoryStore())
        dairy, store = self.chain.dairy, self.chain.store
        (self.lot,) = make_lots(self.chain, 1)
        mmu = address_of(key("mmu").public)
        nonce = account(store, mmu).nonce
        self.chain.block(dairy.next(store, PackLot(self.lot, 50, bill(1)), dairy.mmu))
        self.pack = Call(mmu, nonce, 0).name(Domain.PRODUCT)
        payment = dairy.pay(address_of(key("bob").public), bill(3), (self.pack, bill(2)))
        sold = dairy.next(store, payment, ALICE)
        assert self.chain.block(sold).receipts[0].code == ""
        self.sale = sold.id

    def walk(self, subject: Hash) -> Trace:
        return trace(self.chain.store, subject)


def test_a_sale_leads_through_pack_and_window_to_farms_with_a_proof_of_each_step(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        sold = SoldPack()
        rig.node.walk = sold.walk
        told = (await rig.http.get(f"/api/v1/trace/{sold.sale.hex().upper()}")).json()
        (sale,), (way,) = told["sales"], told["milk"]
        assert (told["orderId"], told["complete"]) == (None, True)
        assert sale["step"]["txHash"] == sold.sale.hex()
        assert sale["step"]["proof"] == f"/api/v1/proofs/{sold.sale.hex()}"
        assert (sale["redeemed"], way["redeemed"]) == ("2.000000", "2.000000")
        assert (way["pack"]["id"], way["pack"]["packs"]) == (sold.pack.hex(), 50)
        assert (way["lot"]["id"], way["lot"]["stock"]) == (sold.lot.hex(), False)
        assert way["window"]["readingsRoot"] == way["lot"]["readingsRoot"]
        assert way["window"]["attestors"]
        assert way["window"]["intervals"]
        assert all(one["device"] for one in way["window"]["instruments"])
        assert way["tank"]["name"] == "tank-1"
        assert len(way["farms"]) == 3
        for farm in way["farms"]:
            assert all(span["step"]["proof"] for span in farm["spans"])
        payer = format_address(address_of(ALICE.public), "dbill")
        assert payer not in json.dumps(told), "the milk's way is public, who drank it is not"
        for subject in (sold.pack, sold.lot):
            way = (await rig.http.get(f"/api/v1/trace/{subject.hex()}")).json()
            assert (way["sales"], way["milk"][0]["lot"]["id"]) == ([], sold.lot.hex())

    on_rig(database, act, ready=False)


def test_an_order_is_traced_by_its_payments_and_before_them_by_its_lots(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        sold, asked = SoldPack(), list[bytes]()

        def walk(subject: Hash) -> Trace:
            asked.append(subject)
            return sold.walk(sold.sale)

        rig.node.walk = walk
        order = await rig.order()
        told = (await rig.http.get(f"/api/v1/trace/{order['id']}")).json()
        assert told["orderId"] == order["id"]
        assert [one.hex() for one in asked] == [part["lot"] for part in order["redeem"]]
        paid = await rig.paid(order)
        for name in (str(order["id"]).lower(), order["code"]):
            asked.clear()
            told = (await rig.http.get(f"/api/v1/trace/{name}")).json()
            assert (told["orderId"], asked) == (order["id"], [paid.id])
            assert len(told["sales"]) == 1

    on_rig(database, act)


def two_lots() -> Genesis:
    """Make a chain whose milk is in two lots."""
    genesis = small_genesis()
    (lot,) = genesis.stock
    half = Units(lot.units // 2)
    two = tuple(replace(lot, name=name, units=half) for name in ("stock-1", "stock-2"))
    return replace(genesis, stock=two)


def test_what_strangers_send_before_the_customer_hides_no_payment_and_leads_to_no_other_milk(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.trace.store.SALES_MAX", 2)

    async def act(rig: ServiceRig) -> None:
        sold, asked = SoldPack(), list[bytes]()

        def walk(subject: Hash) -> Trace:
            asked.append(subject)
            return sold.walk(sold.sale)

        rig.node.walk = walk
        order = await rig.order()
        (offered,) = [Hash(bytes.fromhex(part["lot"])) for part in order["redeem"]]
        every = [lot.id for lot in await rig.node.lots(LOTS_MAX)]
        (foreign,) = [lot for lot in every if lot != offered]
        dust = list[bytes]()
        for units, lots in (
            (1, (foreign,)), (1, (offered, foreign)), (1, (offered,)), (1, (offered,)),
            (2, (offered,)),
        ):  # fmt: skip
            parts = tuple(Redemption(Hash(lot), Units(units)) for lot in lots)
            sent = await rig.signed(order, units=units * len(lots), redeem=parts)
            await rig.chain_only(sent)
            await rig.level()
            dust.append(sent.id)
        await rig.http.get(f"/api/v1/trace/{order['id']}")
        assert len(asked) == 2, "of what nobody has paid yet, the most"
        assert dust[-1] in asked
        paid = await rig.paid(order)
        asked.clear()
        told = (await rig.http.get(f"/api/v1/trace/{order['id']}")).json()
        assert asked == [dust[-1], paid.id], "in the order of the chain"
        assert not told["complete"]

    on_rig(database, act, ledger=FakeNode(two_lots()))


def test_what_is_no_milk_is_told_by_a_code_and_silence_is_no_answer(
    database: TestDatabase,
) -> None:
    def refusing(fault: Exception) -> Callable[[Hash], Trace]:
        def walk(subject: Hash) -> Trace:
            raise fault

        return walk

    async def act(rig: ServiceRig) -> None:
        async def told(path: str) -> tuple[int, str]:
            answer = await rig.http.get(f"/api/v1{path}")
            return answer.status_code, answer.json()["code"]

        assert await told(f"/trace/{NOTHING}") == (404, "NOT_FOUND")
        for name in (NO_ORDER, "nothing", "AAAAAA", "%00", NOTHING[1:], f"{NOTHING}0"):
            assert await told(f"/trace/{name}") == (404, "NOT_FOUND"), name
        rig.node.walk = refusing(NoMilkBehind(txid=NOTHING, why="it redeems none"))
        assert await told(f"/trace/{NOTHING}") == (404, "NO_MILK_BEHIND")
        rig.node.walk = refusing(PrunedBlock(height=1, kept_from=9))
        assert await told(f"/trace/{NOTHING}") == (404, "HISTORY_PRUNED")
        assert await told(f"/lots/{NOTHING}") == (404, "NOT_FOUND")
        assert await told("/lots/abc") == (400, "MALFORMED_REQUEST")
        assert await told("/lots?kind=oat") == (400, "MALFORMED_REQUEST")
        assert await told("/lots?limit=201") == (400, "MALFORMED_REQUEST")
        assert await told("/lots?cursor=abc") == (400, "MALFORMED_REQUEST")
        rig.node.silence()
        for path in (f"/trace/{NOTHING}", f"/lots/{NOTHING}", "/lots"):
            assert await told(path) == (503, "LEDGER_UNAVAILABLE")

    on_rig(database, act)


def test_a_partner_s_program_follows_milk_to_its_farms(database: TestDatabase) -> None:
    sold = SoldPack()

    def shop(payments: PaymentsClient) -> None:
        told = payments.trace(sold.sale.hex())
        (way,) = told.milk
        assert (way.lot.id, way.lot.kind, way.redeemed) == (sold.lot.hex(), "whole", "2.000000")
        assert sorted(farm.milk for farm in way.farms) == ["25.000000", "35.000000", "40.000000"]
        assert told.complete

    async def act(rig: ServiceRig) -> None:
        rig.node.walk = sold.walk
        await as_partner(rig, shop)

    on_rig(database, act, ready=False)


def many_lots(lot: LotView) -> list[LotView]:
    return [
        replace(
            lot,
            id=Hash(bytes([n]) * 32),
            height=n // 2,
            kind="goat" if n % 3 == 0 else "whole",
            status="recalled" if n == 5 else "sound",
        )
        for n in range(1, 8)
    ]


def test_lots_are_listed_newest_first_page_by_page(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        (real,) = await rig.node.lots()
        made = many_lots(real)

        async def lots(limit: int) -> list[LotView]:
            return made[:limit]

        rig.node.lots = lots  # type: ignore[method-assign]

        async def listed(query: str) -> tuple[list[str], str | None]:
            page = (await rig.http.get(f"/api/v1/lots?{query}")).json()
            assert page["hasMore"] == (page["nextCursor"] is not None)
            return [one["id"][:2] for one in page["data"]], page["nextCursor"]

        assert (await listed(""))[0] == ["07", "06", "05", "04", "03", "02", "01"]
        found, cursor, walked = *(await listed("limit=3")), list[str]()
        while cursor:
            walked += found
            found, cursor = await listed(f"limit=3&cursor={cursor}")
        assert walked + found == ["07", "06", "05", "04", "03", "02", "01"]
        assert (await listed("kind=goat"))[0] == ["06", "03"]
        assert (await listed("status=recalled"))[0] == ["05"]
        _, cursor = await listed("limit=3")
        other = await rig.http.get(f"/api/v1/lots?kind=goat&cursor={cursor}")
        assert other.status_code == 400, "a cursor is of the list that gave it"

    on_rig(database, act)


def test_a_lot_is_shown_with_its_packs_and_what_of_it_is_left(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        (lot,) = await rig.node.lots()
        rig.node.packed = [
            ProductLotView(
                id=Hash(bytes([n]) * 32),
                lot=lot.id,
                height=n,
                packs=10,
                pack_units=bill(1),
                sold_units=bill(n % 10),
                left_units=bill(10 - n % 10),
                reserved_units=bill(0),
            )
            for n in range(1, 202)
        ]
        told = (await rig.http.get(f"/api/v1/lots/{lot.id.hex()}")).json()
        assert (told["kind"], told["status"]) == ("whole", "sound")
        assert told["minted"] == told["remaining"] == told["loose"] == "10000.000000"
        assert told["products"][2] == {
            "id": "03" * 32, "height": 3, "packs": 10,
            "pack": "1.000000", "sold": "3.000000", "left": "7.000000",
        }  # fmt: skip
        assert (len(told["products"]), told["moreProducts"]) == (200, True)

    on_rig(database, act)
