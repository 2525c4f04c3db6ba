"""A store on disk: LevelDB, one synced batch a commit.

One process at a time: LevelDB locks its directory. After a crash the store is at the last commit
that returned, or at a later one; never between two.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import plyvel

from ledger.errors import LockedStore
from ledger.store.chain import ChainStore
from ledger.store.schema import Cell

CACHE_BYTES: Final = 32 * 1024 * 1024
WRITE_BUFFER_BYTES: Final = 16 * 1024 * 1024
FILTER_BITS: Final = 10


class DiskStore(ChainStore):
    """Keeps its cells in a LevelDB directory, which is made if it is not there."""

    def __init__(self, path: Path | str) -> None:
        directory = Path(path)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = plyvel.DB(
                str(directory),
                create_if_missing=True,
                lru_cache_size=CACHE_BYTES,
                write_buffer_size=WRITE_BUFFER_BYTES,
                bloom_filter_bits=FILTER_BITS,
            )
        except (plyvel.Error, OSError) as error:
            raise LockedStore(path=str(directory), why=str(error)) from error
        try:
            super().__init__(str(directory))
        except Exception:
            self._database.close()
            raise

    def _get(self, key: bytes) -> bytes | None:
        return cast("bytes | None", self._database.get(key))

    def _scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        cells = self._database.iterator(start=start, stop=stop, reverse=reverse)
        return cast("Iterator[tuple[bytes, bytes]]", cells)

    def _write(self, cells: Iterable[Cell]) -> None:
        with self._database.write_batch(sync=True) as batch:
            for key, value in cells:
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)

    def close(self) -> None:
        """Close the database. May be called twice."""
        self._database.close()
