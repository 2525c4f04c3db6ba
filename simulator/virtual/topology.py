"""The topology of a simulation: who votes with which stake, who pays, and the genesis they share.

All keys come from fixed names, so a genesis depends on a plan of few numbers alone. Member i of the
first committee has the i-th stake: keys are dealt out in the committee's own order. Behind its
members stand newcomers: machines without a seat until somebody bonds stake on them. A member keeps
one number for life: its place in the topology, and in every node's book of peers. The number of its
seat changes from epoch to epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisLine,
    GenesisPermit,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Seed, SigningKey, address_of
from ledger.state.records import ATTESTORS_LEAST, NOBODY, Role
from ledger.store import MemoryStore
from ledger.types.evidence import HeatProcess, Instrument, MilkKind

BEGIN_MS: Final = 1_750_000_000_000
"""What clocks say when a simulation begins."""
PLANT: Final = "plant-1"
LINE: Final = "line-1"
TANK: Final = "tank-1"
METERS: Final = frozenset({Instrument.MILK_METER, Instrument.FLOW_METER})
EPOCH_BLOCKS: Final = 1_000
"""The usual length of an epoch: no simulation reaches its end unless it is meant to."""
CLIENTS: Final = 8
CLIENT_UNITS: Final = 1_000 * UNITS_PER_BILL
BOND_UNITS: Final = 1_000 * UNITS_PER_BILL
OWNER_UNITS: Final = 100 * UNITS_PER_BILL
"""What an owner of a validator, a reporter or a plant has from the start, where they act."""


def secret(name: str) -> Seed:
    """Make the secret that a name always gives."""
    return Seed(blake2b(name.encode(), digest_size=32, person=b"simulation").digest())


@cache
def key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(secret(name))


ATTESTORS: Final = tuple(
    sorted((key(f"attestor-{i}") for i in range(ATTESTORS_LEAST)), key=lambda each: each.public)
)
MMU: Final = key("mmu")
FARM: Final = key("farm")
INSTRUMENTS: Final = {kind: key(kind.value) for kind in Instrument}
FLOW_MAX_L_PER_H: Final = 100_000
MERCHANT: Final = key("merchant")
PAYER: Final = key("payer")
PLANT_ROLES: Final = (
    GenesisRole(Role.MMU, address_of(MMU.public)),
    GenesisRole(Role.MERCHANT, address_of(MERCHANT.public)),
)
PLANT_DEVICES: Final = tuple(
    GenesisDevice(
        k.public,
        kind,
        PLANT,
        address_of((FARM if kind is Instrument.MILK_METER else MMU).public),
        BEGIN_MS + 300 * DAY_MS,
        FLOW_MAX_L_PER_H if kind in METERS else 0,
    )
    for kind, k in INSTRUMENTS.items()
)
PLANT_LINE: Final = GenesisLine(
    PLANT,
    LINE,
    address_of(MMU.public),
    HeatProcess.CONTINUOUS,
    FLOW_MAX_L_PER_H,
    Units(0),
    TANK,
    tuple(
        sorted(
            k.public
            for kind, k in INSTRUMENTS.items()
            if kind not in {Instrument.MILK_METER, Instrument.TANK_GAUGE}
        )
    ),
)
FARM_PERMIT: Final = GenesisPermit(
    address_of(FARM.public),
    address_of(MMU.public),
    PublicKey(bytes(32)),
    NOBODY,
    10**9,
    BEGIN_MS + 300 * DAY_MS,
)


@dataclass(frozen=True)
class Topology:
    """Keys and VRF secrets by member, keys of clients, and what all agree on from the start."""

    keys: tuple[SigningKey, ...]
    vrf_secrets: tuple[Seed, ...]
    owners: tuple[SigningKey, ...]
    reporters: tuple[SigningKey, ...]
    """The accounts that report offences, by member; empty where nobody does."""
    clients: tuple[SigningKey, ...]
    genesis: Genesis
    chain_id: Hash
    committee: Committee
    epoch_blocks: int
    cells: dict[bytes, bytes]
    """The cells of a store that holds the genesis and nothing else."""

    @property
    def members(self) -> range:
        """Name the members, newcomers among them, as plain numbers."""
        return range(len(self.keys))

    @property
    def newcomers(self) -> range:
        """Name the members without a seat in the first committee."""
        return range(len(self.committee.seats), len(self.keys))

    def place(self, vote_key: PublicKey) -> Member:
        """Find a member by its vote key."""
        return self._places[vote_key]

    @cached_property
    def _places(self) -> dict[PublicKey, Member]:
        return {k.public: Member(i) for i, k in enumerate(self.keys)}

    @cached_property
    def vrf_keys(self) -> tuple[PublicKey, ...]:
        """Give the members' VRF keys."""
        return tuple(SigningKey(secret).public for secret in self.vrf_secrets)

    @cached_property
    def total(self) -> int:
        """Sum all stake of the first committee, here and not as the product does."""
        return sum(seat.stake for seat in self.committee.seats)

    def stake(self, members: Sequence[Member] | set[Member]) -> int:
        """Sum the first stake of distinct members; a newcomer has none."""
        seats = self.committee.seats
        return sum(seats[m].stake for m in members if m < len(seats))


