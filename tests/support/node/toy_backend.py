"""An RPC backend that makes blocks on demand, served on a real unix socket by a trio thread."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import trio

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Address
from ledger.state.records import LotStatus
from ledger.types.block import Receipt
from node.client.views import (
    AccountView,
    FinalBlock,
    LotView,
    NodeStatus,
    Submission,
    SupplyView,
    TransactionState,
    TransactionView,
)
from node.shell.rpc.server import RpcServer

CHAIN = Hash(bytes([7]) * 32)
RICH = Address(bytes([1]) * 32)
LOT = LotView(
    Hash(bytes([5]) * 32), "whole", "plant", "line", 3,
    Units(9_000_000), Units(1_500_000), Units(1_000_000), Units(500_000), Units(0),
    1_800_000_000_000, LotStatus.SOUND,
)  # fmt: skip


def txid_of(raw: bytes) -> Hash:
    """Name a toy transaction."""
    return digest(Domain.TRANSACTION, raw)


class ToyBackend:
    """A node of one thread: `mine` makes what was submitted final."""

    def __init__(self) -> None:
        self.blocks = [self._make(0, ())]
        self.pool: list[bytes] = []
        self.asked: list[str] = []
        self.fails = False
        self._news = trio.Event()

    def _make(self, height: int, raws: Sequence[bytes]) -> FinalBlock:
        receipts = tuple(
            Receipt(txid_of(raw), "refused" if raw.startswith(b"bad") else "", Units(100))
            for raw in raws
        )
        name = Hash(bytes([height % 256]) * 32)
        return FinalBlock(
            height, name, Hash(bytes(32)), height, 0, 1_000 * height, RICH, tuple(raws), receipts
        )

    def mine(self) -> None:
        """Make one block of all that waits."""
        self.blocks.append(self._make(len(self.blocks), self.pool))
        self.pool = []
        self._news.set()
        self._news = trio.Event()

    def status(self) -> NodeStatus:
        self.asked.append("status")
        head = self.blocks[-1]
        return NodeStatus(
            "toy", "try", "dbill", CHAIN, head.height, head.hash, head.time_ms, head.view, 0,
            0, 3, 4, len(self.pool), Units(5_000_000), Units(1_000_000), Units(4_000_000), True,
            30.0, 60.0, 90.0, "0",
        )  # fmt: skip

    def genesis(self) -> bytes:
        return b'{"name": "try"}'

    def account(self, address: Address) -> AccountView:
        if self.fails:
            raise RuntimeError("a bug in a query")
        rich = address == RICH
        return AccountView(address, Units(2_500_000 if rich else 0), 4 if rich else 0, 5)

    def transaction(self, txid: Hash) -> TransactionView:
        self.asked.append("transaction")
        for block in self.blocks:
            for index, receipt in enumerate(block.receipts):
                if receipt.txid == txid:
                    return TransactionView(
                        txid, TransactionState.FINAL, block.height, index, block.hash,
                        block.time_ms, receipt.code, receipt.fee_units, block.transactions[index],
                    )  # fmt: skip
        waits = any(txid_of(raw) == txid for raw in self.pool)
        return TransactionView(txid, TransactionState.PENDING if waits else "unknown")

    def history(self, address: Address, before: int, limit: int) -> list[Hash]:
        heights = [block.height for block in reversed(self.blocks) if block.height < before]
        return [Hash(bytes([height]) * 32) for height in heights[:limit]]

    def block(self, height: int) -> msgspec.Raw | None:
        self.asked.append("block")
        if height >= len(self.blocks):
            return None
        return msgspec.Raw(msgspec.msgpack.encode(self.blocks[height]))

    def lots(self, limit: int) -> list[LotView]:
        return [LOT][:limit]

    def supply(self) -> SupplyView:
        return SupplyView(Units(5_000_000), Units(1_000_000), Units(4_000_000), True)

    def metrics(self) -> bytes:
        return b"billcoin_height 1\n"

    async def submit(self, raws: tuple[bytes, ...]) -> list[Submission]:
        outcomes = []
        for raw in raws:
            if raw.startswith(b"no"):
                outcomes.append(Submission(None, "malformed", "not a transaction"))
            else:
                self.pool.append(raw)
                outcomes.append(Submission(txid_of(raw), "", ""))
        return outcomes

    async def reached(self, height: int) -> None:
        while len(self.blocks) <= height:
            await self._news.wait()


class ToyNode:
    """A backend behind its unix socket, in a thread of its own."""

    def __init__(self, backend: ToyBackend, path: Path) -> None:
        self.backend, self._path = backend, path
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    async def _main(self) -> None:
        with trio.CancelScope() as self._scope:
            self._token = trio.lowlevel.current_trio_token()
            async with trio.open_nursery() as nursery:
                await nursery.start(RpcServer(self.backend, self._path).run)
                self._ready.set()

    def mine(self) -> None:
        """Make a block, in the node's own thread."""
        trio.from_thread.run_sync(self.backend.mine, trio_token=self._token)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """End the node; a second time does nothing."""
        if not self._thread.is_alive():
            return
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def toy_node(path: Path, backend: ToyBackend | None = None) -> Iterator[ToyNode]:
    """Run a toy node on a unix socket."""
    node = ToyNode(backend or ToyBackend(), path)
    node.start()
    try:
        yield node
    finally:
        node.stop()
