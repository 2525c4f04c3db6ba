"""The service's secrets: files of mode 0600 in its home, outside of the database.

    secrets/jwt-N.key      signs access tokens (Ed25519); the highest N signs, all of them verify
    secrets/master-N.key   wraps data keys; the highest N wraps, all of them unwrap
    secrets/index.key      makes blind indexes: what a value is found by, without the value
    secrets/session.key    makes refresh tokens' successors, challenges and known devices
    secrets/pin.key        peppers passwords and PINs before they are hashed

Each holds 32 random bytes as hex. A file that others may read is refused, and so is a home that
lacks one: a key that was drawn anew in silence would make all that is sealed unreadable. No repr
shows a secret, and nothing here writes to a log.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from api.errors import ConfigFault
from node.errors import BadKeyFile
from node.home.key_file import keep_seed, make_seed, read_seed, write_key

FOLDER: Final = "secrets"
_NUMBERED: Final = re.compile(r"(jwt|master)-([1-9][0-9]{0,3})\.key", re.ASCII)
_SINGLE: Final = ("index", "session", "pin")


@dataclass(frozen=True, slots=True, repr=False)
class ApiSecrets:
    """The secrets of one service, read from its home."""

    folder: Path | None
    """Where they stand; None if they were drawn for one process."""
    jwt: Mapping[int, bytes] = field(default_factory=dict)
    masters: Mapping[int, bytes] = field(default_factory=dict)
    index: bytes = b""
    session: bytes = b""
    pin: bytes = b""


def subkey(key: bytes, label: str) -> bytes:
    """Derive the key of one use from a secret, so that no two uses share one."""
    return hmac.digest(key, b"billcoin/api/" + label.encode("ascii"), sha256)


def draw_secrets() -> ApiSecrets:
    """Draw secrets that are kept nowhere: for whoever has no home, as a test."""
    drawn = [bytes(make_seed()) for _ in range(5)]
    return ApiSecrets(None, {1: drawn[0]}, {1: drawn[1]}, *drawn[2:])


def make_secrets(home: Path) -> ApiSecrets:
    """Draw every secret that a home lacks, keep those that are there, and read them all."""
    folder = home / FOLDER
    for name in ("jwt-1", "master-1", *_SINGLE):
        kind, _, number = name.partition("-")
        if not (number and _numbered(folder, kind)):
            keep_seed(folder / f"{name}.key")
    return load_secrets(home)


def load_secrets(home: Path) -> ApiSecrets:
    """Read the secrets of a home; raise `ConfigFault` if one is missing or open to others."""
    folder = home / FOLDER
    try:
        singles = {name: bytes(read_seed(folder / f"{name}.key")) for name in _SINGLE}
        rings = {kind: _numbered(folder, kind) for kind in ("jwt", "master")}
    except BadKeyFile as fault:
        raise ConfigFault(
            f"{fault}; `billcoin api init --home {home}` makes missing ones"
        ) from None
    for kind, ring in rings.items():
        if not ring:
            raise ConfigFault(
                f"{folder} holds no {kind}-N.key: run billcoin api init --home {home}"
            )
    return ApiSecrets(folder, rings["jwt"], rings["master"], **singles)


def load_jwt_keys(folder: Path) -> Mapping[int, bytes]:
    """Read the keys of access tokens again: another process may have turned the ring."""
    return _numbered(folder, "jwt")


def _numbered(folder: Path, kind: str) -> dict[int, bytes]:
    """Read one ring of keys, by number, ascending."""
    numbers = sorted(
        int(match[2])
        for path in folder.glob(f"{kind}-*.key")
        if (match := _NUMBERED.fullmatch(path.name))
    )
    return {number: bytes(read_seed(folder / f"{kind}-{number}.key")) for number in numbers}


def turn_ring(home: Path, kind: str, keep: int) -> int:
    """Draw the next key of a ring, and delete all but the newest `keep` of those before it."""
    folder = home / FOLDER
    try:
        numbers = list(_numbered(folder, kind))
        following = max(numbers, default=0) + 1
        write_key(folder / f"{kind}-{following}.key", make_seed())
    except BadKeyFile as fault:
        raise ConfigFault(str(fault)) from None
    for number in numbers[: len(numbers) - keep]:
        (folder / f"{kind}-{number}.key").unlink(missing_ok=True)
    return following
