"""A store on disk: LevelDB, one synced batch a commit.

One process at a time: LevelDB locks its directory. After a crash the store is at the last commit
that returned, or at a later one; never between two.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

from ledger.errors.store import DamagedStore, LockedStore, MissingStore
from ledger.store.chain import ChainStore
from ledger.store.leveldb import plyvel
from ledger.store.schema import Cell

CACHE_BYTES: Final = 32 * 1024 * 1024
WRITE_BUFFER_BYTES: Final = 16 * 1024 * 1024
FILTER_BITS: Final = 10
_MARK: Final = "CURRENT"
"""The file that every LevelDB directory has."""


class DiskStore(ChainStore):
    """Keeps its cells in a LevelDB directory, which is made if it is not there.

    `strict` is for reading what others wrote: the directory must be there, and every checksum
    must hold, those of the log's tail included.
    """

    def __init__(self, path: Path | str, *, keep_blocks: int = 0, strict: bool = False) -> None:
        directory = Path(path)
        if strict and not (directory / _MARK).is_file():
            raise MissingStore(path=str(directory))
        self._strict = strict
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = plyvel.DB(
                bytes(directory),  # As text, a name that is no UTF-8 is refused.
                create_if_missing=not strict,
                paranoid_checks=strict,
                lru_cache_size=CACHE_BYTES,
                write_buffer_size=WRITE_BUFFER_BYTES,
                bloom_filter_bits=FILTER_BITS,
            )
        except plyvel.CorruptionError as error:
            raise DamagedStore(path=str(directory), why=_told(error)) from error
        except (plyvel.Error, OSError) as error:
            raise LockedStore(path=str(directory), why=_told(error)) from error
        try:
            super().__init__(str(directory), keep_blocks)
        except Exception:
            self._database.close()
            raise

    def _get(self, key: bytes) -> bytes | None:
        try:
            found = self._database.get(key, verify_checksums=self._strict)
        except plyvel.Error as error:
            raise DamagedStore(path=self._path, why=_told(error)) from error
        return cast("bytes | None", found)

    def _scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        try:
            yield from self._database.iterator(
                start=start, stop=stop, reverse=reverse, verify_checksums=self._strict
            )
        except plyvel.Error as error:
            raise DamagedStore(path=self._path, why=_told(error)) from error

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


def _told(error: Exception) -> str:
    """Give what LevelDB said: plyvel passes it on as bytes."""
    said = error.args[0] if len(error.args) == 1 else str(error)
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
