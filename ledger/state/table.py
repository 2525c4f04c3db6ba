"""A table: records of one type under one prefix, written and read by name.

A key is the table's one-byte prefix and the record's name, which has a fixed length in each table;
a table of one record has an empty name. A table whose records belong to accounts says to which: a
transaction that changes a record stands in the history of those accounts (`parties`).

Invariant: what stands in a table can be read again. What could not is refused when it is written.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from ledger.errors.base import CountOverflow
from ledger.primitives.codec import encode
from ledger.primitives.keys import Address
from ledger.state.overlay import Overlay, Reader

R = TypeVar("R")


class Table(Generic[R]):
    """Records of one type under one prefix."""

    __slots__ = ("_decoder", "_whose", "kind", "prefix")

    def __init__(
        self,
        prefix: bytes,
        kind: type[R],
        *,
        whose: Callable[[bytes, R], tuple[Address, ...]] | None = None,
    ) -> None:
        assert len(prefix) == 1
        self.prefix = prefix
        self.kind = kind
        self._whose = whose
        self._decoder = msgspec.msgpack.Decoder(kind)

    def get(self, reader: Reader, name: bytes = b"") -> R | None:
        """Give a record, or None."""
        raw = reader.get(self.prefix + name)
        return None if raw is None else self._decoder.decode(raw)

    def put(self, overlay: Overlay, record: R, name: bytes = b"") -> None:
        """Set a record; raise `CountOverflow` for one that could not be read again."""
        # Structs check their bounds when they are decoded only: no rule can forget to.
        try:
            raw = encode(record)
            self._decoder.decode(raw)
        except (msgspec.ValidationError, OverflowError) as error:
            raise CountOverflow(table=self.prefix.decode(), why=str(error)) from error
        overlay.put(self.prefix + name, raw)

    def remove(self, overlay: Overlay, name: bytes = b"") -> None:
        """Take a record away."""
        overlay.put(self.prefix + name, None)

    def decode(self, raw: bytes) -> R:
        """Read a record from the bytes in the state."""
        return self._decoder.decode(raw)

    def parties(self, name: bytes, raw: bytes) -> tuple[Address, ...]:
        """Give whose a record is, by its name and the bytes in the state."""
        return () if self._whose is None else self._whose(name, self._decoder.decode(raw))
