"""Vectors of leaders: who leads which view, what a leader draws, and how draws become seeds.

`python -m tests.vectors.leaders_vectors` writes `leaders.json` anew. Everything in it is consensus:
whoever reckons another leader takes no proposal of the true one (docs/spec/consensus.md §4).
"""

import json
from hashlib import blake2b
from pathlib import Path

from consensus import vrf
from consensus.leader import SLOTS, Schedule, draw_bytes, quotas
from ledger.primitives.committee import Committee, Seat
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Seed
from ledger.primitives.scalars import Epoch, View
from ledger.rules.context import BlockContext
from ledger.rules.epochs import committee_of, seed_of
from ledger.transition import apply_block
from tests.support.ledger.town import Town
from tests.support.node.cluster import secret

FILE = Path(__file__).with_name("leaders.json")
EPOCH_BLOCKS = 3
VIEWS = ((1, 2, 4), (1, 3, 1_030))
"""Of the blocks of epochs 0 and 1; views without a block draw nothing."""
STAKES = {
    "one member": (7,),
    "equal stakes: the slot that is left goes to the lowest member": (5, 5, 5),
    "largest remainders": (5, 4, 3, 1),
    "the least part of a slot is none": (2**40, 2**40, 1),
    "the largest stakes: 1,024 times one has 73 bits": (2**63 - 1, 2**63 - 2, 2**62, 3, 2),
    "128 members": tuple(n * n for n in range(1, 129)),
}


def _committee(stakes):
    """Seat members by number: of a schedule, only stakes decide."""
    keys = [PublicKey(bytes([n + 1]) * 32) for n in range(len(stakes))]
    return Committee(tuple(Seat(key, key, s) for key, s in zip(keys, stakes, strict=True)))


def _schedule(name, stakes):
    seed = Hash(blake2b(name.encode(), digest_size=32).digest())
    schedule = Schedule(seed, _committee(stakes))
    return {
        "name": name,
        "seed": seed.hex(),
        "stakes": list(stakes),
        "slots_each": quotas(stakes),
        "slots": bytes(schedule.leader(View(view)) for view in range(SLOTS)).hex(),
    }


def _secret_of(town, key) -> Seed:
    """Find the secret of a seat's VRF key."""
    secrets = (secret(f"vrf-{n}") for n in range(town.dairy.validators))
    return next(each for each in secrets if vrf.public_key(each) == key)


def _block(town, epoch, view):
    """Execute an empty block with its leader's draw; tell how the seed to come grew."""
    seed, committee = seed_of(town.state, epoch), committee_of(town.state, epoch)
    leader = Schedule(seed, committee).leader(View(view))
    alpha = draw_bytes(seed, Epoch(epoch), View(view))
    proof = vrf.prove(_secret_of(town, committee.seats[leader].vrf_key), alpha)
    draw = vrf.proof_to_hash(proof)
    town.height += 1
    place = (town.dairy.chain_id, town.height, town.time_ms, town.address("owner-0"))
    apply_block(town.state, BlockContext(*place, draw), [])
    return {
        "height": town.height,
        "view": view,
        "leader": leader,
        "vrf_key": committee.seats[leader].vrf_key.hex(),
        "alpha": alpha.hex(),
        "proof": proof.hex(),
        "draw": draw.hex(),
        "growing_seed": seed_of(town.state, epoch + 2).hex(),
    }


def _epochs():
    town = Town(staking={"epoch_blocks": EPOCH_BLOCKS})
    epochs = []
    for epoch, views in enumerate(VIEWS):
        seed, committee = seed_of(town.state, epoch), committee_of(town.state, epoch)
        stakes = [seat.stake for seat in committee.seats]
        blocks = [_block(town, epoch, view) for view in views]
        epochs.append({"epoch": epoch, "seed": seed.hex(), "stakes": stakes, "blocks": blocks})
    return {"chain_id": town.dairy.chain_id.hex(), "epochs": epochs}


def build():
    """Compute every vector."""
    return {
        **_epochs(),
        "schedules": [_schedule(name, stakes) for name, stakes in STAKES.items()],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n", "utf-8")
