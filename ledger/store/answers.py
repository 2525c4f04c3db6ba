"""What a store answers with: plain records, decoded."""

from dataclasses import dataclass

from ledger.primitives.hashing import Hash
from ledger.state.dairy import ProductLot
from ledger.state.records import Lot
from ledger.types.block import Block, Receipt
from ledger.types.transaction import TxId


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A final block: decoded, raw, its receipts, and its own finalization if it had one."""

    block: Block
    raw: bytes
    receipts: tuple[Receipt, ...]
    finalization: bytes | None


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A final transaction: where it stands, what was signed, and what became of it."""

    height: int
    index: int
    raw: bytes
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One transaction in an account's history. (height, index) is the cursor to go on from."""

    height: int
    index: int
    txid: TxId


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A product lot, its id, and the lot it is of. (product.height, id) is the cursor."""

    id: Hash
    product: ProductLot
    lot: Lot


@dataclass(frozen=True, slots=True)
class LotEntry:
    """A lot and its id. (lot.height, id) is the cursor to go on from."""

    id: Hash
    lot: Lot
