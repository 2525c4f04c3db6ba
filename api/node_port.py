"""What this service asks of a node, as protocols: the real client has these, and so has a fake.

Ids and raw transactions are bytes. A method raises `OSError` or the client's own fault when no
node answers; callers here treat any exception of a call as "no node".
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from ledger.primitives.keys import Address
from ledger.types.block import Receipt


class StatusView(Protocol):
    """Where a node stands."""

    @property
    def chain_id(self) -> bytes:
        """Name the chain."""

    @property
    def height(self) -> int:
        """Give the height of the last final block."""

    @property
    def finalized_ms(self) -> int:
        """Give the time of the last final block."""


class SubmissionView(Protocol):
    """What a node said to one transaction; an empty code means accepted."""

    @property
    def txid(self) -> bytes:
        """Name the transaction."""

    @property
    def code(self) -> str:
        """Give the reason, or nothing."""

    @property
    def detail(self) -> str:
        """Say it in words."""


class AccountView(Protocol):
    """An account as the last final block left it."""

    @property
    def units(self) -> int:
        """Give what it holds."""

    @property
    def nonce(self) -> int:
        """Give the number of its next transaction."""


class TransactionView(Protocol):
    """How far a transaction has come: `state` is unknown, pending or final."""

    @property
    def state(self) -> str:
        """Say how far it has come."""

    @property
    def height(self) -> int | None:
        """Give its block's height, when final."""

    @property
    def raw(self) -> bytes | None:
        """Give what its sender signed, when known."""


class BlockView(Protocol):
    """A final block with what became of each transaction."""

    @property
    def height(self) -> int:
        """Give its height."""

    @property
    def hash(self) -> bytes:
        """Name it."""

    @property
    def time_ms(self) -> int:
        """Give its own time."""

    @property
    def transactions(self) -> Sequence[bytes]:
        """List its transactions as they were signed."""

    @property
    def receipts(self) -> Sequence[Receipt]:
        """List what became of each."""


class LotView(Protocol):
    """A lot of milk."""

    @property
    def id(self) -> bytes:
        """Name it."""

    @property
    def kind(self) -> str:
        """Say what milk it is."""

    @property
    def plant(self) -> str:
        """Say where it was made."""

    @property
    def units(self) -> int:
        """Give what was minted."""

    @property
    def remaining(self) -> int:
        """Give what is not redeemed yet."""

    @property
    def expires_ms(self) -> int:
        """Say until when it may be sold."""


class SupplyView(Protocol):
    """The books of all milk."""

    @property
    def minted(self) -> int:
        """Give all that was ever minted."""

    @property
    def redeemed(self) -> int:
        """Give all that was redeemed."""

    @property
    def supply(self) -> int:
        """Give what is in circulation."""


class Node(Protocol):
    """The way to a node."""

    async def status(self) -> StatusView:
        """Ask where it stands."""

    async def genesis(self) -> bytes:
        """Ask for the genesis file."""

    async def submit(self, raws: Sequence[bytes]) -> Sequence[SubmissionView]:
        """Hand in transactions; one answer each, in order."""

    async def account(self, address: Address) -> AccountView:
        """Ask for an account."""

    async def transaction(self, txid: bytes, wait_ms: int = 0) -> TransactionView:
        """Ask how far a transaction has come."""

    async def lots(self, limit: int) -> Sequence[LotView]:
        """Ask for the newest lots."""

    async def supply(self) -> SupplyView:
        """Ask for the books."""

    def blocks(self, start_height: int) -> AsyncIterator[BlockView]:
        """Stream final blocks from a height on, in order, for ever."""

    async def aclose(self) -> None:
        """Close its connections."""
