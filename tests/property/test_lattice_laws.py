"""The lattice hash against its definition, written a second time without numpy and chunks."""

from random import Random
from struct import pack, unpack

import hypothesis.strategies as st
from blake3 import blake3
from hypothesis import given, settings

from ledger.state import ACCUMULATOR_BYTES
from ledger.state.lattice import LANES, accumulate

COUNTS = st.sampled_from((0, 1, 2, 63, 64, 65, 128, 129, 150))
"""Around what is summed at once."""


def naive(accumulator, removed, added):
    lanes = list(unpack(f"<{LANES}H", accumulator))
    for sign, entries in ((-1, removed), (1, added)):
        for key, value in entries:
            data = b"BILLCOIN/state/1" + len(key).to_bytes(2, "big") + key + value
            stretched = unpack(f"<{LANES}H", blake3(data).digest(length=ACCUMULATOR_BYTES))
            lanes = [lane + sign * more for lane, more in zip(lanes, stretched, strict=True)]
    return pack(f"<{LANES}H", *(lane % 2**16 for lane in lanes))


@settings(max_examples=25)
@given(st.integers(0, 2**64), COUNTS, COUNTS)
def test_the_accumulator_is_the_lanewise_sum_however_many_entries(seed, out, into):
    random = Random(seed)

    def entries(count):
        return [
            (random.randbytes(random.randrange(70)), random.randbytes(random.randrange(90)))
            for _ in range(count)
        ]

    accumulator, removed, added = random.randbytes(ACCUMULATOR_BYTES), entries(out), entries(into)
    expected = naive(accumulator, removed, added)
    assert accumulate(accumulator, removed, added) == expected
    assert accumulate(accumulator, reversed(removed), iter(added[::-1])) == expected
    assert accumulate(expected, added, removed) == accumulator
