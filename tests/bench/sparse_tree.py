"""A sparse Merkle tree, to measure the lattice hash against: what a good one costs in Python.

Compact: a subtree with one entry is a leaf, however deep it would stand. Updates come in batches,
so that a node above many of them is hashed once. Every node stays in memory with its hash, and
is changed in place: no disk, no older versions. A real one would pay for both.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from blake3 import blake3

PATH_BITS: Final = 256
_LEAF: Final = b"\x00"
_BRANCH: Final = b"\x01"
_NOTHING: Final = bytes(32)

Item = tuple[int, bytes]
"""A path, and the hash of the leaf that ends there."""


class _Leaf:
    __slots__ = ("hash", "path")

    def __init__(self, path: int, leaf_hash: bytes) -> None:
        self.path, self.hash = path, leaf_hash


class _Branch:
    __slots__ = ("hash", "left", "right")

    def __init__(self, left: "_Node", right: "_Node") -> None:
        self.left, self.right = left, right
        self.hash = _hash_of(left, right)


_Node = _Leaf | _Branch | None


def _hash_of(left: _Node, right: _Node) -> bytes:
    return blake3(
        _BRANCH
        + (_NOTHING if left is None else left.hash)
        + (_NOTHING if right is None else right.hash)
    ).digest()


class SparseTree:
    """Entries under paths of 256 bits: here the keys, which are hashes already."""

    def __init__(self) -> None:
        self._top: _Node = None

    def update(self, entries: Iterable[tuple[bytes, bytes]]) -> bytes:
        """Set the values of keys; give the new root."""
        items = sorted(
            (int.from_bytes(key, "big"), blake3(_LEAF + key + value).digest())
            for key, value in entries
        )
        if items:
            self._top = _updated(self._top, PATH_BITS - 1, 0, items)
        return _NOTHING if self._top is None else self._top.hash


def _updated(node: _Node, bit: int, start: int, items: list[Item]) -> _Node:
    """Put sorted items under a node; `start` is the least path that belongs below it."""
    if isinstance(node, _Leaf):
        if all(path != node.path for path, _ in items):
            items = sorted([*items, (node.path, node.hash)])
        node = None
    if node is None and len(items) == 1:
        return _Leaf(*items[0])
    middle = start + (1 << bit)
    cut = bisect_left(items, (middle,)) if len(items) > 1 else int(items[0][0] < middle)
    left, right = (node.left, node.right) if node is not None else (None, None)
    if cut:
        left = _updated(left, bit - 1, start, items[:cut])
    if cut < len(items):
        right = _updated(right, bit - 1, middle, items[cut:])
    if node is None:
        return _Branch(left, right)
    node.left, node.right = left, right
    node.hash = _hash_of(left, right)
    return node