@cache
def make_topology(
    stakes: tuple[int, ...],
    epoch_blocks: int = EPOCH_BLOCKS,
    newcomers: int = 0,
    *,
    staking: bool = False,
    milk: bool = False,
) -> Topology:
    """Make the topology of a network; the same arguments give the same one.

    With `staking` owners and reporters have money and epochs of punishment are short; with `milk`
    there is a plant that may mint.
    """
    size = len(stakes) + newcomers
    seated = tuple(sorted((key(f"validator-{i}") for i in range(len(stakes))), key=_public))
    keys = seated + tuple(key(f"newcomer-{i}") for i in range(newcomers))
    clients = tuple(key(f"client-{i}") for i in range(CLIENTS + 1))
    owners = tuple(key(f"owner-{i}") for i in range(size))
    reporters = tuple(key(f"reporter-{i}") for i in range(size)) if staking else ()
    rich = [*owners, *reporters] if staking else []
    rich += [MMU, MERCHANT, PAYER] if milk else []
    bonds = (GenesisBond(address_of(MMU.public), Units(BOND_UNITS)),) if milk else ()
    held = CLIENT_UNITS * len(clients) + OWNER_UNITS * len(rich) + sum(stakes)
    held += sum(bond.units for bond in bonds)
    genesis = Genesis(
        "simulation",
        "sbill",
        BEGIN_MS,
        _parameters(epoch_blocks, staking=staking),
        tuple(
            GenesisValidator(
                k.public, key(f"vrf-{i}").public, Units(stake), address_of(owners[i].public)
            )
            for i, (k, stake) in enumerate(zip(seated, stakes, strict=True))
        ),
        (
            *(GenesisAccount(address_of(k.public), Units(CLIENT_UNITS)) for k in clients),
            *(GenesisAccount(address_of(k.public), Units(OWNER_UNITS)) for k in rich),
        ),
        (GenesisStock("stock", MilkKind.UHT, PLANT, Units(held), BEGIN_MS + 100 * DAY_MS),),
        (
            *(GenesisRole(Role.ATTESTOR, each.public) for each in ATTESTORS),
            *(PLANT_ROLES if milk else ()),
        ),
        PLANT_DEVICES if milk else (),
        bonds,
        (PLANT_LINE,) if milk else (),
        (FARM_PERMIT,) if milk else (),
    )
    genesis.check()
    cells: dict[bytes, bytes] = {}
    MemoryStore(cells).init_genesis(genesis)
    return Topology(
        keys,
        tuple(secret(f"vrf-{i}") for i in range(size)),
        owners,
        reporters,
        clients,
        genesis,
        genesis.chain_id,
        genesis.committee,
        epoch_blocks,
        cells,
    )


def _parameters(epoch_blocks: int, *, staking: bool) -> Parameters:
    usual = default_parameters(development=True)
    rules = replace(usual.staking, epoch_blocks=epoch_blocks)
    if staking:
        rules = replace(rules, unbonding_epochs=8, evidence_epochs=6, jail_epochs=1)
    return replace(usual, staking=rules)


def _public(signing_key: SigningKey) -> bytes:
    return signing_key.public
