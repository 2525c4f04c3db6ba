"""Final blocks as a node shows them: each with its transactions and what became of them."""

from collections.abc import Sequence

from ledger.types.block import Block, Receipt
from node.client.views import FinalBlock


def final_block(block: Block, receipts: Sequence[Receipt]) -> FinalBlock:
    """Show a block with its receipts."""
    header = block.header
    return FinalBlock(
        height=header.height,
        hash=header.hash(),
        parent_hash=header.parent_hash,
        view=header.view,
        epoch=header.epoch,
        time_ms=header.time_ms,
        proposer=header.proposer,
        transactions=block.transactions,
        receipts=tuple(receipts),
    )
