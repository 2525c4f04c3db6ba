"""Keys of a testnet: drawn from randomness or from one seed, and planted where homes look."""

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from ledger.primitives.keys import Seed, SigningKey
from node.home.key_file import keep_seed, read_seed
from simulator.testnet.layout import Layout

Draw = Callable[[str], Seed]
"""Gives the secret seed of a name."""


def drawing(seed: int | None) -> Draw:
    """Give what draws the keys of a network: of one seed always the same."""
    if seed is None:
        return lambda _: Seed(os.urandom(32))
    root = blake2b(f"billcoin testnet {seed}".encode(), digest_size=32).digest()
    return lambda name: Seed(blake2b(name.encode(), key=root, digest_size=32).digest())


def plant(path: Path, seed: Seed) -> SigningKey:
    """Give the key of a file, and make the file first if there is none."""
    return SigningKey(keep_seed(path, lambda: seed))


def planted(layout: Layout, name: str, draw: Draw) -> bytes:
    """Give the bytes of a seed that a package writes to its home by itself."""
    path = layout.root / name
    return read_seed(path) if path.exists() else draw(name)
