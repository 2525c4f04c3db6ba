"""The vectors of leaders hold for the product, and for a stranger who read the text.

What stands above the tests is the stranger: docs/spec/consensus.md §4 in hashlib and whole numbers.
The VRF alone is the product's; the RFC's examples vouch for it.
"""

import json
from collections import Counter
from hashlib import blake2b

import pytest

from consensus import vrf
from tests.vectors import leaders_vectors

VECTORS = json.loads(leaders_vectors.FILE.read_text("utf-8"))
SCHEDULES, EPOCHS = VECTORS["schedules"], VECTORS["epochs"]


def hashed(domain: str, *parts: bytes) -> bytes:
    return blake2b(f"BILLCOIN/{domain}/1".encode() + b"".join(parts), digest_size=32).digest()


def deal(stakes: list[int]) -> list[int]:
    """Give each member its slots (§4.1)."""
    total = sum(stakes)
    slots = [1_024 * stake // total for stake in stakes]
    remainders = [(-(1_024 * stake % total), member) for member, stake in enumerate(stakes)]
    for _, member in sorted(remainders)[: 1_024 - sum(slots)]:
        slots[member] += 1
    return slots


def words(seed: bytes):
    n = 0
    while True:
        block = hashed("schedule", seed, n.to_bytes(8, "big"))
        yield from (int.from_bytes(block[at : at + 8], "big") for at in (0, 8, 16, 24))
        n += 1


def leaders(seed: bytes, stakes: list[int]) -> list[int]:
    """Shuffle the slots (§4.1): the leader of view v is number v mod 1,024."""
    slots = [member for member, share in enumerate(deal(stakes)) for _ in range(share)]
    drawn = words(seed)
    for i in range(1_023, 0, -1):
        j = (next(drawn) * (i + 1)) >> 64
        slots[i], slots[j] = slots[j], slots[i]
    return slots


def test_the_vectors_are_what_the_code_makes():
    assert leaders_vectors.build() == VECTORS


@pytest.mark.parametrize("vector", SCHEDULES, ids=lambda v: v["name"].split(":")[0])
def test_a_stranger_deals_and_shuffles_the_slots_alike(vector):
    assert deal(vector["stakes"]) == vector["slots_each"]
    slots = leaders(bytes.fromhex(vector["seed"]), vector["stakes"])
    assert bytes(slots).hex() == vector["slots"]
    held = Counter(slots)
    assert [held[member] for member in range(len(vector["stakes"]))] == vector["slots_each"]


def test_the_schedules_show_what_goes_wrong_in_floats_and_in_unstable_orders():
    """Each is a trap: shares above 2^53, a tie of remainders, a member without a slot."""
    named = {each["name"].split(":")[0]: each for each in SCHEDULES}
    assert named["equal stakes"]["slots_each"] == [342, 341, 341]
    assert named["the least part of a slot is none"]["slots_each"] == [512, 512, 0]
    stakes = named["the largest stakes"]["stakes"]
    assert max(stakes) * 1_024 > 2**64
    assert sum(named["the largest stakes"]["slots_each"]) == 1_024


def test_a_stranger_grows_the_same_seeds_and_finds_the_same_leaders():
    seeds = [hashed("seed", bytes.fromhex(VECTORS["chain_id"]))]
    seeds.append(hashed("seed", seeds[0]))
    for number, epoch in enumerate(EPOCHS):
        assert (epoch["epoch"], epoch["seed"]) == (number, seeds[number].hex())
        schedule = leaders(seeds[number], epoch["stakes"])
        growing = seeds[number + 1]
        for block in epoch["blocks"]:
            place = number.to_bytes(8, "big") + block["view"].to_bytes(8, "big")
            alpha = b"BILLCOIN/seed/1" + seeds[number] + place
            key, proof, draw = (bytes.fromhex(block[name]) for name in ("vrf_key", "proof", "draw"))
            assert block["alpha"] == alpha.hex()
            assert block["leader"] == schedule[block["view"] % 1_024]
            assert vrf.verify(key, alpha, proof) == draw
            growing = hashed("seed", growing, draw)
            assert block["growing_seed"] == growing.hex()
        seeds.append(growing)
    assert len(seeds) == 2 + len(EPOCHS)
