"""The store: finalised blocks, receipts, state, indexes and head, committed together.

`schema` is the key map, `chain` what every store does, `memory` and `disk` where the cells are.
"""

from ledger.store.chain import ChainStore, HistoryEntry, LotEntry, StoredBlock, TransactionRecord
from ledger.store.memory import MemoryStore
from ledger.store.schema import Finalised, Head

__all__ = [
    "ChainStore",
    "Finalised",
    "Head",
    "HistoryEntry",
    "LotEntry",
    "MemoryStore",
    "StoredBlock",
    "TransactionRecord",
]
