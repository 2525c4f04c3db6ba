"""What grows with the accounts a ledger holds: nothing but its database, if the goals hold.

Each size is a database of its own that is filled, closed, and pushed out of the system's cache.
A fresh process then opens it and pays in two ways, 1,000 transfers a block: to strangers that it
has never read, spread over all of the database, so that half of what a block touches is cold;
then between the payers alone, whom it knows. Every size touches the same number of accounts.

The sizes take turns, a block each, so that whoever else uses the machine disturbs all of them.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import psutil
from msgspec.structs import replace

from ledger.primitives.keys import Address
from ledger.state import Overlay
from ledger.store.disk import DiskStore
from ledger.transition import BlockOutcome
from ledger.types.transaction import Transaction
from loadtest.report import Figure, figure
from tests.bench.clock import Sample, of_samples, once
from tests.bench.town import Town, stranger

SIZES = (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000
PAYERS = 1_000
BLOCKS = 8
MIB = 2**20

Point = dict[str, float]


@dataclass
class Round:
    """What one block took, and the memory of the process after it."""

    applied: Sample
    committed: Sample
    memory_mib: float


@dataclass
class Site:
    """A database of one size, the process that pays in it, and what was seen."""

    size: int
    path: Path
    process: ProcessPoolExecutor
    filled_s: float = 0.0
    filled_bytes: int = 0
    opened_mib: float = 0.0
    strangers: list[Round] = field(default_factory=list)
    known: list[Round] = field(default_factory=list)

    def fill(self) -> None:
        """Make the database, and leave nothing of it in memory."""
        began = time.perf_counter()
        town = Town(PAYERS)
        store = town.on_disk(self.path)
        town.fill(store, self.size - PAYERS)
        store.close()
        self.filled_s = time.perf_counter() - began
        town.on_disk(self.path).close()  # Writes the log into tables: now every byte is counted.
        self.filled_bytes = _bytes(self.path)
        _forget(self.path)

    def open(self) -> None:
        """Start the process, and let it open the database."""
        self.opened_mib = self.process.submit(_open, self.size, self.path).result()

    def pay(self, number: int) -> None:
        """Execute and commit one block."""
        rounds = self.strangers if number < BLOCKS else self.known
        rounds.append(self.process.submit(_pay, number).result())

    def close(self) -> int:
        """End the process; count the bytes that the blocks left."""
        self.process.submit(_close).result()
        self.process.shutdown()
        Town(PAYERS).on_disk(self.path).close()
        return _bytes(self.path) - self.filled_bytes


def run(sizes: tuple[int, ...]) -> tuple[list[Figure], list[Point]]:
    """Measure at each size; give the figures, and the points of the plot."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        spawn = get_context("spawn")
        sites = [
            Site(
                size,
                folder / str(size),
                stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn)),
            )
            for size in sizes
        ]
        for step in (Site.fill, Site.open):
            for site in sites:
                step(site)
        for number in range(2 * BLOCKS):
            for site in sites:
                site.pay(number)
        told = [_told(site, site.close()) for site in sites]
    return [one for figures, _ in told for one in figures], [point for _, point in told]


def _told(site: Site, grown_bytes: int) -> tuple[list[Figure], Point]:
    rounds = [*site.strangers, *site.known]
    memory = [one.memory_mib for one in rounds]
    applied = [one.applied for one in site.strangers]
    told = {
        "apply_us": of_samples(
            "apply a transfer, known accounts", [one.applied for one in site.known]
        ),
        "strangers_us": of_samples("apply a transfer to a stranger", applied[1:]),
        "cold_us": of_samples("the same, first block after a start", applied[:1]),
        "commit_ms": of_samples(
            "commit 1,000 transfers", [one.committed for one in rounds], unit="ms"
        ),
        "memory_mib": figure("memory of the process", "MiB", memory),
        "grown_mib": figure(
            f"memory that {len(rounds)} blocks took", "MiB", [memory[-1] - site.opened_mib]
        ),
        "payment_bytes": figure("database a payment", "B", [grown_bytes / (PAYERS * len(rounds))]),
        "account_bytes": figure("database an account", "B", [site.filled_bytes / site.size]),
        "filled_s": figure("fill the database", "s", [site.filled_s]),
    }
    figures = [replace(one, name=f"{one.name}, {site.size:,} accounts") for one in told.values()]
    point = {name: one.summary.median for name, one in told.items()}
    return figures, {"accounts": site.size, **point}


# In the process that pays.


@dataclass
class _Payer:
    town: Town
    store: DiskStore
    blocks: list[list[Transaction]]


_payer: list[_Payer] = []
"""The one that `_open` made."""


def _open(size: int, path: Path) -> float:
    town = Town(PAYERS)
    blocks = [town.transfers(nonce, _payees(size - PAYERS, nonce)) for nonce in range(BLOCKS)]
    blocks += [town.transfers(BLOCKS + nonce) for nonce in range(BLOCKS)]
    town.execute(town.in_memory(), blocks[0])  # So that the disk is cold and the code is not.
    _payer.append(_Payer(town, town.on_disk(path), blocks))
    return _memory_mib()


def _pay(number: int) -> Round:
    payer, made = _payer[0], []
    transfers = payer.blocks[number]
    applied = once(PAYERS, partial(_execute, payer, transfers, made))
    step = payer.town.step(payer.store, transfers, *made[0])
    return Round(applied, once(1, partial(payer.store.commit, [step])), _memory_mib())


def _execute(
    payer: _Payer, transfers: list[Transaction], made: list[tuple[Overlay, BlockOutcome]]
) -> None:
    made.append(payer.town.execute(payer.store, transfers))


def _close() -> None:
    _payer.pop().store.close()


def _payees(strangers: int, nonce: int) -> Sequence[Address]:
    """Choose whom a block pays: everyone once in all blocks, evenly over the addresses."""
    apart = strangers // (PAYERS * BLOCKS)
    assert apart > 0, "there are fewer strangers than payments"
    return [stranger((payer * BLOCKS + nonce) * apart, strangers) for payer in range(PAYERS)]


def _forget(path: Path) -> None:
    """Ask the system to drop what it has cached of a database, so that reads go to the disk."""
    for part in path.rglob("*"):
        if part.is_file():
            handle = os.open(part, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def _memory_mib() -> float:
    """Tell the memory that is this process's own: not the tables it maps, which are a cache."""
    memory = psutil.Process().memory_info()
    return (memory.rss - memory.shared) / MIB


def _bytes(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
