"""Overlays, savepoints and the lattice hash."""

import pytest

from ledger.primitives.hashing import Domain
from ledger.state import ACCUMULATOR_BYTES, EMPTY, EMPTY_ACCUMULATOR, Overlay, state_root
from ledger.state.lattice import accumulate


def test_an_overlay_answers_with_its_changes_and_else_with_its_parents():
    parent = Overlay(EMPTY)
    parent.put(b"a", b"1")
    child = Overlay(parent)
    child.put(b"b", b"2")
    assert (child.get(b"a"), child.get(b"b"), child.get(b"c")) == (b"1", b"2", None)
    assert parent.get(b"b") is None
    assert child.changes == {b"b": b"2"}


def test_a_removed_key_is_gone_above_and_stays_below():
    parent = Overlay(EMPTY)
    parent.put(b"a", b"1")
    child = Overlay(parent)
    child.put(b"a", None)
    assert child.get(b"a") is None
    assert parent.get(b"a") == b"1"
    assert child.root() == Overlay(EMPTY).root()


def test_rollback_leaves_no_trace():
    overlay = Overlay(EMPTY)
    overlay.put(b"a", b"1")
    root, changes = overlay.root(), dict(overlay.changes)
    outer = overlay.savepoint()
    overlay.put(b"a", b"2")
    inner = overlay.savepoint()
    overlay.put(b"a", None)
    overlay.put(b"b", b"3")
    overlay.rollback(inner)
    assert (overlay.get(b"a"), overlay.get(b"b")) == (b"2", None)
    overlay.rollback(outer)
    assert dict(overlay.changes) == changes
    assert overlay.root() == root


def test_a_savepoint_that_was_rolled_past_is_a_bug():
    overlay = Overlay(EMPTY)
    overlay.put(b"a", b"1")
    late = overlay.savepoint()
    overlay.rollback(0)
    with pytest.raises(AssertionError):
        overlay.rollback(late)


def test_the_root_depends_on_content_and_on_no_order_or_history():
    one, two = Overlay(EMPTY), Overlay(EMPTY)
    for i in range(200):
        one.put(b"k%d" % i, b"v%d" % i)
    for i in reversed(range(200)):
        two.put(b"k%d" % i, b"other")
        two.put(b"k%d" % i, b"v%d" % i)
    over = Overlay(two)
    over.put(b"k0", b"v0")
    assert one.root() == two.root() == over.root()
    over.put(b"k0", b"v1")
    assert over.root() != one.root()


def test_key_and_value_do_not_flow_into_each_other():
    one, two = Overlay(EMPTY), Overlay(EMPTY)
    one.put(b"ab", b"c")
    two.put(b"a", b"bc")
    assert one.root() != two.root()


def test_taking_out_what_was_put_in_gives_the_empty_accumulator():
    entries = [(b"k%d" % i, b"v") for i in range(130)]
    full = accumulate(EMPTY_ACCUMULATOR, (), entries)
    assert len(full) == ACCUMULATOR_BYTES
    assert full != EMPTY_ACCUMULATOR
    assert accumulate(full, entries, ()) == EMPTY_ACCUMULATOR


def test_the_accumulator_is_the_lanewise_sum_of_stretched_entries():
    """The definition, a second time, without numpy."""
    from blake3 import blake3

    entries = [(b"key", b"value"), (b"k", b"")]
    lanes = [0] * 1024
    for key, value in entries:
        data = Domain.STATE.value + len(key).to_bytes(2, "big") + key + value
        raw = blake3(data).digest(length=2048)
        for i in range(1024):
            lanes[i] = (lanes[i] + int.from_bytes(raw[2 * i : 2 * i + 2], "little")) % 2**16
    expected = b"".join(lane.to_bytes(2, "little") for lane in lanes)
    assert accumulate(EMPTY_ACCUMULATOR, (), entries) == expected


def test_an_overlay_moves_to_a_parent_of_the_same_state_only():
    first = Overlay(EMPTY)
    first.put(b"a", b"1")
    same = Overlay(EMPTY)
    same.put(b"a", b"1")
    child = Overlay(first)
    child.put(b"b", b"2")
    root = child.root()
    child.adopt(same)
    assert child.get(b"a") == b"1"
    assert child.root() == root == state_root(child.accumulator)
    with pytest.raises(AssertionError):
        child.adopt(EMPTY)
