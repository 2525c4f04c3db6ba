"""The audit of a chain of blocks: links, roots, finalizations, and every cell that indexes them.

Nothing is taken from the store's word: hashes and roots are computed again, certificates are
verified against the committee that the header commits to, draws against the leader's key, and
each index cell is derived from the blocks and compared. What stands in an index beyond that is a
finding too. Committees and draws are `audit_epochs`' part.
"""

from collections import Counter
from typing import Final

import msgspec

from consensus.errors import PeerFault
from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from consensus.quorum import verify_certificate
from ledger.genesis import Genesis, genesis_block
from ledger.primitives.codec import decode
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import Hash
from ledger.primitives.votes import VoteKind
from ledger.store import schema
from ledger.store.chain import ChainStore
from ledger.store.schema import (
    ACCUMULATOR_KEY,
    BLOCK,
    COLLECTED,
    COMMITTEE,
    FARM_LOTS,
    FINALIZATION,
    HEAD_KEY,
    HEADER,
    HEIGHT_BYTES,
    HEIGHT_OF,
    HISTORY,
    INDEX_BYTES,
    KEPT_KEY,
    LOT_ORDER,
    LOT_PRODUCTS,
    RECEIPTS,
    STATE,
    TIMES,
    TRANSACTION,
    VERSION_KEY,
    Finalized,
    Head,
    block_cells,
    head_of,
    height_key,
    read_place,
)
from ledger.transition import receipts_root, transactions_root
from ledger.types.block import Block, Header, Receipt, decode_block
from ledger.types.transaction import Transaction, decode_transaction
from node.core.application import evidence_root
from node.tools.audit_epochs import EpochWalk
from node.tools.findings import Findings

INDEX_NAMES: Final = {
    BLOCK: "blocks",
    RECEIPTS: "receipts",
    FINALIZATION: "finalizations",
    HEADER: "headers of pruned blocks",
    HEIGHT_OF: "heights by hash",
    TIMES: "heights by time",
    TRANSACTION: "places of transactions",
    HISTORY: "histories of accounts",
    COLLECTED: "collections by meter",
}
KNOWN_ELSEWHERE: Final = {
    ACCUMULATOR_KEY,
    COMMITTEE,
    FARM_LOTS,
    HEAD_KEY,
    KEPT_KEY,
    LOT_ORDER,
    LOT_PRODUCTS,
    STATE,
    VERSION_KEY,
}
HEADER_BYTES_MAX: Final = 4_096
_receipts = msgspec.msgpack.Decoder(tuple[Receipt, ...])


