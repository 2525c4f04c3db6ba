"""Key files: one Ed25519 seed as hex, for its owner's eyes only.

A file that others may read is refused, not repaired: whoever could read it may have. Seeds never
reach a log or a repr; what leaves this module is a `SigningKey`, or a `Seed` for libp2p alone.
"""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledger.primitives.errors import BadHex
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import Seed, SigningKey
from node.errors import BadKeyFile

SEED_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 4_096


def make_seed() -> Seed:
    """Draw a seed from the system's randomness."""
    return Seed(secrets.token_bytes(SEED_BYTES))


def write_key(path: Path, seed: Seed) -> None:
    """Create a key file, mode 0600; raise `BadKeyFile` rather than overwrite one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadKeyFile(f"{path} exists: a key is never overwritten; name another file") from None
    except OSError as error:
        raise BadKeyFile(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(seed.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def keep_seed(path: Path, draw: Callable[[], Seed] = make_seed) -> Seed:
    """Give the seed of a file; draw one and write it first if there is no file."""
    if not path.exists():
        write_key(path, draw())
    return read_seed(path)


def read_seed(path: Path) -> Seed:
    """Read a seed; raise `BadKeyFile` if it is missing, malformed, or open to others."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise BadKeyFile(f"{path} can't be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKeyFile(
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o}): "
            f"run chmod 600 on it, and make a new key if others may have read it"
        )
    try:
        seed = parse_hex(raw.decode("ascii").strip())
    except (UnicodeDecodeError, BadHex):  # The text is a secret: no fault may quote it.
        raise BadKeyFile(f"{path} does not hold a seed in hex") from None
    if len(seed) != SEED_BYTES:
        raise BadKeyFile(f"{path} holds {len(seed)} bytes where a seed has {SEED_BYTES}")
    return Seed(seed)


def check_owner_alone(path: Path) -> None:
    """Raise `BadKeyFile` if others may read a file, or it is not there."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadKeyFile(f"{path} can't be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKeyFile(
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o}): run chmod 600 on it"
        )


def read_key(path: Path) -> SigningKey:
    """Read a key that signs; raise `BadKeyFile`."""
    return SigningKey(read_seed(path))
