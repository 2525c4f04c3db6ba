"""What can be asked of a running node, answered from the store and the machine.

A method for every row of `node.client.queries`. Reads only, on the validator's own loop: each
answer is a few look-ups. The newest blocks are kept encoded as they became final, since every
follower wants exactly these.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Final

import msgspec
import trio
from msgspec import Raw

from ledger.errors.store import PrunedBlock, StoreFault
from ledger.genesis import Genesis
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.vouchers import attestor_bond
from ledger.state.tables import account, parameters, supply
from ledger.store.chain import ChainStore
from ledger.store.schema import Finalized, Head
from ledger.trace import trace
from ledger.types.transaction import TxId
from node.client.views import (
    AccountView,
    HistoryView,
    LotView,
    NodeStatus,
    ParametersView,
    PriceView,
    ProductLotView,
    Submission,
    SupplyView,
    TraceAnswer,
    TransactionState,
    TransactionView,
)
from node.core.machine import Machine
from node.core.proving import ProofAnswer, Prover
from node.shell.p2p.transport import Transport
from node.shell.rpc.blocks import final_block
from node.shell.rpc.lines import LineAnswers
from node.shell.rpc.lots import lot_view, product_view
from node.shell.rpc.price import price_view
from node.shell.telemetry import Telemetry

BLOCKS_KEPT: Final = 64
VERSION: Final = version("billcoin")
_encode = msgspec.msgpack.Encoder().encode


class NodeBackend(LineAnswers):
    """The backend of the RPC: one node's answers."""

    def __init__(
        self,
        name: str,
        genesis: Genesis,
        genesis_text: bytes,
        store: ChainStore,
        machine: Machine,
        transport: Transport,
        telemetry: Telemetry,
        submit: Callable[[tuple[bytes, ...]], Awaitable[Sequence[Submission]]],
    ) -> None:
        super().__init__(store)
        self._name = name
        self._genesis, self._genesis_text = genesis, genesis_text
        self._machine = machine
        self._transport, self._telemetry = transport, telemetry
        self._submit = submit
        self._prover = Prover(store)
        self._kept: OrderedDict[int, Raw] = OrderedDict()
        self._news = trio.Event()
        self._finalized_ms = 0

    def committed(self, steps: Sequence[Finalized], now_ms: int) -> None:
        """Learn that blocks are in the store; wake who waits for them."""
        self._finalized_ms = now_ms
        for step in steps:
            block = final_block(step.block, step.receipts)
            self._kept[block.height] = Raw(_encode(block))
            failed = sum(1 for receipt in step.receipts if receipt.code)
            latency_ms = now_ms - block.time_ms
            self._telemetry.saw_final(latency_ms, len(block.transactions), failed)
        while len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)
        self._news.set()
        self._news = trio.Event()

    def _head(self) -> Head:
        head = self._store.head()
        assert head is not None, "the store was begun before the node"
        return head

    def status(self) -> NodeStatus:
        """Tell where the node stands."""
        head, books = self._head(), self.supply()
        p50, p95, p99 = self._telemetry.finality_ms()
        return NodeStatus(
            name=self._name,
            network=self._genesis.name,
            prefix=self._genesis.prefix,
            chain_id=head.chain_id,
            height=head.height,
            block_hash=head.hash,
            block_time_ms=head.time_ms,
            view=head.view,
            epoch=head.epoch,
            finalized_ms=self._finalized_ms,
            clock_ahead_ms=_ahead_ms(head),
            peers=len(self._transport.peers_up()),
            validators=len(self._machine.application.plan.committee.seats),
            pending=len(self._machine.mempool),
            minted_units=books.minted_units,
            redeemed_units=books.redeemed_units,
            supply_units=books.supply_units,
            supply_ok=books.ok,
            finality_p50_ms=p50,
            finality_p95_ms=p95,
            finality_p99_ms=p99,
            version=VERSION,
            kept_from=self._store.kept_from,
        )

    def genesis(self) -> bytes:
        """Give the genesis file."""
        return self._genesis_text

    def account(self, address: Address) -> AccountView:
        """Look an account up."""
        held = account(self._store, address)
        pending = self._machine.mempool.expected_nonce(address, held.nonce)
        bond_units = attestor_bond(self._store, address)
        return AccountView(address, held.units, held.nonce, pending, bond_units)

    def transaction(self, txid: Hash) -> TransactionView:
        """Look a transaction up, in the chain and in the pool."""
        try:
            found = self._store.transaction(txid)
        except PrunedBlock:
            return self._pruned(txid)
        if found is None:
            waiting = self._machine.mempool.get(TxId(txid))
            if waiting is None:
                return TransactionView(txid, TransactionState.UNKNOWN)
            return TransactionView(txid, TransactionState.PENDING, raw=waiting.raw)
        stored = self._store.block(found.height)
        assert stored is not None, "a final transaction stands in a stored block"
        return TransactionView(
            txid=txid,
            state=TransactionState.FINAL,
            height=found.height,
            index=found.index,
            block_hash=stored.block.header.hash(),
            time_ms=stored.block.header.time_ms,
            code=found.receipt.code,
            fee_units=found.receipt.fee_units,
            raw=found.raw,
        )

    def _pruned(self, txid: Hash) -> TransactionView:
        """Say of a transaction whose body is gone where it is, and not what became of it."""
        at = self._store.place_of(txid)
        header = None if at is None else self._store.header(at.height)
        assert at is not None, "what is pruned is indexed"
        assert header is not None, "headers stay"
        return TransactionView(
            txid, TransactionState.PRUNED, at.height, at.index, header.hash(), header.time_ms
        )

    def history(self, address: Address, before: int, limit: int) -> list[Hash]:
        """List an account's transactions below a height, newest first."""
        return [entry.txid for entry in self._store.history(address, (before, 0), limit)]

    def history_page(
        self, address: Address, before: int, index: int, limit: int
    ) -> list[HistoryView]:
        """List an account's transactions below a height and index, newest first."""
        return [
            HistoryView(entry.txid, entry.height, entry.index)
            for entry in self._store.history(address, (before, index), limit)
        ]

    def block_at(self, time_ms: int) -> int | None:
        """Find the last block that is not after a time; give its height."""
        return self._store.height_at(time_ms)

    def trace(self, subject: Hash) -> TraceAnswer:
        """Walk from a payment, pack, lot or run back to the farms."""
        try:
            return TraceAnswer(trace(self._store, subject))
        except StoreFault as fault:
            return TraceAnswer(None, fault.code, str(fault))

    def block(self, height: int) -> Raw | None:
        """Give the encoded `FinalBlock` of a height; None above the head, and when pruned."""
        if (kept := self._kept.get(height)) is not None:
            return kept
        stored = self._store.block(height)
        if stored is None:
            return None
        return Raw(_encode(final_block(stored.block, stored.receipts)))

    def lots(self, limit: int) -> list[LotView]:
        """List the newest lots."""
        reserved = self._machine.mempool.reserved_units
        return [lot_view(entry, reserved) for entry in self._store.lots(limit)]

    def farm_lots(self, farm: Address, before: int, lot: Hash, limit: int) -> list[LotView]:
        """List the lots with a farm's milk below a height and lot, newest first."""
        reserved = self._machine.mempool.reserved_units
        entries = self._store.farm_lots(farm, limit, (before, lot))
        return [lot_view(entry, reserved) for entry in entries]

    def lot(self, lot: Hash) -> LotView | None:
        """Show a lot; None if there is none."""
        entry = self._store.lot(lot)
        return None if entry is None else lot_view(entry, self._machine.mempool.reserved_units)

    def lot_products(
        self, lot: Hash, before: int, product: Hash, limit: int
    ) -> list[ProductLotView]:
        """List a lot's product lots below a height and product lot, newest first."""
        reserved = self._machine.mempool.reserved_units
        entries = self._store.products(lot, limit, (before, product))
        return [product_view(entry, reserved) for entry in entries]

    def supply(self) -> SupplyView:
        """Count the tokens; `ok` if minted minus redeemed is what remains in lots or deficit."""
        books = supply(self._store)
        ok = books.units == books.remaining_units + books.deficit_units
        return SupplyView(books.minted_units, books.redeemed_units, Units(books.units), ok)

    def parameters(self) -> ParametersView:
        """Tell the numbers of the law in force."""
        rules = parameters(self._store)
        return ParametersView(
            as_of_height=self._head().height,
            fee_least_units=rules.fee_least_units,
            record=encode(rules),
        )

    def price(self) -> PriceView:
        """Tell what a litre costs, and how the open round stands."""
        head = self._head()
        return price_view(self._store, head.height, head.time_ms)

    def proof(self, txid: Hash, from_epoch: int) -> ProofAnswer:
        """Collect the material of a transaction's finality proof."""
        return self._prover.collect(txid, from_epoch)

    def metrics(self) -> bytes:
        """Write the metrics in Prometheus' text format."""
        head = self._head()
        self._telemetry.height.set(head.height)
        self._telemetry.ahead.set(_ahead_ms(head) / 1_000)
        self._telemetry.view.set(head.view)
        self._telemetry.peers.set(len(self._transport.peers_up()))
        self._telemetry.forks.set(self._machine.forks)
        self._telemetry.pending.set(len(self._machine.mempool))
        return self._telemetry.render(self._transport.counters)

    async def submit(self, raws: tuple[bytes, ...]) -> Sequence[Submission]:
        """Hand transactions in; answer when each is taken in or refused."""
        return await self._submit(raws)

    async def reached(self, height: int) -> None:
        """Wait until a block of this height is final."""
        while self._head().height < height:
            await self._news.wait()


def _ahead_ms(head: Head) -> int:
    """Tell how far the last final block is dated ahead of this machine's clock."""
    return max(0, head.time_ms - time.time_ns() // 1_000_000)