class BlockWalk:
    """Walks the blocks of a store once, from 0 to the head."""

    def __init__(
        self, store: ChainStore, head: Head, genesis: Genesis | None, findings: Findings
    ) -> None:
        self._store, self._head, self._genesis = store, head, genesis
        self._tell = findings.tell
        self._epochs = EpochWalk(store, head, genesis, findings)
        self._counts: Counter[bytes] = Counter()
        self.transactions = 0
        self.finalizations = 0
        self.unverified = 0
        """Finalizations whose committee nothing here tells of."""

    @property
    def undrawn(self) -> int:
        """Count the draws that could not be verified."""
        return self._epochs.undrawn

    def walk(self) -> None:
        """Tell of every block, and of every index, what does not hold."""
        parent: Header | None = None
        for height in range(self._head.height + 1):
            header = self._pruned(height) if self._is_pruned(height) else self._whole(height)
            if header is not None:
                self._links(height, header, parent)
                self._epochs.header(f"block {height}", header)
                self._finalization(height, header)
            else:
                self._epochs.gap(height)
            parent = header
        self._epochs.end()
        self._ending(parent)
        self._strangers()

    def _is_pruned(self, height: int) -> bool:
        return 0 < height < self._store.kept_from

    def _whole(self, height: int) -> Header | None:
        """Check a block that is kept; give its header if that can be read."""
        where = f"block {height}"
        raw = self._store.cell(height_key(BLOCK, height))
        if raw is None:
            self._tell(where, "it is missing")
            return None
        try:
            block = decode_block(raw)
        except PrimitiveFault as fault:
            self._tell(where, f"it does not decode: {fault}")
            return None
        if transactions_root(block.transactions) != block.header.transactions_root:
            self._tell(where, "its transactions are not those that its header commits to")
        try:
            transactions = tuple(map(decode_transaction, block.transactions))
        except PrimitiveFault as fault:
            self._tell(where, f"a transaction in it does not decode: {fault}")
            return block.header
        if evidence_root(transactions) != block.header.evidence_root:
            self._tell(where, "its evidence is not that which its header commits to")
        self.transactions += len(transactions)
        receipts = self._receipts(where, block.header, transactions)
        if receipts is not None:
            unknown = ((),) * len(transactions)  # The replay looks for those who had part.
            self._cells(where, Finalized(block, raw, transactions, receipts, unknown, {}, b""))
        return block.header

    def _receipts(
        self, where: str, header: Header, transactions: tuple[Transaction, ...]
    ) -> tuple[Receipt, ...] | None:
        """Check a block's receipts; None if nothing can be said of its transactions by them."""
        raw = self._store.cell(height_key(RECEIPTS, header.height))
        if raw is None:
            self._tell(where, "its receipts are missing")
            return None
        try:
            receipts = _receipts.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._tell(where, f"its receipts do not decode: {error}")
            return None
        if receipts_root(receipts) != header.receipts_root:
            self._tell(where, "its receipts are not those that its header commits to")
        if [receipt.txid for receipt in receipts] != [each.id for each in transactions]:
            self._tell(where, "its receipts are of other transactions")
            return None
        return receipts

    def _pruned(self, height: int) -> Header | None:
        """Check what is left of a pruned block."""
        where = f"block {height}"
        raw = self._store.cell(height_key(HEADER, height))
        if raw is None:
            self._tell(where, "its body is pruned, and its header is missing")
            return None
        try:
            header = decode(raw, Header, HEADER_BYTES_MAX)
        except PrimitiveFault as fault:
            self._tell(where, f"its header does not decode: {fault}")
            return None
        self._counts[HEADER] += 1
        for key in (HEIGHT_OF + header.hash(), height_key(TIMES, header.time_ms)):
            self._cell(where, key, height.to_bytes(HEIGHT_BYTES, "big"))
        return header

    def _cells(self, where: str, step: Finalized) -> None:
        """Check every cell that a block must have written."""
        for key, value in block_cells(step):
            assert value is not None, "only state is ever removed"
            self._cell(where, key, value)

    def _cell(self, where: str, key: bytes, value: bytes) -> None:
        prefix = key[:1]
        self._counts[prefix] += 1
        got = self._store.cell(key)
        if got is None:
            self._counts[prefix] -= 1
            self._tell(where, f"it is not in the index of {INDEX_NAMES[prefix]}: {key[1:].hex()}")
        elif got != value:
            self._tell(where, f"the index of {INDEX_NAMES[prefix]} is wrong at {key[1:].hex()}")

    def _links(self, height: int, header: Header, parent: Header | None) -> None:
        """Check that a header stands where it is kept, and follows its parent."""
        where = f"block {height}"
        if header.height != height:
            self._tell(where, f"it says that its height is {header.height}")
        if header.chain_id != self._head.chain_id:
            self._tell(where, f"it is of chain {header.chain_id.hex()}")
        if height == 0:
            if self._genesis is not None and header != genesis_block(self._genesis).header:
                self._tell(where, "it is not what the genesis file begins with")
            return
        if parent is None:
            return  # Told already.
        if header.parent_hash != parent.hash():
            self._tell(where, f"its parent is not block {height - 1}")
        if header.time_ms <= parent.time_ms:
            self._tell(where, "it is not later than its parent")
        # Views begin anew in each epoch, on the last block of the epoch before as of view 0.
        same = header.epoch == parent.epoch
        below = parent.view if same else 0
        if header.view <= below or header.parent_view != below:
            self._tell(where, f"its views do not follow its parent's view {below}")
        if not same and header.epoch != parent.epoch + 1:
            self._tell(where, f"its epoch does not follow its parent's epoch {parent.epoch}")
        named = parent.committee_hash if same else parent.next_committee_hash
        if header.committee_hash != named:
            self._tell(where, "its committee is not the one that its parent names")

    def _finalization(self, height: int, header: Header) -> None:
        """Check a block's own finalization, if it has one."""
        raw = self._store.finalization(height)
        if raw is not None:
            self._counts[FINALIZATION] += 1
            self._certificate(f"finalization {height}", raw, header)
        elif height > 0 and self._epochs.epoch_blocks and self._epochs.is_boundary(height):
            self._tell(f"finalization {height}", "it is missing, and leads to the next epoch")

    def _certificate(self, where: str, raw: bytes, header: Header) -> None:
        try:
            certificate = decode(raw, Certificate, MESSAGE_BYTES_MAX)
        except PrimitiveFault as fault:
            self._tell(where, f"it does not decode: {fault}")
            return
        subject = certificate.subject
        if subject.kind is not VoteKind.FINALIZE or subject.block_hash != header.hash():
            self._tell(where, "it does not make this block final")
        # A boundary block is proposed again until it is final: its votes may be of a later view.
        again = subject.view > header.view and self._epochs.is_boundary(header.height)
        fits = again or (subject.view, subject.parent_view) == (header.view, header.parent_view)
        if subject.epoch != header.epoch or not fits:
            self._tell(where, "it is of another epoch or view than the block")
        committee = self._epochs.committee(header)
        if committee is None:
            self.unverified += 1
            return
        try:
            verify_certificate(committee, Hash(self._head.chain_id), certificate)
        except PeerFault as fault:
            self._tell(where, f"it does not hold: {fault}")
        self.finalizations += 1

    def _ending(self, last: Header | None) -> None:
        """Check that the head is the last block, and final."""
        head = self._head
        if last is None:
            return  # Told already.
        if head_of(Finalized(Block(last, ()), b"", (), (), (), {}, b""), head.finalization) != head:
            self._tell("head", f"it is not what block {head.height} says")
        if head.height > 0 and not head.finalization:
            self._tell("head", "it has no finalization")
        elif head.height > 0:
            self._certificate("head", head.finalization, last)

    def _strangers(self) -> None:
        """Tell of cells that no block accounts for."""
        for prefix, name in INDEX_NAMES.items():
            cells = self._store.cells(prefix)
            if prefix == HISTORY:
                surplus = sum(1 for key, value in cells if not self._stands(key, value))
            else:
                present = sum(1 for key, value in cells if self._owed(key, value))
                surplus = present - self._counts[prefix]
            if surplus > 0:
                self._tell(f"index of {name}", f"{surplus} entries that no block accounts for")
        for single in (ACCUMULATOR_KEY, HEAD_KEY, KEPT_KEY, VERSION_KEY):
            # A walk also passes what LevelDB keeps of overwritten cells, and checks its sums.
            for _ in self._store.cells(single):
                pass
        known = set(INDEX_NAMES) | KNOWN_ELSEWHERE
        for number in range(255):
            prefix = bytes([number])
            if prefix not in known and any(True for _ in self._store.cells(prefix)):
                self._tell("store", f"cells under {prefix!r}, which the schema does not know")

    def _stands(self, key: bytes, txid: bytes) -> bool:
        """Tell whether an entry of a history names the transaction that stands in its place."""
        return self._store.cell(TRANSACTION + txid) == key[-HEIGHT_BYTES - INDEX_BYTES :]

    def _owed(self, key: bytes, value: bytes) -> bool:
        """Tell whether a block that is kept must account for a cell."""
        match key[:1]:
            case schema.TRANSACTION:
                height = read_place(value).height
            case schema.COLLECTED:
                height = read_place(key[-HEIGHT_BYTES - INDEX_BYTES :]).height
            case _:
                return True
        return not self._is_pruned(height)
