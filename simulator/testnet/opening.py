"""What a testnet's chain begins with: stock, devices, roles and bonds around the people's keys."""

from typing import Final

from msgspec.structs import replace

from iot_minting.gateway.config import MintIdentity
from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.params import MARGIN_MS, default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import Address, PublicKey
from ledger.state.records import Role
from ledger.types.evidence import MilkKind
from simulator.dairy.setup import DairyIdentity

NETWORK_NAME: Final = "dev"
PREFIX: Final = "dbill"
STOCK_PLANT: Final = "opening"
STOCK_DAYS: Final = 270
DAY_MS: Final = 86_400_000

PAST_MS: Final = MARGIN_MS
"""A network begins so long before it is made, and its dairy is on since: the law wants instruments
heard so long past a window's end, and nobody who looks on waits for it."""

BOND_UNITS: Final = Units(10_000 * UNITS_PER_BILL)
"""What the plant vouches with: the least that is asked, many times over."""


def open_chain(
    validators: tuple[GenesisValidator, ...],
    accounts: tuple[GenesisAccount, ...],
    spenders: tuple[GenesisAccount, ...],
    roles: tuple[GenesisRole, ...],
    devices: tuple[GenesisDevice, ...],
    mmu: Address,
    now_ms: int,
) -> Genesis:
    """Give the genesis of a network that begins now, with stock for every unit that is held."""
    staked = sum(validator.stake_units for validator in validators)
    held = sum(account.units for account in accounts)
    spent = sum(account.units for account in spenders)
    expires_ms = now_ms + STOCK_DAYS * DAY_MS
    stock = tuple(
        GenesisStock(name, kind, STOCK_PLANT, Units(units), expires_ms)
        for name, kind, units in (
            ("stake", MilkKind.STERILISED, staked),
            ("purses", MilkKind.STERILISED, held),
            ("bond", MilkKind.STERILISED, BOND_UNITS),
            ("load", MilkKind.WHOLE, spent),
        )
        if units
    )
    return Genesis(
        name=NETWORK_NAME,
        prefix=PREFIX,
        time_ms=now_ms - PAST_MS,
        parameters=default_parameters(development=True),
        validators=validators,
        accounts=accounts + spenders,
        stock=stock,
        roles=roles,
        devices=devices,
        bonds=(GenesisBond(mmu, BOND_UNITS),),
    )


def with_epochs(genesis: Genesis, epoch_blocks: int | None) -> Genesis:
    """Give the genesis with epochs of so many blocks; None leaves them as they are."""
    if epoch_blocks is None:
        return genesis
    staking = replace(genesis.parameters.staking, epoch_blocks=epoch_blocks)
    return replace(genesis, parameters=replace(genesis.parameters, staking=staking))


def list_devices(dairy: DairyIdentity, mmu: Address) -> tuple[GenesisDevice, ...]:
    """List the dairy's devices: farms run their own meters, the plant all others."""
    return tuple(
        GenesisDevice(
            d.key, d.kind, d.plant, d.operator or mmu, d.calibrated_until_ms, d.flow_max_l_per_h
        )
        for d in dairy.devices
    )


def list_roles(
    mint: MintIdentity,
    dairy: DairyIdentity,
    purses: dict[str, Address],
    merchants: tuple[Address, ...],
    attestors: tuple[PublicKey, ...],
) -> tuple[GenesisRole, ...]:
    """List who may do what."""
    return (
        GenesisRole(Role.REGULATOR, purses["regulator"]),
        GenesisRole(Role.TREASURY, purses["treasury"]),
        GenesisRole(Role.MMU, mint.mmu_address),
        *(GenesisRole(Role.ATTESTOR, attestor) for attestor in attestors),
        *(GenesisRole(Role.MERCHANT, merchant) for merchant in merchants),
        *(GenesisRole(Role.FARMER, farm.address) for farm in dairy.farms),
    )
