"""Lines, devices and permits, asked of a node over its socket and over HTTP: whole and final."""

from types import SimpleNamespace

import httpx
import pytest

from ledger.params import HOUR_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.codec import decode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, address_of
from ledger.rules.permits import ALL_METERS
from ledger.rules.portions import put
from ledger.state import Overlay
from ledger.state.doubt import Doubts
from ledger.state.lines import Line, Permit, Tip
from ledger.state.names import permit_name, tip_name
from ledger.state.proven import JudgedBy, Proven
from ledger.state.records import Device
from ledger.state.tables import (
    DEVICES,
    DOUBTS,
    LINES,
    METER_USE,
    PERMITS,
    PROVEN,
    TIPS,
)
from ledger.state.tanks import MeterPoint, MeterUse, MilkTank, Portion
from ledger.store.memory import MemoryStore
from ledger.types.milk import tank_id
from node.client.errors import Rejected
from node.core.mempool import Mempool
from node.shell.rpc.backend import NodeBackend
from node.shell.rpc.lines import device_view, milk_tank_view, proven_view
from tests.support.ledger.dairy import LINE, PLANT, Chain, key
from tests.support.ledger.lines import NAME, LinedDairy
from tests.support.node.rpc_runs import rpc_app, run_async
from tests.support.node.toy_backend import ToyBackend, toy_node

FARM = address_of(key("farm-0").public)
ALL_BYTES = 64 * 1024


class LineBackend(ToyBackend):
    """A toy that answers of lines from a store."""

    def __init__(self, store, genesis) -> None:
        super().__init__()
        machine = SimpleNamespace(mempool=Mempool())
        answers = NodeBackend("n", genesis, b"", store, machine, None, None, None)
        for name in ("line", "lines", "device", "permits", "milk_tank", "proven"):
            setattr(self, name, getattr(answers, name))


@pytest.fixture(scope="module")
def chain():
    chain = Chain(LinedDairy(), MemoryStore())
    chain.block()
    return chain


def served(folder, chain, test):
    async def whole():
        backend = LineBackend(chain.store, chain.dairy.genesis)
        with toy_node(folder / "rpc.sock", backend):
            async with rpc_app(folder) as client:
                await test(client)

    run_async(whole)


def test_a_line_is_shown_with_all_that_judges_its_window(tmp_path, chain):
    async def test(client):
        store, head = chain.store, chain.store.head()
        shown = await client.line(NAME)
        assert (shown.plant, shown.name, shown.chain_id) == (PLANT, LINE, head.chain_id)
        assert (shown.as_of_height, shown.as_of_ms) == (head.height, head.time_ms)
        line = decode(shown.record, Line, ALL_BYTES)
        assert line == LINES.get(store, NAME)
        assert decode(shown.rules, Parameters, ALL_BYTES) == chain.dairy.genesis.parameters
        assert shown.attestors == tuple(k.public for k in chain.dairy.attestor_keys)
        assert [each.key for each in shown.devices] == [each.device for each in line.devices]
        for each in shown.devices:
            assert decode(each.record, Device, ALL_BYTES) == DEVICES.get(store, each.key)
            assert each.tip == b""
        with pytest.raises(Rejected, match="no such line"):
            await client.line(bytes(32))

    served(tmp_path, chain, test)


def test_lines_are_listed_after_an_id(tmp_path, chain):
    async def test(client):
        (found,) = await client.lines()
        assert (found.id, found.plant, found.name) == (NAME, PLANT, LINE)
        assert await client.lines(NAME) == []
        before = (int.from_bytes(NAME, "big") - 1).to_bytes(32, "big")
        assert await client.lines(before, 1) == [found]
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
            shown = (await http.get("/v1/lines")).json()["lines"]
        assert shown[0]["id"] == NAME.hex()
        assert shown[0]["mmu"].startswith("dbill1")

    served(tmp_path, chain, test)


def test_a_device_is_shown_with_its_tip(tmp_path, chain):
    flow = PublicKey(key("flow_meter").public)

    async def test(client):
        shown = await client.device(flow)
        assert (shown.instrument, shown.line) == ("flow_meter", NAME)
        with pytest.raises(Rejected, match="nobody admitted"):
            await client.device(bytes(32))

    served(tmp_path, chain, test)


