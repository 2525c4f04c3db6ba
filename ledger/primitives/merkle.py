"""Merkle trees in the shape of RFC 6962: roots, inclusion paths and their check.

Leaves and inner nodes are hashed under different domains, so a node can't be shown as a leaf.
The tree over n leaves splits at the largest power of two below n; the empty tree has a root of
its own.
"""

from collections.abc import Sequence
from typing import Final

from ledger.primitives.hashing import Domain, Hash, digest

PATH_MAX: Final = 64
"""The longest inclusion path that is ever looked at."""


def leaf_hash(data: bytes) -> Hash:
    """Hash one leaf."""
    return digest(Domain.MERKLE_LEAF, data)


def _node(left: Hash, right: Hash) -> Hash:
    return digest(Domain.MERKLE_NODE, left, right)


EMPTY_ROOT: Final = digest(Domain.MERKLE_NODE)


def _levels(leaves: Sequence[bytes]) -> list[list[Hash]]:
    """All levels, leaves first. An odd node at the end rises unchanged, as RFC 6962 shapes it."""
    level = [leaf_hash(leaf) for leaf in leaves]
    levels = [level]
    while len(level) > 1:
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        levels.append(level)
    return levels


def merkle_root(leaves: Sequence[bytes]) -> Hash:
    """Commit to a sequence of leaves."""
    return _levels(leaves)[-1][0] if leaves else EMPTY_ROOT


def merkle_path(leaves: Sequence[bytes], index: int) -> list[Hash]:
    """List the siblings from a leaf up to the root: at most log2(n) hashes."""
    path, position = [], index
    for level in _levels(leaves)[:-1]:
        sibling = position ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        position //= 2
    return path


def verify_path(root: Hash, leaf: bytes, index: int, count: int, path: Sequence[Hash]) -> bool:
    """Tell whether `leaf` is number `index` of the `count` leaves under `root`."""
    if not 0 <= index < count or len(path) > PATH_MAX:
        return False
    node, position, width, rest = leaf_hash(leaf), index, count, list(path)
    while width > 1:
        sibling = position ^ 1
        if sibling < width:
            if not rest:
                return False
            other = rest.pop(0)
            node = _node(node, other) if position % 2 == 0 else _node(other, node)
        position, width = position // 2, (width + 1) // 2
    return not rest and node == root
