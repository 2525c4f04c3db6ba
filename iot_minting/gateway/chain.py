"""The chain as the gateway sees it: what it asks of the nodes, in its own words.

The client below goes to the first node that can be reached; a stream of blocks that breaks goes
on with the next. Nothing is cached.
"""

from collections.abc import AsyncIterator, Sequence

from ledger.genesis import Genesis, parse_genesis
from ledger.primitives.keys import Address
from node.client.http import NodeClient
from node.client.line_views import PermitView
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

    async def account(self, address: Address) -> AccountView:
        """Look an account up."""
        return await self._client.account(address)

    async def transaction(self, txid: bytes, wait_ms: int) -> TransactionView:
        """Look a transaction up, and wait for it to be final."""
        return await self._client.transaction(txid, wait_ms)

    async def lots(self, limit: int) -> list[LotView]:
        """List the newest lots."""
        return await self._client.lots(limit)

    async def permits(self, farm: Address) -> list[PermitView]:
        """List what a farm consents to."""
        return await self._client.permits(farm)

    async def submit(self, raw: bytes) -> Submission:
        """Hand one transaction in."""
        answers: list[Submission] = await self._client.submit([raw])
        return answers[0]

    def blocks(self, start_height: int) -> AsyncIterator[FinalBlock]:
        """Give every final block from a height on, for ever."""
        return self._client.blocks(start_height)
