"""Overlays: changes on top of a state, which can be taken back.

A block executes on an overlay over its parent's state; a transaction that fails is rolled back
to a savepoint. Blocks that are notarized but not final form a short chain of overlays.

Invariant: `get` on an overlay answers as the state would after all its changes. An overlay never
writes to its parent. It remembers its parent's answers, so what it has read must not change in the
parent (a store that commits this overlay's ancestors keeps that promise).
"""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from ledger.primitives.hashing import Hash
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate, state_root


class Reader(Protocol):
    """A state that can be read: values by key, and the accumulator over all of them."""

    def get(self, key: bytes) -> bytes | None:
        """Give the value under a key, or None."""
        ...

    @property
    def accumulator(self) -> bytes:
        """Give the lattice accumulator of the whole state."""
        ...


class _Empty:
    """The state that holds nothing."""

    accumulator: Final = EMPTY_ACCUMULATOR

    def get(self, key: bytes) -> bytes | None:
        return None


EMPTY: Final[Reader] = _Empty()
"""The state before any genesis."""


class _Absent:
    """Marks a key that an overlay had not changed, where None means deleted."""


_ABSENT: Final = _Absent()


class Overlay:
    """Changes over a parent state, with savepoints and a running root."""

    __slots__ = ("_accumulator", "_base", "_changes", "_journal", "_parent")

    def __init__(self, parent: Reader) -> None:
        self._parent = parent
        self._changes: dict[bytes, bytes | None] = {}
        self._base: dict[bytes, bytes | None] = {}
        self._journal: list[tuple[bytes, bytes | _Absent | None]] = []
        self._accumulator: bytes | None = None

    def get(self, key: bytes) -> bytes | None:
        """Give the value under a key, or None."""
        try:
            return self._changes[key]
        except KeyError:
            return self.before(key)

    def before(self, key: bytes) -> bytes | None:
        """Give the value that the parent has under a key, or None."""
        try:
            return self._base[key]
        except KeyError:
            value = self._base[key] = self._parent.get(key)
            return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set the value under a key; None removes it."""
        self._journal.append((key, self._changes.get(key, _ABSENT)))
        self._changes[key] = value
        self._accumulator = None

    def savepoint(self) -> int:
        """Mark the present, for `rollback`."""
        return len(self._journal)

    def touched(self, savepoint: int) -> Iterator[tuple[bytes, bytes]]:
        """Walk what was put since a savepoint: each key with its value now, or the one it lost."""
        for key, earlier in self._journal[savepoint:]:
            value = self._changes[key]
            if value is None:
                value = self.before(key) if isinstance(earlier, _Absent) else earlier
            if value is not None:
                yield key, value

    def rollback(self, savepoint: int) -> None:
        """Take back every change since a savepoint."""
        assert savepoint <= len(self._journal), "a savepoint is used after an earlier rollback"
        while len(self._journal) > savepoint:
            key, value = self._journal.pop()
            if isinstance(value, _Absent):
                del self._changes[key]
            else:
                self._changes[key] = value
        self._accumulator = None

    @property
    def changes(self) -> Mapping[bytes, bytes | None]:
        """Show what differs from the parent; None marks a removed key."""
        return self._changes

    @property
    def accumulator(self) -> bytes:
        """Give the lattice accumulator with the changes folded in; remembered until the next."""
        if self._accumulator is None:
            touched = [(key, self.before(key), new) for key, new in self._changes.items()]
            changed = [entry for entry in touched if entry[1] != entry[2]]
            removed = [(key, old) for key, old, _ in changed if old is not None]
            added = [(key, new) for key, _, new in changed if new is not None]
            self._accumulator = accumulate(self._parent.accumulator, removed, added)
        return self._accumulator

    def root(self) -> Hash:
        """Give the state root after the changes."""
        return state_root(self.accumulator)

    def adopt(self, parent: Reader) -> None:
        """Change to another parent with the same state, as when a store committed the old one."""
        assert parent.accumulator == self._parent.accumulator, "the new parent's state differs"
        self._parent = parent
