"""The chain as the gateway sees it: what it asks of the nodes, in its own words.

The client below goes to the first node that can be reached; a stream of blocks that breaks goes
on with the next. Nothing is cached.
"""

from collections.abc import AsyncIterator, Sequence

from ledger.genesis import Genesis, parse_genesis
from ledger.params import Parameters
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, PublicKey
from node.client.errors import Rejected
from node.client.http import NodeClient
from node.client.line_views import DeviceView, LineView, MilkTankView, PermitView
from node.client.requests import LINES_MAX, PORTIONS_SHOWN_MAX
from node.client.views import (
    AccountView,
    FinalBlock,
    LotView,
    NodeStatus,
    Submission,
    TransactionView,
)


class Chain:
    """Several nodes as one. Close it with `aclose`."""

    def __init__(self, client: NodeClient) -> None:
        self._client = client

    @classmethod
    def of_urls(cls, urls: Sequence[str]) -> "Chain":
        """Make a chain of nodes' RPC addresses."""
        return cls(NodeClient(*urls))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def genesis(self) -> Genesis:
        """Fetch and read the genesis."""
        raw = await self._client.genesis()
        return parse_genesis(raw.decode())

    async def status(self) -> NodeStatus:
        """Ask where the chain stands."""
        return await self._client.status()

    async def parameters(self) -> Parameters:
        """Ask for the numbers of the law in force."""
        return (await self._client.parameters()).decoded()

    async def account(self, address: Address) -> AccountView:
        """Look an account up."""
        return await self._client.account(address)

    async def transaction(self, txid: bytes, wait_ms: int) -> TransactionView:
        """Look a transaction up, and wait for it to be final."""
        return await self._client.transaction(txid, wait_ms)

    async def lots(self, limit: int) -> list[LotView]:
        """List the newest lots."""
        return await self._client.lots(limit)

    async def lines_of(self, mmu: Address) -> list[Hash]:
        """List the lines of an MMU."""
        found: list[Hash] = []
        after = ZERO_HASH
        while page := await self._client.lines(after):
            found += [line.id for line in page if line.mmu == mmu]
            after = page[-1].id
        return found

    async def line(self, line: Hash) -> LineView:
        """Show a line with what judges its next window."""
        return await self._client.line(line)

    async def device(self, device: PublicKey) -> DeviceView:
        """Show a device."""
        return await self._client.device(device)

    async def permits(self, farm: Address) -> list[PermitView]:
        """List a farm's permits."""
        return await self._client.permits(farm, LINES_MAX)

    async def milk_tank(self, tank: Hash) -> MilkTankView | None:
        """Show a tank with its milk; None if none ever came into it."""
        try:
            return await self._client.milk_tank(tank, PORTIONS_SHOWN_MAX)
        except Rejected:
            return None

    async def submit(self, raw: bytes) -> Submission:
        """Hand one transaction in."""
        answers: list[Submission] = await self._client.submit([raw])
        return answers[0]

    def blocks(self, start_height: int) -> AsyncIterator[FinalBlock]:
        """Give every final block from a height on, for ever."""
        return self._client.blocks(start_height)
