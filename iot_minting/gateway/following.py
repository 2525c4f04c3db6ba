"""Following: the facts of one MMU, asked anew of the nodes when a final block may change them.

A collection changes its meter and a tank; anything else of lines, devices, permits, tanks or
parameters makes all stale, and so does `ALL_STALE_MS`, since some facts change with time alone.
Answers of a node that is behind the last final block seen are not taken.
"""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from iot_minting.even_clock import steady_ms
from iot_minting.gateway.chain import Chain
from iot_minting.gateway.collecting import FarmMeter
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.facts import ChainFacts
from iot_minting.gateway.pieces import BEGINNING, ChainFloor, done_with
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.views import read_meter, read_tank
from iot_minting.wire.line_facts import read_facts
from ledger.evidence import LineFacts
from ledger.genesis import Genesis
from ledger.params import DAY_MS, HOUR_MS, Parameters
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.state.lines import Tip
from ledger.types.evidence import Instrument
from ledger.types.governance import GovernanceBody
from ledger.types.line import LineBody, RegisterLine
from ledger.types.milk import MilkBody, tank_id
from ledger.types.registry import RegistryBody
from ledger.types.tank import TankBody
from ledger.types.transaction import decode_transaction
from ledger.types.window import CollectMilk, MintWindow
from node.client.errors import NodeUnavailable
from node.client.views import FinalBlock

ALL_STALE_MS: Final = 30_000

log = structlog.get_logger("mint.following")

_MOVES_FACTS: Final = (RegistryBody, GovernanceBody, LineBody, MilkBody, TankBody, MintWindow)


class TankNames:
    """Names of tanks by their ids, which are all that records have. `keep` makes one durable."""

    def __init__(
        self, genesis: Genesis, kept: Mapping[Hash, str], keep: Callable[[Hash, str], None]
    ) -> None:
        self._keep = keep
        self.known = {
            **{tank_id(line.mmu, line.plant, line.tank): line.tank for line in genesis.lines},
            **kept,
        }

    def learn(self, mmu: Address, plant: str, name: str) -> None:
        """Take in a tank's name."""
        tank = tank_id(mmu, plant, name)
        if tank not in self.known:
            self._keep(tank, name)
            self.known[tank] = name


