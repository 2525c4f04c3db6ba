"""The cast of a simulation: who votes with which stake, who pays, and the genesis they share.

All keys come from fixed names, so a genesis depends on the stakes alone. Member i of the
committee has the i-th stake: keys are dealt out in the committee's own order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from consensus.types import Committee, Member
from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Seed, SigningKey, address_of
from ledger.state.records import Role
from ledger.store import MemoryStore
from ledger.types.evidence import MilkKind
from node.core.assembly import committee_of

BEGIN_MS: Final = 1_750_000_000_000
"""What clocks say when a simulation begins."""
PLANT: Final = "plant-1"
EPOCH_BLOCKS: Final = 1_000
"""The usual length of an epoch: no simulation reaches its end unless it is meant to."""
CLIENTS: Final = 8
CLIENT_UNITS: Final = 1_000 * UNITS_PER_BILL


@cache
def key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(Seed(blake2b(name.encode(), digest_size=32, person=b"simulation").digest()))


@dataclass(frozen=True)
class Cast:
    """Keys by member, keys of clients, and what all of them agree on from the start."""

    keys: tuple[SigningKey, ...]
    clients: tuple[SigningKey, ...]
    genesis: Genesis
    chain_id: Hash
    committee: Committee
    epoch_blocks: int
    cells: dict[bytes, bytes]
    """The cells of a store that holds the genesis and nothing else."""

    @property
    def members(self) -> range:
        """Name the members, as plain numbers."""
        return range(len(self.keys))

    @cached_property
    def total(self) -> int:
        """Sum all stake, here and not as the product does."""
        return sum(seat.stake for seat in self.committee.seats)

    def stake(self, members: Sequence[Member] | set[Member]) -> int:
        """Sum the stake of distinct members."""
        return sum(self.committee.seats[m].stake for m in members)


@cache
def make_cast(stakes: tuple[int, ...], epoch_blocks: int = EPOCH_BLOCKS) -> Cast:
    """Make the cast of a network; the same arguments give the same one."""
    keys = tuple(sorted((key(f"validator-{i}") for i in range(len(stakes))), key=_public))
    clients = tuple(key(f"client-{i}") for i in range(CLIENTS + 1))
    held = CLIENT_UNITS * len(clients) + sum(stakes)
    genesis = Genesis(
        "simulation",
        "sbill",
        BEGIN_MS,
        _parameters(epoch_blocks),
        tuple(
            GenesisValidator(
                k.public, key(f"vrf-{i}").public, Units(stake), address_of(key(f"owner-{i}").public)
            )
            for i, (k, stake) in enumerate(zip(keys, stakes, strict=True))
        ),
        tuple(GenesisAccount(address_of(k.public), Units(CLIENT_UNITS)) for k in clients),
        (GenesisStock("stock", MilkKind.UHT, PLANT, Units(held), BEGIN_MS + 100 * DAY_MS),),
        (GenesisRole(Role.ATTESTOR, key("attestor").public),),
        (),
    )
    genesis.check()
    store = MemoryStore()
    store.init_genesis(genesis)
    cells = dict(store._cells)  # Copied once, so that no store begins anew.
    return Cast(
        keys, clients, genesis, genesis.chain_id, committee_of(genesis), epoch_blocks, cells
    )


def _parameters(epoch_blocks: int) -> Parameters:
    usual = default_parameters(development=True)
    return replace(usual, staking=replace(usual.staking, epoch_blocks=epoch_blocks))


def _public(signing_key: SigningKey) -> bytes:
    return signing_key.public
