"""Key files: a seed in hex on one line, in a file that its owner alone may read.

Will not: encrypt. A plant keeps its keys in an HSM or a sealed volume; this is the plain form.
"""

import os
from pathlib import Path

from iot_minting.errors import BadKeyFile
from ledger.primitives.keys import Seed, SigningKey

KEY_FILE_BYTES_MAX = 256


def write_key(path: Path, seed: bytes) -> None:
    """Write a seed to a new file of mode 0600; an existing file is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(seed.hex() + "\n")


def read_key(path: Path) -> SigningKey:
    """Read a key; raise `BadKeyFile` if there is none or it is not a seed in hex."""
    try:
        with path.open("rb") as file:
            text = file.read(KEY_FILE_BYTES_MAX).decode("ascii").strip()
        return SigningKey(Seed(bytes.fromhex(text)))
    except OSError as error:
        raise BadKeyFile(path, error.strerror or "it can't be read") from error
    except ValueError as error:
        raise BadKeyFile(path, "it does not hold 64 hexadecimal digits") from error


def ensure_key(path: Path, seed: bytes | None = None) -> SigningKey:
    """Read a key, or make it first (from `seed`, else from the system's randomness)."""
    if not path.exists():
        write_key(path, os.urandom(32) if seed is None else seed)
    return read_key(path)