class Following:
    """What final blocks say of one MMU's lines, meters and tanks."""

    def __init__(
        self,
        chain: Chain,
        registry: Registry,
        rules: Parameters,
        mmu: Address,
        names: TankNames,
        meter_tanks: Mapping[str, str],
    ) -> None:
        self._chain = chain
        self._registry = registry
        self._mmu = mmu
        self._names = names
        self._meter_tanks = meter_tanks
        self._rules = rules
        self._height = self._time_ms = 0
        self._all_stale = True
        self._asked_ms = 0
        self._stale_meters: set[PublicKey] = set()
        self._lines: dict[Hash, LineFacts] = {}
        self._tanks: dict[Hash, tuple[TankMilk, ...]] = {}
        self._meters: dict[PublicKey, FarmMeter] = {}
        self._stopped_ms: dict[PublicKey, int] = {}
        self._attestors: tuple[PublicKey, ...] = ()

    def note(self, block: FinalBlock) -> None:
        """Note what a final block makes stale."""
        self._height, self._time_ms = block.height, block.time_ms
        for raw, receipt in zip(block.transactions, block.receipts, strict=True):
            if receipt.code:
                continue
            try:
                body = decode_transaction(raw).intent.body
            except CodecFault:
                self._all_stale = True  # A kind that is newer than this gateway.
                continue
            if isinstance(body, CollectMilk):
                self._stale_meters.add(PublicKey(body.meter))
            elif isinstance(body, _MOVES_FACTS):
                self._all_stale = True
            if isinstance(body, RegisterLine):
                self._names.learn(body.mmu, body.plant, body.tank)

    def tip(self, device: PublicKey) -> Tip | None:
        """Give where a device's chain stands on the chain, as of the facts fetched last."""
        for line in list(self._lines.values()):
            if (found := line.tips.get(device)) is not None:
                return found
        return None

    def floor(self, device: PublicKey) -> ChainFloor | None:
        """Give up to where a device is done with, as of the facts fetched last; None if not known.

        A gauge may stand on several lines: of those, what the one that is furthest behind needs.
        """
        lines = [
            each
            for each in list(self._lines.values())
            if any(entry.device == device for entry in each.line.devices)
        ]
        if lines:
            return min((_line_floor(each, device) for each in lines), key=lambda each: each.done)
        if (meter := self._meters.get(device)) is None:
            return None
        late_ms = self._rules.collection_late_ms_max + DAY_MS
        done = min(stretch.after for stretch in meter.open)
        return ChainFloor(done, None, max(0, self._time_ms - late_ms))

    def plant_of(self, subject: bytes) -> str:
        """Name the plant of a line or a device; nothing while it is not known."""
        line, device = self._lines.get(Hash(subject)), self._registry.find(PublicKey(subject))
        if line is not None:
            return line.line.plant
        return "" if device is None else device.plant

    async def fetch(self) -> ChainFacts:
        """Give the facts as of the last final block; raise a `ClientFault` if no node has them."""
        height = self._height
        everything = self._all_stale or steady_ms() - self._asked_ms > ALL_STALE_MS
        # What becomes stale while nodes are asked stays stale.
        stale, self._stale_meters = self._stale_meters, set()
        self._all_stale = False
        try:
            if everything:
                await self._fetch_all(height)
                self._asked_ms = steady_ms()
            elif stale:
                await self._fetch_meters(stale & self._meters.keys())
        except BaseException:
            self._all_stale = self._all_stale or everything
            self._stale_meters |= stale
            raise
        return ChainFacts(
            self._mmu,
            height,
            self._time_ms,
            self._rules,
            dict(self._lines),
            dict(self._tanks),
            dict(self._meters),
            self._attestors,
        )

    async def _fetch_all(self, height: int) -> None:
        lines: dict[Hash, LineFacts] = {}
        for name in await self._chain.lines_of(self._mmu):
            view = await self._chain.line(name)
            if view.as_of_height < height:
                raise NodeUnavailable(f"a node is at {view.as_of_height}, {height} is final")
            lines[name] = read_facts(view)
            self._rules, self._attestors = lines[name].rules, view.attestors
            self._time_ms = max(self._time_ms, view.as_of_ms)
        self._lines = lines
        plants = {line.line.plant for line in lines.values()}
        ours = {
            each.key
            for each in self._registry
            if each.kind is Instrument.MILK_METER and each.plant in plants
        }
        await self._fetch_meters(ours)
        self._meters = {key: self._meters[key] for key in ours}

    async def _fetch_meters(self, keys: set[PublicKey]) -> None:
        """Ask for meters and their farms' permits, then for what is in the tanks."""
        for key in sorted(keys):
            device = await self._chain.device(key)
            self._stopped_ms[key] = device.stopped_ms
            tank = self._tank_of(key, device.plant)
            permits = await self._chain.permits(device.operator)
            self._meters[key] = read_meter(device, permits, self._mmu, tank, self._time_ms)
        for name in {Hash(line.line.tank) for line in self._lines.values()}:
            view = await self._chain.milk_tank(name)
            self._tanks[name] = () if view is None else read_tank(view, self._is_void)

    def _is_void(self, device: PublicKey, at_ms: int) -> bool:
        return self._stopped_ms.get(device, 2**53) <= at_ms

    def _tank_of(self, meter: PublicKey, plant: str) -> str:
        """Name the tank that a meter's milk flows into: as configured, or its plant's only one."""
        tanks = {Hash(line.line.tank) for line in self._lines.values() if line.line.plant == plant}
        named = {self._names.known[tank] for tank in tanks if tank in self._names.known}
        return self._meter_tanks.get(meter.hex(), named.pop() if len(named) == 1 else "")


def _line_floor(line: LineFacts, device: PublicKey) -> ChainFloor:
    tip = line.tips.get(device)
    if tip is not None:
        return ChainFloor(done_with(tip), Hash(tip.digest), 0)
    return ChainFloor(BEGINNING, None, max(0, line.line.through_ms - HOUR_MS))
