"""Transactions that stand in executed blocks which are not final: nobody needs to propose them.

A mark lasts as long as its block may still become final: until the block does, or its view is
abandoned (nullified, and its block not notarized). So a stalled network does not propose empty
blocks, and what a dead block held is proposed again at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from ledger.types.transaction import TxId


class InFlight:
    """The marked transactions, by the view of their block."""

    def __init__(self) -> None:
        self._by_view: dict[int, list[tuple[TxId, ...]]] = {}
        self._marks: Counter[TxId] = Counter()

    def __contains__(self, txid: object) -> bool:
        return txid in self._marks

    def mark(self, view: int, txids: Iterable[TxId]) -> None:
        """Mark the transactions of one executed block."""
        block = tuple(txids)
        self._by_view.setdefault(view, []).append(block)
        self._marks.update(block)

    def release(self, is_over: Callable[[int], bool]) -> None:
        """Forget the marks of every view that is over: its blocks are final, or never will be."""
        for view in [view for view in self._by_view if is_over(view)]:
            for block in self._by_view.pop(view):
                self._marks.subtract(block)
                for txid in block:
                    if not self._marks[txid]:
                        del self._marks[txid]
