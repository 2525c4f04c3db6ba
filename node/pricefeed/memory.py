"""What a feeder remembers, in `feeder.json` of its home: replaced whole, and read strictly.

It belongs to one chain and one key; another's is refused, since its pending feed and its mark mean
nothing there. A power cut may lose the newest: then the chain's own laws (one feed a round, a
strict nonce) still keep a feed from counting twice.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from node.home.whole_file import write_whole
from node.pricefeed.errors import BadMemory
from node.pricefeed.events import FeederMemory

MEMORY_FILE: Final = "feeder.json"
MEMORY_BYTES_MAX: Final = 1024 * 1024
"""Far above a memory with the largest transaction."""


class _Kept(Struct, frozen=True, forbid_unknown_fields=True):
    chain_id: Hash
    feeder: Address
    memory: FeederMemory


class MemoryFile:
    """The file of one home, for one chain and one feeder."""

    def __init__(self, home: Path, chain_id: Hash, feeder: Address) -> None:
        self._path = home / MEMORY_FILE
        self._chain_id, self._feeder = chain_id, feeder

    def read(self) -> FeederMemory:
        """Read the memory, an empty one if there is no file; raise `BadMemory`."""
        remedy = "stop the feeder and move it away: the chain knows what was fed"
        try:
            with self._path.open("rb") as file:
                raw = file.read(MEMORY_BYTES_MAX)
            kept = msgspec.json.decode(raw, type=_Kept)
        except FileNotFoundError:
            return FeederMemory()
        except OSError as error:
            raise BadMemory(f"{self._path} can't be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadMemory(f"{self._path} is damaged ({error}): {remedy}") from error
        if (kept.chain_id, kept.feeder) != (self._chain_id, self._feeder):
            raise BadMemory(f"{self._path} is of another chain or another key: {remedy}")
        return kept.memory

    def keep(self, memory: FeederMemory) -> None:
        """Replace the file; raise `OSError`, changing nothing."""
        kept = _Kept(self._chain_id, self._feeder, memory)
        write_whole(self._path, msgspec.json.encode(kept), 0o600)
