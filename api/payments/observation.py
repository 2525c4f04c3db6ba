"""What final blocks hold, as this service reads it. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.types.milk import FreezeLot, PackLot, RecallLot
from ledger.types.transaction import Transaction, basket_of, decode_transaction
from ledger.types.transfer import REFERENCE_BYTES, Transfer
from ledger.types.window import MintWindow, RollWindow
from node.client.views import FinalBlock

RESTOCKS: Final = (MintWindow, RollWindow, PackLot, FreezeLot, RecallLot)
"""What changes what can be sold, beside sales."""
NO_REFERENCE: Final = bytes(REFERENCE_BYTES)


@dataclass(frozen=True, slots=True)
class FinalTransaction:
    """A transaction of a final block. `code` is empty if it took effect."""

    tx_hash: bytes
    transaction: Transaction
    code: str
    height: int
    block_hash: bytes
    time_ms: int

    @property
    def transfer(self) -> Transfer | None:
        """Give it as a payment; None if it is none."""
        body = self.transaction.intent.body
        return body if isinstance(body, Transfer) else None


@dataclass(slots=True)
class FinalBatch:
    """What some final blocks hold, in the order of the chain."""

    transactions: list[FinalTransaction] = field(default_factory=list)
    redeemed_units: Counter[bytes] = field(default_factory=Counter)
    """What left the ledger as milk, by the lot or product lot that was redeemed."""
    stocked: bool = False
    """Whether what can be sold changed otherwise than by sales."""


def read_blocks(blocks: Sequence[FinalBlock]) -> FinalBatch:
    """Gather what concerns payments and stock."""
    found = FinalBatch()
    for block in blocks:
        for raw, receipt in zip(block.transactions, block.receipts, strict=True):
            transaction = decode_transaction(raw)
            body = transaction.intent.body
            if not receipt.code:
                found.stocked |= isinstance(body, RESTOCKS)
                for part in basket_of(body):
                    found.redeemed_units[part.lot] += part.units
            found.transactions.append(
                FinalTransaction(
                    transaction.id,
                    transaction,
                    receipt.code,
                    block.height,
                    block.hash,
                    block.time_ms,
                )
            )
    return found
