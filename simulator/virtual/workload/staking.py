"""Owners of validators: they join, add, delegate, leave and come back, by real transactions.

Each owner does one thing after another. Newcomers register and bond, so that their machine has a
seat two epochs later; others bond more, on themselves or on each other, or unbond a part or all.
Who was jailed asks to be freed. Invariant: liars stay below a third of every committee that can
come of it. Only what honest members held from the start is counted on, less all they ever unbond.
"""

from functools import partial
from random import Random
from typing import Final

from ledger.primitives.amounts import Units
from ledger.primitives.committee import Member
from ledger.types.staking import Bond, RegisterValidator, Unbond, Unjail, possession_bytes
from ledger.types.transaction import Body
from simulator.virtual.oracle.stakes import StakeBook, ValidatorRecord
from simulator.virtual.workload.payments import Purse, Workload

COMMISSION_BP: Final = 500
ATTEMPTS_GAP_MS: Final = 700
"""Who has nothing to do looks again about this much later."""


class StakingWorkload:
    """All owners of one simulation."""

    def __init__(
        self, workload: Workload, book: StakeBook, liars: set[Member], chance: Random
    ) -> None:
        self.topology = workload.env.topology
        self.book = book
        self.liars = liars
        self._world = workload.env.world
        self._chance = chance
        self._purses = [Purse(workload, owner) for owner in self.topology.owners]
        seated = [seat.stake for seat in self.topology.committee.seats]
        self._own = {m: seated[m] if m < len(seated) else 0 for m in self.topology.members}
        """What each owner has bonded on its own validator, as far as was ordered."""
        self._usual = sum(seated) // len(seated)
        self._lying = sum(seated[m] for m in liars)
        self._relied = sum(seated) - self._lying

    def begin(self, gap_ms: int) -> None:
        """Let every owner act, each about so long after its last deed was final."""
        for member in self.topology.members:
            self._plan(member, gap_ms)

    def _plan(self, member: int, gap_ms: int) -> None:
        wait_ms = 1 + int(self._chance.expovariate(1 / gap_ms))
        self._world.after(wait_ms, partial(self._act, member, gap_ms))

    def _act(self, member: int, gap_ms: int) -> None:
        body = self._choose(Member(member))
        if body is None:
            self._world.after(ATTEMPTS_GAP_MS, partial(self._plan, member, gap_ms))
        else:
            self._purses[member].spend(body, partial(self._plan, member, gap_ms))

    def _choose(self, member: Member) -> Body | None:
        key = self.topology.keys[member].public
        one = self.book.standing.get(key)
        if one is None:
            return self._register(member)
        if one.jailed_until:
            return Unjail(key)
        if member in self.liars:
            return None
        if self._own[member] == 0:
            return self._bond(member, member)
        match self._chance.randrange(10):
            case 0 | 1 | 2:
                return self._bond(member, member)
            case 3 | 4:
                return self._bond(member, self._anyone(member))
            case _:
                return self._unbond(member, one)

    def _register(self, member: Member) -> RegisterValidator:
        topology, purse = self.topology, self._purses[member]
        vote_key, vrf_key = topology.keys[member], topology.vrf_keys[member]
        said = possession_bytes(topology.chain_id, purse.address, vote_key.public, vrf_key)
        proof = vote_key.sign(said)
        return RegisterValidator(vote_key.public, vrf_key, "newcomer", COMMISSION_BP, proof)

    def _anyone(self, member: Member) -> Member:
        """Choose whom to delegate to: someone honest who is registered."""
        keys = self.topology.keys
        known = [m for m in self.topology.members if keys[m].public in self.book.standing]
        return Member(self._chance.choice([m for m in known if m not in self.liars]))

    def _bond(self, member: Member, target: Member) -> Bond:
        units = self._usual * self._chance.randint(30, 150) // 100
        if member == target:
            self._own[member] += units
        return Bond(self.topology.keys[target].public, Units(units))

    def _unbond(self, member: Member, one: ValidatorRecord) -> Unbond | None:
        """Take back a part or all, if honest stake is enough without it."""
        units = self._own[member] // self._chance.choice((1, 2, 3))
        if not 0 < units <= one.stake or 2 * self._lying >= self._relied - units:
            return None
        self._own[member] -= units
        if member not in self.topology.newcomers:
            self._relied -= units
        return Unbond(self.topology.keys[member].public, Units(units))
