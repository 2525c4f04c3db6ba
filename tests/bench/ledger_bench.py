"""What the ledger costs: signatures, codec, roots, blocks, commits."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger.primitives.codec import encode
from ledger.primitives.keys import verify_many
from ledger.primitives.merkle import merkle_root
from ledger.state.lattice import accumulate
from ledger.types.transaction import decode_transaction
from loadtest.report import Figure
from tests.bench.clock import measure
from tests.bench.town import Town

BLOCK = 5_000
SIGNATURES = 2_000


def run(quick: bool) -> list[Figure]:
    """Measure everything of this part."""
    town = Town(BLOCK)
    transfers = town.transfers()
    raws = [encode(transfer) for transfer in transfers]
    return [*_primitives(transfers, raws), *_roots(town, raws), *_blocks(town, transfers, quick)]


def _primitives(transfers, raws) -> list[Figure]:
    claims = [claim for transfer in transfers[:SIGNATURES] for claim in transfer.signature_claims()]
    halves = claims[::2], claims[1::2]

    def in_two_threads():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(verify_many, halves))

    return [
        measure("verify a signature, one thread", len(claims), lambda: lambda: verify_many(claims)),
        measure("verify a signature, two threads", len(claims), lambda: in_two_threads),
        measure(
            "decode a transfer, canonical or not at all",
            len(raws),
            lambda: lambda: [decode_transaction(raw) for raw in raws],
        ),
        measure("id of a transfer", len(raws), lambda: lambda: [t.id for t in transfers]),
    ]


def _roots(town, raws) -> list[Figure]:
    store = town.in_memory()
    old = [(b"a" + address, b"\x92\x01\x02") for address in town.addresses]
    new = [(key, value + b"\x03") for key, value in old]
    return [
        measure(f"merkle root of {BLOCK:,}", 1, lambda: lambda: merkle_root(raws), unit="ms"),
        measure(
            f"state root after {BLOCK:,} changes",
            1,
            lambda: lambda: accumulate(store.accumulator, old, new),
            unit="ms",
            goal="47 ms",
        ),
    ]


def _blocks(town, transfers, quick) -> list[Figure]:
    repeats = 5 if quick else 7
    figures = []
    memory = town.in_memory()
    figures.append(
        measure(
            "apply a transfer, memory",
            BLOCK,
            lambda: lambda: town.execute(memory, transfers),
            repeats=repeats,
            goal="60 us",
            note="root of the state included",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        disk = town.on_disk(Path(folder) / "apply")
        figures.append(
            measure(
                "apply a transfer, disk",
                BLOCK,
                lambda: lambda: town.execute(disk, transfers),
                repeats=repeats,
                goal="60 us",
            )
        )
        disk.close()
        figures.append(_commit(town, transfers, Path(folder), repeats))
    return figures


def _commit(town, transfers, folder, repeats) -> Figure:
    """Each repeat commits the same block to a store of its own."""
    stores = []

    def prepare():
        store = town.on_disk(folder / f"commit-{len(stores)}")
        stores.append(store)
        step = town.step(store, transfers, *town.execute(store, transfers))
        return lambda: store.commit([step])

    made = measure(f"commit a block of {BLOCK:,}, synced", 1, prepare, repeats=repeats, unit="ms")
    for store in stores:
        store.close()
    return made
