"""Plans of epochs: what consensus must know of one, read from the state at its beginning.

A plan is a pure function of a final state, so all nodes have the same ones, and a restart in the
middle of an epoch finds the plan that was there before.
"""

from dataclasses import dataclass

from consensus.leader import Schedule
from ledger.primitives.committee import Committee, Member, Seat
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.primitives.scalars import Epoch, View
from ledger.rules.epochs import committee_of, epoch_of, seed_of
from ledger.state.overlay import Reader
from ledger.state.tables import VALIDATORS, parameters


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """One epoch: who votes, in which order they lead, and where it ends."""

    epoch: Epoch
    committee: Committee
    next_hash: Hash
    """Commits to the committee of the epoch after."""
    seed: Hash
    schedule: Schedule
    first: int
    boundary: int
    """The height of the epoch's last block."""
    owners: tuple[Address, ...]
    """The address that each member's fees go to."""

    def owner(self, view: int) -> Address:
        """Name who is paid for a view's block."""
        return self.owners[self.leader(view)]

    def leader(self, view: int) -> Member:
        """Name the leader of a view."""
        return self.schedule.leader(View(view))

    def vrf_key(self, view: int) -> PublicKey:
        """Give the key with which the leader of a view draws."""
        return self.committee.seats[self.leader(view)].vrf_key


def plan_after(reader: Reader, height: int) -> EpochPlan:
    """Read the plan of the epoch to which the block above a final height belongs."""
    length = parameters(reader).staking.epoch_blocks
    epoch = epoch_of(height + 1, length)
    committee, following = _seated(reader, epoch), _seated(reader, epoch + 1)
    seed = seed_of(reader, epoch)
    return EpochPlan(
        epoch=Epoch(epoch),
        committee=committee,
        next_hash=following.hash,
        seed=seed,
        schedule=Schedule(seed, committee),
        first=epoch * length + 1,
        boundary=(epoch + 1) * length,
        owners=tuple(_owner(reader, seat) for seat in committee.seats),
    )


def _seated(reader: Reader, epoch: int) -> Committee:
    committee = committee_of(reader, epoch)
    assert committee is not None, "the state has the committees of this epoch and the next"
    return committee


def _owner(reader: Reader, seat: Seat) -> Address:
    validator = VALIDATORS.get(reader, seat.key)
    assert validator is not None, "who has a seat is registered"
    return validator.owner
