"""What a genesis says, and the rules that it must keep to begin a chain.

Invariant of a checked genesis: stock lots back every unit of accounts, stake and bonds, so that
supply = minted - redeemed from block 0.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.errors.money import ClosedAccount
from ledger.errors.store import BadGenesis
from ledger.genesis.lines import GenesisLine, GenesisPermit, put_lines, put_permits
from ledger.params import Parameters
from ledger.primitives.amounts import UNITS_MAX, WireUnits
from ledger.primitives.codec import encode
from ledger.primitives.committee import Committee, Seat
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Address, WireAddress, WirePublicKey, is_sound
from ledger.primitives.scalars import Millis
from ledger.rules.registry import may_have_flow_max
from ledger.state.overlay import EMPTY, Overlay
from ledger.state.records import ATTESTORS_LEAST, ATTESTORS_MAX, Device, Role
from ledger.state.tables import DEVICES, PARAMETERS, check_open, grant_role
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.registry import FlowMax

VALIDATORS_MAX: Final = 128
GENESIS_BYTES_MAX: Final = 4 * 1024 * 1024

_PREFIX: Final = re.compile(r"[a-z]{2,16}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class GenesisValidator(Struct, frozen=True, array_like=True):
    """A validator of the first epoch. `owner` is paid its fees."""

    vote_key: WirePublicKey
    vrf_key: WirePublicKey
    stake_units: WireUnits
    owner: WireAddress


class GenesisAccount(Struct, frozen=True, array_like=True):
    """A first balance."""

    address: WireAddress
    units: WireUnits


class GenesisStock(Struct, frozen=True, array_like=True):
    """Milk on record that backs the first tokens. Its name gives the lot its id."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: MilkKind
    plant: Annotated[str, Meta(min_length=1, max_length=64)]
    units: WireUnits
    expires_ms: Millis

    def lot_id(self) -> Hash:
        """Name the lot."""
        return digest(Domain.STOCK, self.name.encode())


class GenesisRole(Struct, frozen=True, array_like=True):
    """A first grant: the holder is an address, for an attestor its key."""

    role: Role
    holder: Annotated[bytes, Meta(min_length=32, max_length=32)]


class GenesisDevice(Struct, frozen=True, array_like=True):
    """A measuring device admitted from the start."""

    key: WirePublicKey
    instrument: Instrument
    plant: Annotated[str, Meta(min_length=1, max_length=64)]
    operator: WireAddress
    calibrated_until_ms: Millis
    flow_max_l_per_h: FlowMax = 0

    def record(self) -> Device:
        """Give the device as the state of block 0 has it."""
        return Device(
            self.instrument,
            self.plant,
            self.operator,
            self.calibrated_until_ms,
            flow_max_l_per_h=self.flow_max_l_per_h,
        )


class GenesisBond(Struct, frozen=True, array_like=True):
    """What an MMU vouches with from the start."""

    mmu: WireAddress
    units: WireUnits


