"""What this service asks of a node, as a protocol: the real client has it, and so has a fake.

The views are the node's own. A method raises `node.errors.ClientFault` when there is no answer.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.types.trace import Trace
from node.client.views import (
    AccountView,
    FinalBlock,
    LotView,
    NodeStatus,
    ParametersView,
    ProductLotView,
    Submission,
    SupplyView,
    TransactionView,
)


class NodePort(Protocol):
    """The way to a node."""

    async def status(self) -> NodeStatus:
        """Ask where it stands."""

    async def genesis(self) -> bytes:
        """Ask for the genesis file."""

    async def parameters(self) -> ParametersView:
        """Ask for the numbers of the law in force."""

    async def submit(self, raws: Sequence[bytes]) -> list[Submission]:
        """Hand in transactions; one answer each, in order."""

    async def account(self, address: Address) -> AccountView:
        """Ask for an account."""

    async def history(self, address: Address) -> list[Hash]:
        """Ask for an account's newest transactions."""

    async def transaction(self, txid: bytes, wait_ms: int = 0) -> TransactionView:
        """Ask how far a transaction has come."""

    async def proof(self, txid: bytes, from_epoch: int = 0) -> bytes:
        """Ask for a proof that a transaction is final; `Rejected` if there is none."""

    async def lots(self, limit: int) -> list[LotView]:
        """Ask for the newest lots."""

    async def lot_products(self, lot: bytes, *, limit: int = ...) -> list[ProductLotView]:
        """Ask for the newest product lots that were packed from a lot."""

    async def lot(self, lot: bytes) -> LotView:
        """Ask for one lot; `Rejected` if there is none."""

    async def trace(self, subject: bytes) -> Trace:
        """Ask for the way from a sale, pack or lot to its farms; `Rejected` if there is none."""

    async def supply(self) -> SupplyView:
        """Ask for the books."""

    def blocks(self, start_height: int) -> AsyncIterator[FinalBlock]:
        """Stream final blocks from a height on, in order, for ever."""
