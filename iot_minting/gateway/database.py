"""The gateway's SQLite file: one connection in WAL mode, synced at every commit.

What was committed survives a kill at any point. A file of another layout is refused: it is of
another law of evidence, so of another chain.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from iot_minting.errors import Misconfigured

BUSY_TIMEOUT_S: Final = 10.0
LAYOUT: Final = 2
"""The number of the tables' layout, in the file as its `user_version`."""


class Database:
    """One connection to the gateway's file. Not shared between threads: open one each."""

    def __init__(self, path: Path, schema: str) -> None:
        self.connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            self._check_layout(path)
            self.connection.executescript(schema)
        except BaseException:
            self.connection.close()
            raise

    def _check_layout(self, path: Path) -> None:
        if self.connection.execute("PRAGMA user_version").fetchone() == (LAYOUT,):
            return
        with self.transaction() as db:
            ((found,),) = db.execute("PRAGMA user_version")
            ((tables,),) = db.execute("SELECT count(*) FROM sqlite_schema")
            if tables == 0:
                db.execute(f"PRAGMA user_version = {LAYOUT}")
            elif found != LAYOUT:
                raise Misconfigured(
                    f"{path} has layout {found}, this version of BillCoin reads {LAYOUT}: "
                    "begin the chain with a new home, or move the file away"
                )

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def size_bytes(self) -> int:
        """Tell how much of the file is in use; what was forgotten leaves pages free in it."""
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside together, or nothing of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
