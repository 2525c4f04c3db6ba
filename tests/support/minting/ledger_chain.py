"""A node in the test's own process: a real ledger behind the gateway's `Chain`.

Every submission becomes a block at once. `away` makes it unreachable, `deaf` makes it take
transactions in and forget them.
"""

import asyncio
from types import SimpleNamespace

from iot_minting.gateway.chain import Chain
from ledger.errors.base import LedgerFault
from ledger.primitives.codec import encode
from ledger.primitives.keys import PublicKey
from ledger.state.tables import LINES, account, parameters
from ledger.transition import apply_block, check_transaction
from ledger.types.line import line_id
from ledger.types.transaction import decode_transaction
from node.client.errors import NodeUnavailable
from node.client.views import (
    AccountView,
    FinalBlock,
    NodeStatus,
    Submission,
    TransactionState,
    TransactionView,
)
from node.shell.rpc.lines import device_view, line_view, milk_tank_view, permit_views


class LedgerChain(Chain):
    """A chain of one node that is never wrong."""

    def __init__(self, dairy, now_ms):
        self.dairy, self.now_ms, self.overlay = dairy, now_ms, dairy.state()
        self.height, self.found, self.final = 0, {}, []
        self.away = self.deaf = False

    def _answer(self):
        if self.away:
            raise NodeUnavailable("test")

    async def account(self, address):
        self._answer()
        held = account(self.overlay, address)
        return AccountView(address, held.units, held.nonce, held.nonce)

    async def status(self):
        self._answer()
        fields = dict.fromkeys(NodeStatus.__struct_fields__, 0)
        told = {"height": self.height, "block_time_ms": self.now_ms()}
        return NodeStatus(**{**fields, **told})

    async def parameters(self):
        self._answer()
        return parameters(self.overlay)

    async def submit(self, raw):
        self._answer()
        transaction = decode_transaction(raw)
        if transaction.id in self.found:
            return Submission(transaction.id, "already_known", "")
        try:
            check_transaction(self.overlay, transaction, self.height + 1, None)
        except LedgerFault as fault:
            return Submission(transaction.id, fault.code, str(fault))
        if not self.deaf:
            self.include(transaction)
        return Submission(transaction.id, "", "")

    def include(self, transaction):
        self.height += 1
        context = self.dairy.context(self.height, self.now_ms())
        (receipt,) = apply_block(self.overlay, context, [transaction]).receipts
        self.found[transaction.id] = (self.height, receipt.code)
        self.final.append(
            FinalBlock(
                self.height,
                bytes(32),
                bytes(32),
                0,
                0,
                context.time_ms,
                bytes(32),
                (encode(transaction),),
                (receipt,),
            )
        )

    async def transaction(self, txid, wait_ms):
        self._answer()
        if txid not in self.found:
            return TransactionView(txid, TransactionState.UNKNOWN)
        height, code = self.found[txid]
        return TransactionView(txid, TransactionState.FINAL, height, code=code)

    def _store(self):
        """Give the state as a store that a node's views read."""
        head = SimpleNamespace(height=self.height, time_ms=self.now_ms())
        return SimpleNamespace(get=self.overlay.get, head=lambda: head, records=self._records)

    def _records(self, prefix, after, limit):
        """List a farm's permits: an overlay can't be walked, but for names that are known."""
        meters = [PublicKey(bytes(32)), *(k.key for k in self.dairy.genesis.devices)]
        names = sorted(prefix + meter for meter in meters)
        return [(name, raw) for name in names if (raw := self.overlay.get(name))][:limit]

    async def lines_of(self, mmu):
        self._answer()
        lines = [line_id(line.plant, line.line) for line in self.dairy.genesis.lines]
        return [name for name in lines if LINES.get(self.overlay, name).mmu == mmu]

    async def line(self, line):
        self._answer()
        return line_view(self._store(), line)

    async def device(self, device):
        self._answer()
        return device_view(self.overlay, device)

    async def permits(self, farm):
        self._answer()
        return permit_views(self._store(), farm, 100)

    async def milk_tank(self, tank):
        self._answer()
        return milk_tank_view(self._store(), tank, 10_000)

    async def genesis(self):
        self._answer()
        return self.dairy.genesis

    async def blocks(self, start_height):
        """Give the blocks from a height on; wait for more for ever."""
        while True:
            while start_height <= len(self.final):
                yield self.final[start_height - 1]
                start_height += 1
            await asyncio.sleep(0.01)

    async def aclose(self):
        pass
