"""Committees as the oracle knows them: who sits in which epoch with how much stake, and who leads.

A committee numbers its members anew in each epoch; a process keeps one number for life, its place
in the topology: `EpochSeats` leads from one to the other. Who sits comes from the oracle's own
`StakeBook`, seeds are hashed here from what the final blocks' leaders drew (spec §4.2).
"""

from dataclasses import dataclass
from struct import pack

from consensus.leader import Schedule
from consensus.vrf import VrfProof
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Domain, digest
from ledger.primitives.keys import Address, PublicKey
from ledger.primitives.scalars import View
from ledger.types.block import Header
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.stakes import StakeBook
from simulator.virtual.signatures import DRAWS
from simulator.virtual.topology import Topology


@dataclass(frozen=True, slots=True)
class EpochSeats:
    """One epoch's seats: the place in the topology of each, stakes, and all of them together."""

    committee: Committee
    places: tuple[Member, ...]
    total: int


class Committees:
    """Every epoch that is known: those up to two after the last boundary that is final."""

    def __init__(self, topology: Topology, honest: set[Member]) -> None:
        self.topology = topology
        self._numbers = {key.public: Member(i) for i, key in enumerate(topology.keys)}
        self.book = StakeBook(topology.genesis, frozenset(topology.keys[m].public for m in honest))
        first = digest(Domain.SEED, topology.chain_id)
        self._seeds = [first, digest(Domain.SEED, first)]
        self._growing = self._seeds[1]
        self._epochs: list[EpochSeats] = []
        self._schedules: list[Schedule] = []
        self._enter()

    def knows(self, epoch: int) -> bool:
        """Tell whether the epoch's committee is settled."""
        return epoch < len(self._epochs)

    @property
    def latest(self) -> int:
        """Name the latest epoch that is settled."""
        return len(self._epochs) - 1

    def of(self, epoch: int) -> EpochSeats:
        """Give an epoch's seats."""
        return self._epochs[epoch]

    def key(self, epoch: int, signer: Member) -> PublicKey | None:
        """Give the key of a seat; None if there is no such seat, or it is not settled yet."""
        if not self.knows(epoch) or signer >= len(self._epochs[epoch].places):
            return None
        return PublicKey(self._epochs[epoch].committee.seats[signer].key)

    def place(self, epoch: int, signer: Member) -> Member:
        """Say who in the topology a seat's number means."""
        return self._epochs[epoch].places[signer]

    def seat(self, epoch: int, member: Member) -> Member | None:
        """Say which number a member of the topology has in an epoch; None without a seat."""
        places = self._epochs[epoch].places if self.knows(epoch) else ()
        return Member(places.index(member)) if member in places else None

    def stake(self, epoch: int, signers: set[Member]) -> int:
        """Sum the stake of seats."""
        seats = self._epochs[epoch].committee.seats
        return sum(seats[signer].stake for signer in signers)

    def is_quorum(self, epoch: int, stake: int) -> bool:
        """Tell whether so much stake is more than two thirds of the epoch's."""
        return 3 * stake > 2 * self._epochs[epoch].total

    def owner(self, epoch: int, signer: Member) -> Address:
        """Say where a seat's fees go."""
        key = PublicKey(self._epochs[epoch].committee.seats[signer].key)
        return self.book.standing[key].owner

    def leader(self, epoch: int, view: int) -> Member:
        """Name the seat that leads a view."""
        return self._schedules[epoch].leader(View(view))

    # What final blocks change.

    def drawn(self, header: Header) -> bytes | None:
        """Give what a block's leader drew; None unless its proof is that of the view's leader."""
        seats = self._epochs[header.epoch].committee.seats
        key = PublicKey(seats[self.leader(header.epoch, header.view)].vrf_key)
        asked = b"BILLCOIN/seed/1" + self._seeds[header.epoch]
        asked += pack(">QQ", header.epoch, header.view)
        return DRAWS.verify(key, asked, VrfProof(header.vrf_proof))

    def follow(self, header: Header) -> None:
        """Let a final block's draw grow the seed, and settle the epoch after next at a boundary."""
        draw = self.drawn(header)
        if draw is None:
            raise Breach("DRAW", f"height {header.height} is final without its leader's draw")
        self._growing = digest(Domain.SEED, self._growing, draw)
        if header.height % self.topology.epoch_blocks == 0:
            self._seeds.append(self._growing)
            self._enter()

    def _enter(self) -> None:
        for epoch in range(len(self._epochs), len(self.book.committees)):
            committee = self.book.committees[epoch]
            places = tuple(self._numbers[PublicKey(seat.key)] for seat in committee.seats)
            total = sum(seat.stake for seat in committee.seats)
            self._epochs.append(EpochSeats(committee, places, total))
            self._schedules.append(Schedule(self._seeds[epoch], committee))
