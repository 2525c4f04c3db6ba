"""Executed blocks that are not final yet: a short tree of overlays over the stored state.

Consensus may notarize several blocks above the last final one, and blocks that compete. Each is
executed on an overlay over its parent's. When one becomes final, its chain is handed out for
storage and everything that competes with it is forgotten.
"""

from dataclasses import dataclass
from typing import Final

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.state import Overlay, Reader
from ledger.types.block import Block, Receipt
from ledger.types.transaction import Transaction

BLOCKS_MAX: Final = 256
"""Beyond so many executed blocks above the final one, the oldest leaf is forgotten for each more.

Never an ancestor of the new one: what a quorum builds on may become final."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A block, and what executing it gave."""

    hash: Hash
    raw: bytes
    block: Block
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    parties: tuple[tuple[Address, ...], ...]
    overlay: Overlay


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last final block, as far as its children need to know it."""

    hash: Hash
    height: int
    time_ms: int


class BlockTree:
    """Executed blocks above the final one."""

    def __init__(self, tip: ChainHead, stored: Reader) -> None:
        self.tip = tip
        self._stored = stored
        self._blocks: dict[Hash, Executed] = {}
        self._unsettled: Executed | None = None

    def get(self, block_hash: Hash) -> Executed | None:
        """Find an executed block that is not final."""
        return self._blocks.get(block_hash)

    def state_after(self, block_hash: Hash) -> Reader | None:
        """Give the state that a child of this block executes on, or None if it isn't known."""
        if block_hash == self.tip.hash:
            return self.final_state
        executed = self._blocks.get(block_hash)
        return None if executed is None else executed.overlay

    @property
    def final_state(self) -> Reader:
        """Give the state after the last final block."""
        return self._stored if self._unsettled is None else self._unsettled.overlay

    def header_facts(self, block_hash: Hash) -> ChainHead | None:
        """Give height and time of a possible parent, or None if it isn't known."""
        if block_hash == self.tip.hash:
            return self.tip
        executed = self._blocks.get(block_hash)
        if executed is None:
            return None
        header = executed.block.header
        return ChainHead(block_hash, header.height, header.time_ms)

    def add(self, executed: Executed) -> None:
        """Keep a block whose parent is here."""
        if len(self._blocks) >= BLOCKS_MAX:
            parents = {e.block.header.parent_hash for e in (*self._blocks.values(), executed)}
            # None if all stand in one chain: then each may become final.
            if (leaf := next((h for h in self._blocks if h not in parents), None)) is not None:
                del self._blocks[leaf]
        self._blocks[executed.hash] = executed

    def finalize(self, block_hash: Hash) -> list[Executed]:
        """Give the blocks that become final, lowest first; forget all that compete with them."""
        chain: list[Executed] = []
        at = block_hash
        while at != self.tip.hash and at in self._blocks:
            chain.append(self._blocks[at])
            at = self._blocks[at].block.header.parent_hash
        if at != self.tip.hash or not chain:
            return []
        chain.reverse()
        last = chain[-1]
        self.tip = ChainHead(last.hash, last.block.header.height, last.block.header.time_ms)
        self._unsettled = last
        self._prune()
        return chain

    def settle(self) -> None:
        """The last finalized block is in the store now: its children stand on the store."""
        if self._unsettled is None:
            return
        self._unsettled = None
        for executed in self._blocks.values():
            if executed.block.header.parent_hash == self.tip.hash:
                executed.overlay.adopt(self._stored)

    def _prune(self) -> None:
        """Keep what descends from the tip."""
        kept: dict[Hash, Executed] = {}
        for block_hash, executed in sorted(
            self._blocks.items(), key=lambda item: item[1].block.header.height
        ):
            parent = executed.block.header.parent_hash
            if parent == self.tip.hash or parent in kept:
                kept[block_hash] = executed
        self._blocks = kept
