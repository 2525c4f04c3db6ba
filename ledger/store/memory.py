"""A store in memory: for the simulator and for tests. Nothing survives it."""

from collections.abc import Iterable, Iterator

from ledger.store.chain import ChainStore
from ledger.store.schema import Cell


class MemoryStore(ChainStore):
    """Keeps its cells in a dictionary. A scan sorts, so it is for small chains.

    Give it the `cells` of an earlier one to go on from there, as after a restart.
    """

    def __init__(self, cells: dict[bytes, bytes] | None = None, keep_blocks: int = 0) -> None:
        self._cells = {} if cells is None else cells
        super().__init__("memory", keep_blocks)

    def _get(self, key: bytes) -> bytes | None:
        return self._cells.get(key)

    def _scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted((key for key in self._cells if start <= key < stop), reverse=reverse)
        return ((key, self._cells[key]) for key in keys)

    def _write(self, cells: Iterable[Cell]) -> None:
        for key, value in cells:
            if value is None:
                self._cells.pop(key, None)
            else:
                self._cells[key] = value

    def close(self) -> None:
        """Do nothing: the cells go with the object."""
