"""The lattice hash (LtHash16): one accumulator over all keys and values of the state.

Every entry is stretched to 1,024 lanes of 16 bits by BLAKE3; the accumulator is their sum, lane
by lane, modulo 2^16. Adding or removing an entry costs the same however large the state is, and
the order does not matter. The state root is a hash of the accumulator.

Security rests on the lanes' number and width (Bellare and Micciancio 1997; Lewi et al. 2019,
"Securing Update Propagation with Homomorphic Hashing"): these are the sizes proven there for 200
bits. There is no proof of a single entry: receipts and transactions have Merkle roots for that.
"""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from ledger.primitives.hashing import Domain, Hash, digest

# numpy is loaded by the first sum. It takes a fifth of a second, and most who import the state's
# shapes (gateways, attestors, devices, the commands) never sum one.
if TYPE_CHECKING:
    import numpy as np

LANES: Final = 1024
ACCUMULATOR_BYTES: Final = 2 * LANES
EMPTY_ACCUMULATOR: Final = bytes(ACCUMULATOR_BYTES)

# Measured: at 64 entries the chunk still fits the cache, and numpy's cost a call is spread.
_CHUNK_ENTRIES: Final = 64
_KEY_LENGTH_BYTES: Final = 2
_DOMAIN: Final = Domain.STATE.value


def _lanes(raw: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint16]]":
    import numpy as np

    return np.frombuffer(raw, dtype="<u2").astype(np.uint16, copy=False)


def _sum(
    entries: Iterable[tuple[bytes, bytes]],
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint16]]":
    import numpy as np

    total = np.zeros(LANES, dtype=np.uint16)
    source = iter(entries)
    # In line, and the domain looked up before: a call and an enum's `value` an entry cost as much
    # as a third of all the hashing.
    while chunk := b"".join(
        [
            blake3(_DOMAIN + len(key).to_bytes(_KEY_LENGTH_BYTES, "big") + key + value).digest(
                length=ACCUMULATOR_BYTES
            )
            for key, value in islice(source, _CHUNK_ENTRIES)
        ]
    ):
        total += np.add.reduce(_lanes(chunk).reshape(-1, LANES), axis=0, dtype=np.uint16)
    return total


def accumulate(
    accumulator: bytes,
    removed: Iterable[tuple[bytes, bytes]],
    added: Iterable[tuple[bytes, bytes]],
) -> bytes:
    """Take entries out of an accumulator and put others in."""
    lanes = _lanes(accumulator) - _sum(removed) + _sum(added)
    return lanes.astype("<u2", copy=False).tobytes()


def state_root(accumulator: bytes) -> Hash:
    """Give the state root that an accumulator stands for."""
    return digest(Domain.STATE, accumulator)