class Genesis(Struct, frozen=True, array_like=True):
    """Everything that a chain begins with."""

    name: str
    prefix: str
    time_ms: Millis
    parameters: Parameters
    validators: tuple[GenesisValidator, ...]
    accounts: tuple[GenesisAccount, ...]
    stock: tuple[GenesisStock, ...]
    roles: tuple[GenesisRole, ...]
    devices: tuple[GenesisDevice, ...]
    bonds: tuple[GenesisBond, ...] = ()
    lines: tuple[GenesisLine, ...] = ()
    permits: tuple[GenesisPermit, ...] = ()

    @property
    def chain_id(self) -> Hash:
        """Name the chain: the digest of all this."""
        return digest(Domain.GENESIS, encode(self))

    @property
    def development(self) -> bool:
        """Tell whether this is a development network: its delays may be short."""
        return self.parameters.development

    @property
    def committee(self) -> Committee:
        """Seat the first epoch's validators by ascending vote key."""
        ordered = sorted(self.validators, key=lambda each: each.vote_key)
        return Committee(tuple(Seat(v.vote_key, v.vrf_key, v.stake_units) for v in ordered))

    def check(self) -> None:
        """Raise `BadGenesis` unless a chain can begin with this."""
        if not _NAME.fullmatch(self.name):
            raise BadGenesis(where="name", why="write 1 to 32 of a-z, 0-9 and -")
        if not _PREFIX.fullmatch(self.prefix):
            raise BadGenesis(where="prefix", why="write 2 to 16 of a-z")
        if why := self.parameters.why_wrong():
            raise BadGenesis(where="parameters", why=why)
        _check_validators(self.validators)
        _check_unique("accounts", [account.address for account in self.accounts])
        _check_unique("stock", [stock.name.encode() for stock in self.stock])
        _check_unique("roles", [role.role.encode() + role.holder for role in self.roles])
        _check_unique("devices", [device.key for device in self.devices])
        _check_unique("bonds", [bond.mmu for bond in self.bonds])
        _check_open("accounts", [account.address for account in self.accounts])
        _check_open("validators", [validator.owner for validator in self.validators])
        _check_open("devices", [device.operator for device in self.devices])
        _check_open("roles", [Address(role.holder) for role in self.roles])
        _check_open("bonds", [bond.mmu for bond in self.bonds])
        _check_unique("permits", [permit.farm + permit.meter for permit in self.permits])
        _check_open("permits", [permit.farm for permit in self.permits])
        self._check_counted()
        self._check_devices()
        self._check_bonds()
        self._check_lines()
        self._check_backing()

    def _check_counted(self) -> None:
        """Check that attestors and feeders are enough, and no more than their lists can hold."""
        for role, least in ((Role.ATTESTOR, ATTESTORS_LEAST), (Role.ORACLE, 0)):
            count = sum(grant.role is role for grant in self.roles)
            if not least <= count <= ATTESTORS_MAX:
                raise BadGenesis(
                    where="roles", why=f"{count} {role}s, must be {least} to {ATTESTORS_MAX}"
                )

    def _check_devices(self) -> None:
        for index, device in enumerate(self.devices):
            if not may_have_flow_max(device.instrument, device.flow_max_l_per_h):
                raise BadGenesis(
                    where=f"devices[{index}].flow_max_l_per_h",
                    why="only a meter of flow or of milk has a flow limit, write 0 for this one",
                )

    def _check_bonds(self) -> None:
        licensed = {role.holder for role in self.roles if role.role is Role.MMU}
        for index, bond in enumerate(self.bonds):
            if bond.mmu not in licensed or bond.units == 0:
                raise BadGenesis(
                    where=f"bonds[{index}]", why="it is empty, or its account has not the role mmu"
                )

    def _check_lines(self) -> None:
        """Write lines and permits on a state of devices and licences, by their rules."""
        overlay = Overlay(EMPTY)
        PARAMETERS.put(overlay, self.parameters)
        for device in self.devices:
            DEVICES.put(overlay, device.record(), device.key)
        for grant in self.roles:
            grant_role(overlay, grant.role, Address(grant.holder))
        put_lines(overlay, self.lines, self.time_ms)
        put_permits(overlay, self.permits, self.time_ms)

    def _check_backing(self) -> None:
        held = sum(account.units for account in self.accounts)
        staked = sum(validator.stake_units for validator in self.validators)
        bonded = sum(bond.units for bond in self.bonds)
        stocked = sum(stock.units for stock in self.stock)
        if stocked != held + staked + bonded:
            raise BadGenesis(
                where="stock",
                why=f"{stocked} units of milk back {held} in accounts, {staked} at stake and "
                f"{bonded} in bonds: they must be equal",
            )
        if stocked > UNITS_MAX:
            raise BadGenesis(where="stock", why=f"more than {UNITS_MAX} units in all")
        for index, stock in enumerate(self.stock):
            if stock.expires_ms <= self.time_ms or stock.units == 0:
                raise BadGenesis(where=f"stock[{index}]", why="it is empty or expired already")


def _check_validators(validators: Sequence[GenesisValidator]) -> None:
    if not 1 <= len(validators) <= VALIDATORS_MAX:
        raise BadGenesis(
            where="validators", why=f"{len(validators)}, must be 1 to {VALIDATORS_MAX}"
        )
    _check_unique("validators", [validator.vote_key for validator in validators])
    # One validator an owner: a block's proposer names its validator by the owner's address.
    _check_unique("validators", [validator.owner for validator in validators])
    for index, validator in enumerate(validators):
        if not (is_sound(validator.vote_key) and is_sound(validator.vrf_key)):
            raise BadGenesis(where=f"validators[{index}]", why="a key is no point of prime order")
        if validator.stake_units == 0:
            raise BadGenesis(where=f"validators[{index}].stake_units", why="it must be positive")


def _check_open(where: str, addresses: Sequence[Address]) -> None:
    for index, address in enumerate(addresses):
        try:
            check_open(address)
        except ClosedAccount as fault:
            raise BadGenesis(where=f"{where}[{index}]", why=str(fault)) from fault


def _check_unique(where: str, names: Sequence[bytes]) -> None:
    seen: set[bytes] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise BadGenesis(where=f"{where}[{index}]", why="it stands here twice")
        seen.add(name)
