"""The store: finalized blocks, receipts, state, indexes and head, committed together.

`schema` is the key map, `chain` what every store does, `pruning` what becomes of old bodies,
`memory` and `disk` where the cells are.
"""

from ledger.store.answers import (
    HistoryEntry,
    LotEntry,
    ProductEntry,
    StoredBlock,
    TransactionRecord,
)
from ledger.store.chain import ChainStore
from ledger.store.memory import MemoryStore
from ledger.store.schema import Finalized, Head

__all__ = [
    "ChainStore",
    "Finalized",
    "Head",
    "HistoryEntry",
    "LotEntry",
    "MemoryStore",
    "ProductEntry",
    "StoredBlock",
    "TransactionRecord",
]
