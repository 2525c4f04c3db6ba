"""The state's commitment, two ways, in turns: the lattice hash, and a sparse Merkle tree.

Both take the same updates of the same entries: 5,000 accounts among as many as there are.
"""

from random import Random

from ledger.primitives.codec import encode
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate
from ledger.state.records import Account
from loadtest.report import Figure
from tests.bench.clock import Sample, of_samples, once
from tests.bench.sparse_tree import SparseTree
from tests.bench.town import stranger

SIZES = (100_000, 1_000_000)
UPDATES = 5_000
REPEATS = 9


def run(sizes: tuple[int, ...]) -> list[Figure]:
    """Measure at each size."""
    return [one for size in sizes for one in _at(size)]


def _at(size: int) -> list[Figure]:
    random, tree = Random(size), SparseTree()
    keys = [bytes(stranger(number, size)) for number in range(size)]
    tree.update((key, _value(0)) for key in keys)
    lattice: list[Sample] = []
    merkle: list[Sample] = []
    for repeat in range(REPEATS + 1):
        touched = random.sample(keys, UPDATES)
        old = [(key, _value(0)) for key in touched]
        new = [(key, _value(repeat + 1)) for key in touched]

        def add(old=old, new=new) -> None:
            accumulate(EMPTY_ACCUMULATOR, old, new)

        def grow(new=new) -> None:
            tree.update(new)

        lattice.append(once(1, add))
        merkle.append(once(1, grow))
    return [
        of_samples(f"{name}, {UPDATES:,} updates of {size:,} entries", samples[1:], unit="ms")
        for name, samples in (("lattice hash", lattice), ("sparse Merkle tree", merkle))
    ]


def _value(nonce: int) -> bytes:
    return encode(Account(1_000_000, nonce))
