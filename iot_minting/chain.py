"""The chain as the gateway sees it: one node of several, the next that answers.

Every call goes to the node that answered last and moves on when it is away. Nothing is cached.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from ledger.genesis import Genesis, parse_genesis
from ledger.primitives.keys import Address
from node.client import NodeClient
from node.errors import NodeUnavailable
from node.views import AccountView, FinalBlock, LotView, NodeStatus, Submission, TransactionView

T = TypeVar("T")


class Chain:
    """Several nodes as one. Close it with `aclose`."""

    def __init__(self, clients: Sequence[NodeClient]) -> None:
        assert clients
        self._clients = list(clients)
        self._current = 0

    @classmethod
    def of_urls(cls, urls: Sequence[str]) -> "Chain":
        """Make a chain of nodes' RPC addresses."""
        return cls([NodeClient(url) for url in urls])

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients:
            await client.aclose()

    async def genesis(self) -> Genesis:
        """Fetch and read the genesis."""
        raw = await self._ask(lambda client: client.genesis())
        return parse_genesis(raw.decode())

    async def status(self) -> NodeStatus:
        """Ask where the chain stands."""
        return await self._ask(lambda client: client.status())

    async def account(self, address: Address) -> AccountView:
        """Look an account up."""
        return await self._ask(lambda client: client.account(address))

    async def transaction(self, txid: bytes, wait_ms: int) -> TransactionView:
        """Look a transaction up, and wait for it to be final."""
        return await self._ask(lambda client: client.transaction(txid, wait_ms))

    async def lots(self, limit: int) -> list[LotView]:
        """List the newest lots."""
        return await self._ask(lambda client: client.lots(limit))

    async def submit(self, raw: bytes) -> Submission:
        """Hand one transaction in."""
        answers: list[Submission] = await self._ask(lambda client: client.submit([raw]))
        return answers[0]

    def blocks(self, start_height: int) -> AsyncIterator[FinalBlock]:
        """Give every final block from a height on, for ever."""
        return self._clients[self._current].blocks(start_height)

    async def _ask(self, call: Callable[[NodeClient], Awaitable[T]]) -> T:
        """Ask the node that answered last, then each other; raise `NodeUnavailable` at the end."""
        fault: NodeUnavailable | None = None
        for _ in self._clients:
            try:
                return await call(self._clients[self._current])
            except NodeUnavailable as error:
                fault = error
                self._current = (self._current + 1) % len(self._clients)
        assert fault is not None
        raise fault
