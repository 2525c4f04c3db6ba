"""The audit of accounts' histories: who had part in a transaction is only seen by executing it.

The walk over the blocks has looked for the accounts that a transaction names. This one also looks
for every account whose records it changed, and reports any entry beyond these.
"""

from collections.abc import Sequence

from ledger.store.chain import ChainStore
from ledger.store.schema import HISTORY, history_cells, place
from ledger.transition import BlockOutcome
from ledger.types.block import Block
from ledger.types.transaction import Transaction
from node.tools.findings import Findings


class HistoryWalk:
    """The histories in one store, followed through a replay of its chain."""

    def __init__(self, store: ChainStore, height: int, findings: Findings) -> None:
        self._store, self._height, self._tell = store, height, findings.tell
        self._found = 0

    def block(
        self, block: Block, transactions: Sequence[Transaction], outcome: BlockOutcome
    ) -> None:
        """Look for a block's transactions in the histories of all who had part in them."""
        height = block.header.height
        if height > self._height:
            return
        each = zip(transactions, outcome.receipts, outcome.parties, strict=True)
        for index, (transaction, receipt, parties) in enumerate(each):
            where = place(height, index)
            for key, txid in history_cells(transaction, parties, where, receipt.txid):
                if self._store.cell(key) == txid:
                    self._found += 1
                else:
                    told = f"it is not in the index of histories of accounts: {key[1:].hex()}"
                    self._tell(f"block {height}", told)

    def end(self) -> None:
        """Tell of entries beyond those of the whole chain."""
        surplus = sum(1 for _ in self._store.cells(HISTORY)) - self._found
        if surplus > 0:
            told = f"{surplus} entries that no block accounts for"
            self._tell("index of histories of accounts", told)