def test_a_tip_is_shown_as_the_state_holds_it(chain):
    flow, overlay = PublicKey(key("flow_meter").public), Overlay(chain.store)
    tip = Tip(ZERO_HASH, 1, 7, 5, 6)
    TIPS.put(overlay, tip, tip_name(NAME, flow))
    assert decode(device_view(overlay, flow).tip, Tip, ALL_BYTES) == tip
    assert decode(device_view(overlay, flow, NAME).tip, Tip, ALL_BYTES) == tip
    assert device_view(overlay, flow, Hash(bytes(32))).tip == b""


def test_a_farms_permits_are_listed(tmp_path, chain):
    async def test(client):
        (shown,) = await client.permits(FARM)
        held = PERMITS.get(chain.store, permit_name(FARM, ALL_METERS))
        assert (shown.meter, shown.litres_a_day) == (ALL_METERS, 2_000)
        assert decode(shown.record, Permit, ALL_BYTES) == held
        assert await client.permits(address_of(key("farm-1").public)) == []

    served(tmp_path, chain, test)


def test_a_tank_is_shown_with_its_milk_oldest_first(tmp_path, chain):
    dairy, meter = chain.dairy, PublicKey(key("meter-0").public)
    mmu = address_of(dairy.mmu.public)
    name, point = tank_id(mmu, PLANT, "raw"), MeterPoint(1, 2, 3, 4)
    overlay = Overlay(chain.store)
    tank = MilkTank(mmu, PLANT, "raw", 1, collected_units=3_000_000)
    late, early = (Portion(FARM, meter, at, at, units) for at, units in ((2 * HOUR_MS, 1), (7, 2)))
    put(overlay, name, tank, [late, early])
    METER_USE.put(overlay, MeterUse(point), meter)
    store = SimpleNamespace(get=overlay.get, head=chain.store.head)

    shown = milk_tank_view(store, name, 10)
    assert (shown.name, shown.held_units, shown.as_of_height) == ("raw", 3_000_000, 1)
    assert [(each.device, each.last_ms, each.units) for each in shown.portions] == [
        (meter, 7, 2),
        (meter, 2 * HOUR_MS, 1),
    ]
    assert len(milk_tank_view(store, name, 1).portions) == 1
    assert decode(shown.record, MilkTank, ALL_BYTES).name == "raw"
    assert decode(device_view(overlay, meter).use, MeterUse, ALL_BYTES).through == point

    async def test(client):
        with pytest.raises(Rejected, match="no milk ever came"):
            await client.milk_tank(name)

    served(tmp_path, chain, test)


def test_what_proved_a_lot_is_shown_with_its_attestors_and_its_time(tmp_path, chain):
    lot, root, mmu = Hash(b"l" * 32), Hash(b"r" * 32), address_of(chain.dairy.mmu.public)
    signer, overlay = PublicKey(key("attestor-0").public), Overlay(chain.store)
    proven = Proven(
        line=NAME, mmu=mmu, tank=ZERO_HASH, from_ms=1, to_ms=2, intervals=(), spans=(),
        readings_root=root, readings_count=3, attestors=(signer,), sources=(),
        judged_by=JudgedBy(None, 0, 0, 0), contestable_until_ms=4,
    )  # fmt: skip
    PROVEN.put(overlay, proven, lot)
    store = SimpleNamespace(get=overlay.get, head=chain.store.head)

    shown = proven_view(store, lot)
    assert (shown.line, shown.readings_root, shown.attestors) == (NAME, root, (signer,))
    assert (shown.contestable_until_ms, shown.doubted) == (4, False)
    assert decode(shown.record, Proven, ALL_BYTES) == proven
    DOUBTS.put(overlay, Doubts(mmu, 1, 0, Units(1)), lot)
    assert proven_view(store, lot).doubted

    async def test(client):
        with pytest.raises(Rejected, match="no window proved"):
            await client.proven(lot)

    served(tmp_path, chain, test)
