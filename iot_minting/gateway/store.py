"""What the gateway remembers of the chain beside its letters: its devices, and named values.

Tables: devices (the chain's registry), meta. `archive` and `letters` have theirs in the same file.
"""

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Final

from iot_minting.gateway.database import Database
from iot_minting.gateway.types import RegisteredDevice
from ledger.primitives.keys import Address, PublicKey
from ledger.types.evidence import Instrument

STORE_NAME: Final = "mint.sqlite"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS devices (
    key BLOB PRIMARY KEY, kind TEXT NOT NULL, plant TEXT NOT NULL, operator BLOB NOT NULL) STRICT;
"""


class Store:
    """One connection to the registry and the named values in the gateway's file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = Database(path, _SCHEMA)
        self._db = self._file.connection

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def devices(self) -> list[RegisteredDevice]:
        """List the registry as last seen."""
        rows = self._db.execute("SELECT key, kind, plant, operator FROM devices")
        return [
            RegisteredDevice(PublicKey(key), Instrument(kind), plant, Address(operator))
            for key, kind, plant, operator in rows
        ]

    def save_registry(self, devices: Iterable[RegisteredDevice], height: int) -> None:
        """Keep newly registered devices and the height they were followed to, together."""
        with self._file.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)",
                [astuple(device) for device in devices],
            )
            self._put_meta("height", height.to_bytes(8, "big"))

    def followed_height(self) -> int | None:
        """Give the height that the registry was followed to; None before genesis."""
        found = self.meta("height")
        return None if found is None else int.from_bytes(found, "big")

    def meta(self, name: str) -> bytes | None:
        """Give a named value."""
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else bytes(found[0])

    def metas(self, prefix: str) -> list[tuple[str, bytes]]:
        """List the named values whose names begin so."""
        rows = self._db.execute(
            "SELECT name, value FROM meta WHERE substr(name, 1, ?) = ?", (len(prefix), prefix)
        )
        return [(name, bytes(value)) for name, value in rows]

    def put_meta(self, name: str, value: bytes) -> None:
        """Set a named value, durably."""
        with self._file.transaction():
            self._put_meta(name, value)

    def _put_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
