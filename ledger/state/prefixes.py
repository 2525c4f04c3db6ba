"""Prefixes: by a key's first byte, which table its record stands in."""

from collections.abc import Callable
from typing import Final

from ledger.primitives.keys import Address
from ledger.state import tables
from ledger.state.table import Table

_TABLES: Final = [table for table in vars(tables).values() if isinstance(table, Table)]

DECODERS: Final[dict[bytes, Callable[[bytes], object]]] = {
    table.prefix: table.decode for table in _TABLES
}
"""By prefix: the table that reads a record. No record stands under any other prefix."""

PARTIES: Final[dict[bytes, Callable[[bytes, bytes], tuple[Address, ...]]]] = {
    table.prefix: table.parties for table in _TABLES
}
"""By prefix: whose a table's record is, by its name and its bytes."""
