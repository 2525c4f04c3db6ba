"""Pruning: the bodies of old blocks go, their headers stay (policy `keep_blocks`).

What stays proves as much as before: headers are linked by hash and commit to transactions,
receipts and state; finalizations stay under their heights; the indexes still say which
transaction was final where. Only what a body said must then be asked of another node.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from ledger.primitives.codec import encode
from ledger.store.schema import BLOCK, HEADER, HEIGHT_BYTES, KEPT_KEY, RECEIPTS, Cell, height_key
from ledger.types.block import Block

FIRST_KEPT: Final = 1
"""Block 0 has no body to lose."""
PRUNED_AT_ONCE: Final = 32
"""Bodies that one commit takes away at most: a policy set late must not stop the node."""

_blocks = msgspec.msgpack.Decoder(Block)


def keep_from(kept_from: int, head_height: int, keep_blocks: int) -> int:
    """Say from which height on bodies are kept after a commit; `keep_blocks` 0 keeps all."""
    if not keep_blocks:
        return kept_from
    return max(kept_from, min(head_height - keep_blocks + 1, kept_from + PRUNED_AT_ONCE))


def pruned_cells(
    kept_from: int, new_from: int, read: Callable[[bytes], bytes | None]
) -> Iterator[Cell]:
    """List what changes when bodies below `new_from` go: their headers take their place."""
    if new_from == kept_from:
        return
    for height in range(kept_from, new_from):
        raw = read(height_key(BLOCK, height))
        assert raw is not None, "what is kept is there"
        yield height_key(HEADER, height), encode(_blocks.decode(raw).header)
        yield height_key(BLOCK, height), None
        yield height_key(RECEIPTS, height), None
    yield KEPT_KEY, new_from.to_bytes(HEIGHT_BYTES, "big")
