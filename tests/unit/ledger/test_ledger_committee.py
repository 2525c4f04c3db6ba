"""The committee that the ledger keeps hashes as the specification says, byte for byte."""

from hashlib import blake2b

import msgspec

from ledger.rules.epochs import committee_of
from ledger.types.staking import Bond
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.town import Town


def test_a_committee_hashes_as_the_specification_says():
    """Domain and array of [vote key, VRF key, stake], ascending (encoding.md §2)."""
    town = Town(staking={"epoch_blocks": 2})
    town.do("alice", town.registration("alice"))
    town.do("alice", Bond(key("vote-new").public, bill(77)))
    kept = committee_of(town.state, 2)
    seats = sorted((bytes(seat.key), bytes(seat.vrf_key), seat.stake) for seat in kept.seats)
    text = b"BILLCOIN/committee/1" + msgspec.msgpack.encode(seats)
    assert len(seats) == 5
    assert kept.is_ordered
    assert kept.hash == blake2b(text, digest_size=32).digest()
