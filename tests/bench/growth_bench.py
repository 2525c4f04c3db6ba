"""What grows with the accounts a ledger holds: nothing but its database, if the goals hold.

Each size is a database of its own that is filled, closed, opened again and then paid in: 1,000
transfers a block between accounts that are spread over all of it.
"""

import tempfile
from functools import partial
from pathlib import Path

import psutil

from loadtest.report import Figure, figure
from tests.bench.clock import Sample, of_samples, once
from tests.bench.town import Town

SIZES = (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000
PAYERS = 1_000
REPEATS = 7

Point = dict[str, float]


def run(sizes: tuple[int, ...]) -> tuple[list[Figure], list[Point]]:
    """Measure at each size; give the figures, and the points of the plot."""
    town = Town(PAYERS)
    blocks = [town.transfers(nonce) for nonce in range(REPEATS + 1)]
    figures: list[Figure] = []
    points: list[Point] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            made, point = _at(town, blocks, size, Path(folder) / "ledger")
        figures += made
        points.append(point)
    return figures, points


def _at(town, blocks, size, path) -> tuple[list[Figure], Point]:
    store = town.on_disk(path)
    town.fill(store, size - PAYERS)
    store.close()
    store = town.on_disk(path)
    before_bytes, rss = _bytes(path), psutil.Process().memory_info().rss
    applied: list[Sample] = []
    committed: list[Sample] = []
    for transfers in blocks:
        made = []

        def apply(transfers=transfers, made=made):
            made.extend(town.execute(store, transfers))

        applied.append(once(PAYERS, apply))
        step = town.step(store, transfers, *made)
        committed.append(once(1, partial(store.commit, [step])))
    grown_mib = (psutil.Process().memory_info().rss - rss) / 2**20
    store.close()
    town.on_disk(path).close()  # Opening writes the log into tables: now every byte is counted.
    a_payment = (_bytes(path) - before_bytes) / (PAYERS * len(blocks))
    figures = [
        of_samples(f"apply a transfer, {size:,} accounts", applied[1:]),
        of_samples(f"commit 1,000 transfers, {size:,} accounts", committed[1:], unit="ms"),
        figure(f"memory that 8 blocks took, {size:,} accounts", "MiB", [grown_mib]),
        figure(f"database a payment, {size:,} accounts", "B", [a_payment]),
    ]
    medians = [one.summary.median for one in figures]
    names = ("apply_us", "commit_ms", "memory_mib", "payment_bytes")
    return figures, {"accounts": size, **dict(zip(names, medians, strict=True))}


def _bytes(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
