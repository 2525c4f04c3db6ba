"""The committee that the ledger keeps is, byte for byte, the one that consensus hashes."""

import consensus.types as spoken
from ledger.primitives.codec import encode
from ledger.rules.epochs import committee_of
from ledger.types.staking import Bond
from tests.support.ledgers import bill, key
from tests.support.ledgers_town import Town


def test_a_committee_hashes_as_consensus_hashes_it():
    town = Town(staking={"epoch_blocks": 2})
    town.do("alice", town.registration("alice"))
    town.do("alice", Bond(key("vote-new").public, bill(77)))
    kept = committee_of(town.state, 2)
    seats = tuple(spoken.Seat(seat.key, seat.vrf_key, seat.stake) for seat in kept.seats)
    said = spoken.Committee(seats)
    assert len(seats) == 5
    assert (encode(said.seats), said.hash) == (encode(kept.seats), kept.hash())
