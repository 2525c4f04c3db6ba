"""The way to a node for everyone above it: payments, minting, commands.

A `NodeClient` speaks HTTP and MessagePack to a node's RPC process. Ids and keys are bytes, amounts
whole units. Whatever goes wrong is one of two faults: `NodeUnavailable` (try again, perhaps
elsewhere) or `Rejected` (do not). Tests give it another `httpx.AsyncBaseTransport`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import httpx
import msgspec

from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.types.trace import Trace
from node.client import requests
from node.client.answers import decode_answer, raise_for
from node.client.asking import Asker
from node.client.errors import NodeUnavailable, WireFault
from node.client.failover import PATIENCE_S
from node.client.framing import FrameDecoder
from node.client.line_queries import (
    DEVICE,
    LINE,
    LINES,
    LINES_PAGE,
    MILK_TANK,
    PERMITS,
    PORTIONS_PAGE,
    PROVEN,
)
from node.client.line_views import (
    DeviceView,
    LineSummary,
    LineView,
    MilkTankView,
    PermitView,
    ProvenView,
)
from node.client.parameters import NUMBER_MAX
from node.client.queries import (
    ACCOUNT,
    BLOCK,
    BLOCK_AT,
    BLOCKS,
    FARM_LOTS,
    GENESIS,
    HISTORY,
    HISTORY_PAGE,
    HISTORY_PAGES,
    LOT,
    LOT_PRODUCTS,
    LOTS,
    LOTS_PAGE,
    PARAMETERS,
    PRICE,
    PROOF,
    STATUS,
    SUBMIT,
    SUPPLY,
    TRACE,
    TRANSACTION,
)
from node.client.views import (
    AccountView,
    FinalBlock,
    HistoryView,
    LotView,
    NodeStatus,
    ParametersView,
    PriceView,
    ProductLotView,
    Submission,
    SupplyView,
    TransactionView,
)

BLOCK_BYTES_MAX: Final = 16 * 1024 * 1024
SUBMISSIONS_A_SECOND: Final = 1_000
"""What the slowest node of use verifies: a large batch is given time in proportion."""
LONG_PATIENCE_S: Final = 10.0
"""For answers that a node gathers from many blocks."""
RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 2.0


class NodeClient(Asker):
    """A connection pool to a node, or to the first of several that answers.

    Use as an async context, or `aclose` it. The package's head has examples, and says what raises.
    """

    async def status(self) -> NodeStatus:
        """Ask where the node stands."""
        return await self._ask(STATUS, requests.GetStatus())

    async def genesis(self) -> bytes:
        """Fetch the genesis file, as `parse_genesis` reads it."""
        return await self._ask(GENESIS, requests.GetGenesis())

    async def submit(self, raws: Sequence[bytes]) -> list[Submission]:
        """Hand in encoded transactions (at most 5,000); one answer each, in order.

        A refusal of a transaction is an answer with a `code`, not a fault.
        """
        if not raws:
            return []
        body = msgspec.msgpack.encode(list(raws))
        response = await self._request(
            SUBMIT.method,
            SUBMIT.path,
            content=body,
            patience_s=PATIENCE_S + len(raws) / SUBMISSIONS_A_SECOND,
            repeatable=True,  # A transaction's id is its own key: a node takes it once.
        )
        return decode_answer(response.content, SUBMIT.answer)

    async def account(self, address: Address) -> AccountView:
        """Look an account up, as of the last final block; one that was never used is empty."""
        return await self._ask(ACCOUNT, requests.GetAccount(address))

    async def history(
        self, address: Address, *, before: int = NUMBER_MAX, limit: int = HISTORY_PAGE
    ) -> list[Hash]:
        """List the ids of an account's transactions below a height, newest first."""
        return await self._ask(HISTORY, requests.GetHistory(address, before, limit))

    async def transaction(self, txid: bytes, wait_ms: int = 0) -> TransactionView:
        """Look a transaction up; wait up to `wait_ms` (at most 10,000) for it to be final."""
        patience_s = PATIENCE_S + wait_ms / 1_000
        return await self._ask(
            TRANSACTION, requests.GetTransaction(Hash(txid)), wait_ms, patience_s=patience_s
        )

    async def block(self, height: int) -> FinalBlock:
        """Fetch a finalized block; `Rejected` with `unknown_block` above the head."""
        return await self._ask(BLOCK, requests.GetBlock(height))

    async def block_at(self, time_ms: int) -> FinalBlock:
        """Fetch the last finalized block that is not after a time (UTC milliseconds)."""
        return await self._ask(BLOCK_AT, requests.GetHeightAt(time_ms))

    async def history_page(
        self,
        address: Address,
        before: tuple[int, int] = (NUMBER_MAX, 0),
        limit: int = HISTORY_PAGE,
    ) -> list[HistoryView]:
        """List an account's transactions below a (height, index), newest first."""
        return await self._ask(HISTORY_PAGES, requests.GetHistoryPage(address, *before, limit))

    async def farm_lots(
        self,
        farm: Address,
        before: tuple[int, Hash] = (NUMBER_MAX, ZERO_HASH),
        limit: int = LOTS_PAGE,
    ) -> list[LotView]:
        """List the lots with a farm's milk below a (height, lot), newest first."""
        return await self._ask(FARM_LOTS, requests.GetFarmLots(farm, *before, limit))

    async def trace(self, subject: bytes) -> Trace:
        """Walk from a payment, pack, lot or run back to the farms, block by block.

        `Rejected` with `unknown_subject`, `no_milk_behind`, or `pruned_block` on a pruned node.
        """
        return await self._ask(TRACE, requests.GetTrace(Hash(subject)), patience_s=LONG_PATIENCE_S)

    async def lots(self, limit: int = LOTS_PAGE) -> list[LotView]:
        """List the newest lots, at most `limit`."""
        return await self._ask(LOTS, requests.GetLots(limit))

    async def lot(self, lot: bytes) -> LotView:
        """Show one lot; `Rejected` with `unknown_lot` if there is none."""
        return await self._ask(LOT, requests.GetLot(Hash(lot)))

    async def lot_products(
        self,
        lot: bytes,
        before: tuple[int, Hash] = (NUMBER_MAX, ZERO_HASH),
        limit: int = LOTS_PAGE,
    ) -> list[ProductLotView]:
        """List a lot's product lots below a (height, product lot), newest first."""
        return await self._ask(LOT_PRODUCTS, requests.GetLotProducts(Hash(lot), *before, limit))

    async def line(self, line: bytes) -> LineView:
        """Show a line with its devices, tips and the rules, all of one final state.

        `ledger.types.line.line_id` names a line. `Rejected` with `unknown_line` if there is none.
        """
        return await self._ask(LINE, requests.GetLine(Hash(line)))

    async def lines(self, after: bytes = ZERO_HASH, limit: int = LINES_PAGE) -> list[LineSummary]:
        """List the lines of all plants by ascending id, after an id."""
        return await self._ask(LINES, requests.GetLines(Hash(after), limit))

    async def proven(self, lot: bytes) -> ProvenView:
        """Show what proved a lot; `Rejected` with `unproven_lot` if no window did."""
        return await self._ask(PROVEN, requests.GetProven(Hash(lot)))

    async def device(self, device: bytes) -> DeviceView:
        """Show a device; `Rejected` with `device_unregistered` if nobody admitted it."""
        return await self._ask(DEVICE, requests.GetDevice(PublicKey(device)))

    async def permits(self, farm: Address, limit: int = LINES_PAGE) -> list[PermitView]:
        """List a farm's permits by ascending meter, that for all meters first."""
        return await self._ask(PERMITS, requests.GetPermits(farm, limit))

    async def milk_tank(self, tank: bytes, limit: int = PORTIONS_PAGE) -> MilkTankView:
        """Show a tank of raw milk with its oldest portions; raise `Rejected` if none ever came."""
        return await self._ask(MILK_TANK, requests.GetMilkTank(Hash(tank), limit))

    async def supply(self) -> SupplyView:
        """Count the tokens, in units, as of the last final block."""
        return await self._ask(SUPPLY, requests.GetSupply())

    async def parameters(self) -> ParametersView:
        """Ask for the numbers of the law in force after the last final block."""
        return await self._ask(PARAMETERS, requests.GetParameters())

    async def price(self) -> PriceView:
        """Ask what a litre costs, and how the open round stands, as of the last final block."""
        return await self._ask(PRICE, requests.GetPrice())

    async def proof(self, txid: bytes, from_epoch: int = 0) -> bytes:
        """Fetch a proof that a transaction is final, for whoever knows that epoch's committee.

        `Rejected` with `not_final`, or with `no_proof` if this node can't make it.
        """
        asked = requests.GetProof(Hash(txid), from_epoch)
        return await self._ask(PROOF, asked, patience_s=LONG_PATIENCE_S)

    async def blocks(self, start_height: int) -> AsyncGenerator[FinalBlock, None]:
        """Give every finalized block from a height on, for ever, each once and in order.

        A lost node is waited for: the stream goes on at the next height when it is back.
        """
        height, delay_s = start_height, RETRY_FIRST_S
        while True:
            with contextlib.suppress(NodeUnavailable):
                async with contextlib.aclosing(self._stream(height)) as blocks:
                    async for block in blocks:
                        if block.height != height:
                            break  # Never skip: ask for the right one again.
                        height, delay_s = height + 1, RETRY_FIRST_S
                        yield block
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    async def _stream(self, height: int) -> AsyncGenerator[FinalBlock, None]:
        """Read one stream of blocks to its end."""
        decoder, url = FrameDecoder(BLOCK_BYTES_MAX), BLOCKS.url(requests.Subscribe(height))
        try:
            async with self._http.stream(BLOCKS.method, url) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response, 1)
                async for chunk in response.aiter_bytes():
                    for frame in decoder.feed(chunk):
                        if frame:
                            yield decode_answer(frame, BLOCKS.answer)
        except (httpx.HTTPError, WireFault) as error:
            raise NodeUnavailable(f"the stream of {self._named} ended: {error!r}") from error
