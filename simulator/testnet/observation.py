"""Gather a run's figures over the interfaces that everyone has, and from the shopper's own record.

Each validator is asked by itself and in its own time limit: one that hangs delays no other. The
observer holds nothing that the network needs; if it fails, the network goes on.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from node.client.errors import ClientFault
from node.client.http import NodeClient
from node.client.views import FinalBlock, NodeStatus
from simulator.dairy.record import DEEDS_FILE, PURCHASES_FILE, DeedRecord
from simulator.dairy.record import PurchaseRecord as PurchaseLine
from simulator.testnet.figures import (
    LOTS_SHOWN_MAX,
    Figures,
    Finality,
    LotReport,
    NodeReport,
    Purchase,
)
from simulator.testnet.supervisor import now_ms

ASK_TIMEOUT_S: Final = 2.0
LOTS_EVERY_ROUNDS: Final = 3
FORKS_EVERY_ROUNDS: Final = 5
LINE_BYTES_MAX: Final = 4_096
READ_BYTES_MAX: Final = 1_000_000
"""How much of the shopper's record one round reads; the next round goes on from there."""
OPENING_PLANT: Final = "opening"


Line = TypeVar("Line")


class RecordTail(Generic[Line]):
    """Reads what was appended to one of the shopper's records since this run began."""

    def __init__(self, path: Path, kind: type[Line]) -> None:
        self._path, self._kind = path, kind
        self._offset = path.stat().st_size if path.exists() else 0

    def read(self) -> list[Line]:
        """Give the new whole lines; a line of another shape is passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                raw = file.read(READ_BYTES_MAX)
        except FileNotFoundError:
            return []
        whole = raw[: raw.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = list[Line]()
        for line in whole.splitlines():
            try:
                found.append(msgspec.json.decode(line[:LINE_BYTES_MAX], type=self._kind))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        return found


class Observer:
    """Asks every validator, round by round, and keeps the figures."""

    def __init__(
        self,
        nodes: Mapping[str, str],
        shopper: Path,
        figures: Figures,
        connect: Callable[[str], NodeClient] = NodeClient,
    ) -> None:
        self.figures = figures
        self._connect = connect
        self._urls = dict(nodes)
        self._clients: dict[str, NodeClient] = {}
        self._purchases = RecordTail(shopper / PURCHASES_FILE, PurchaseLine)
        self._deeds = RecordTail(shopper / DEEDS_FILE, DeedRecord)
        self._rounds = 0
        self._started_ms = now_ms()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Observer":
        for name, url in self._urls.items():
            self._clients[name] = await self._open.enter_async_context(self._connect(url))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def passed_ms(self) -> int:
        """Give the time since the observer was made."""
        return now_ms() - self._started_ms

    async def observe(self) -> None:
        """Ask everyone once."""
        await asyncio.gather(*(self._ask(name) for name in self._clients))
        self.figures.mark(self.passed_ms)
        self.read_records()
        if self._rounds % LOTS_EVERY_ROUNDS == 0:
            await self._ask_market()
        if self._rounds % FORKS_EVERY_ROUNDS == 0:
            await self.compare()
        self._rounds += 1

    def read_records(self) -> None:
        """Take in what the shopper recorded since the last time."""
        for deed in self._deeds.read():
            self.figures.take_deed(deed.kind, _hour(deed.at), deed.what, deed.count)
        for line in self._purchases.read():
            if not line.valid:
                continue
            self.figures.validate.add(line.latency_ms)
            shown = Purchase(_hour(line.at), f"order …{line.order_id[-6:]}", line.latency_ms)
            self.figures.purchases.appendleft(shown)

    async def compare(self) -> None:
        """Compare the validators' chains. A block's hash commits to all blocks before it.

        So two validators whose hashes agree at a height agree on everything below it, and one
        look at the lowest common height is a comparison of all common heights.
        """
        low = min((node.height for node in self.figures.nodes.values()), default=0)
        if low < 1:
            return
        found = await asyncio.gather(*(self._block(name, low) for name in self._clients))
        hashes = {block.hash for block in found if block is not None}
        self.figures.forks = max(self.figures.forks, len(hashes) - 1)

    async def _block(self, name: str, height: int) -> FinalBlock | None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                return await self._clients[name].block(height)
        except (ClientFault, TimeoutError):
            return None

    async def _ask(self, name: str) -> None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                status = await self._clients[name].status()
        except (ClientFault, TimeoutError):
            self.figures.miss_node(name)
            return
        self.figures.take_node(name, _report(status), self.passed_ms)

    async def _ask_market(self) -> None:
        """Ask the first validator that answers for the newest lots and the price."""
        for name, client in self._clients.items():
            if name in self.figures.silent:
                continue
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    lots = await client.lots(LOTS_SHOWN_MAX + 2)
                    price = await client.price()
            except (ClientFault, TimeoutError):
                continue
            self.figures.lots = [
                LotReport(
                    lot.id.hex()[:8], lot.kind, int(lot.minted_units), int(lot.remaining_units)
                )
                for lot in lots
                if lot.plant != OPENING_PLANT
            ]
            self.figures.litre_micro_myr = price.litre_micro_myr or None
            return


def _hour(at: str) -> str:
    """Cut the hour out of an ISO 8601 time."""
    return at[11:19]


def _report(status: NodeStatus) -> NodeReport:
    measured = status.finality_p50_ms > 0
    return NodeReport(
        height=status.height,
        view=status.view,
        peers=status.peers,
        epoch=status.epoch,
        head_hash=status.block_hash.hex(),
        pending=status.pending,
        finality=Finality(status.finality_p50_ms, status.finality_p95_ms, status.finality_p99_ms)
        if measured
        else None,
        minted_units=int(status.minted_units),
        redeemed_units=int(status.redeemed_units),
        supply_units=int(status.supply_units),
        supply_ok=status.supply_ok,
        clock_ahead_ms=status.clock_ahead_ms,
    )
