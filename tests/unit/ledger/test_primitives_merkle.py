"""Merkle trees: RFC 6962's shape, written here a second time from its definition."""

import pytest

from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.merkle import (
    EMPTY_ROOT,
    PATH_MAX,
    leaf_hash,
    merkle_path,
    merkle_root,
    verify_path,
)

LEAVES = [bytes([i]) * i for i in range(33)]


def by_definition(leaves):
    """RFC 6962 §2.1: split at the largest power of two below n."""
    if len(leaves) == 1:
        return digest(Domain.MERKLE_LEAF, leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return digest(Domain.MERKLE_NODE, by_definition(leaves[:split]), by_definition(leaves[split:]))


@pytest.mark.parametrize("count", range(1, len(LEAVES) + 1))
def test_roots_have_the_shape_of_rfc_6962(count):
    assert merkle_root(LEAVES[:count]) == by_definition(LEAVES[:count])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 33])
def test_every_leaf_proves_itself_and_no_other_place(count):
    leaves = LEAVES[:count]
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle_path(leaves, index)
        assert verify_path(root, leaf, index, count, path)
        assert not verify_path(root, leaf + b"x", index, count, path)
        assert not verify_path(root, leaf, index, count, [*path, Hash(bytes(32))])
        if path:
            assert not verify_path(root, leaf, index, count, path[:-1])
            assert not verify_path(root, leaf, index ^ 1, count, path)


def test_a_node_is_not_a_leaf():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    root = merkle_root([b"a", b"b"])
    assert not verify_path(root, left + right, 0, 1, [])


def test_the_empty_tree_has_its_own_root_and_proves_nothing():
    assert merkle_root([]) == EMPTY_ROOT
    assert not verify_path(EMPTY_ROOT, b"", 0, 0, [])


def test_a_path_longer_than_any_tree_is_not_looked_at():
    assert not verify_path(EMPTY_ROOT, b"", 0, 2, [Hash(bytes(32))] * (PATH_MAX + 1))
