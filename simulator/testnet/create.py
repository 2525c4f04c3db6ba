"""Make a network once: keys, homes, and the genesis that knows them all.

Keys come from the system's randomness, or all from one seed: the same seed, the same people. A
seeded network is for tests; whoever knows the seed owns everything in it. `layout.json` is written
last: before it stands, nothing that was made here counts.

Whole milk is not in the opening stock: what a shopper buys was minted from readings. A network
for measurements is the exception (`testnet.load`).
"""

import time
from pathlib import Path
from typing import Final

import msgspec
import msgspec.inspect
from msgspec.structs import replace

from api.config import prepare as prepare_api
from api.testing.wallet import CUSTOMER_FILE
from iot_minting.attestor.config import KEY_FILE as ATTESTOR_KEY_FILE
from iot_minting.attestor.config import prepare as prepare_attestor
from iot_minting.gateway.config import MintIdentity
from iot_minting.gateway.config import prepare as prepare_mint
from ledger.genesis import (
    GenesisAccount,
    GenesisRole,
    GenesisValidator,
    format_genesis,
)
from ledger.params import Staking
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import Address, PublicKey, address_of
from ledger.state.records import Role
from node.config import JOURNAL_FOLDER
from node.home.whole_file import write_whole
from node.pricefeed.config import KEY_FILE, FeederConfig
from node.pricefeed.config import prepare as prepare_oracle
from node.shell.disk.journal import begin_journal
from simulator.dairy.setup import SEED_NAME
from simulator.dairy.setup import prepare as prepare_dairy
from simulator.dairy.shopper import key_path as shopper_key_path
from simulator.dairy.shopper import prepare as prepare_shopper
from simulator.testnet.layout import (
    ATTESTORS_USUAL,
    LAYOUT_VERSION,
    ORACLES_USUAL,
    Description,
    Layout,
)
from simulator.testnet.lines import dairy_line, dairy_permits
from simulator.testnet.load import load_accounts, load_meters
from simulator.testnet.opening import (
    DAY_MS,
    PREFIX,
    STOCK_DAYS,
    list_devices,
    list_roles,
    open_chain,
    with_epochs,
)
from simulator.testnet.planting import Draw, drawing, plant, planted
from simulator.testnet.signers import OPERATING, make_signer
from simulator.testnet.signers import PURSES as SIGNER_PURSES

STAKE_UNITS: Final = Units(100_000 * UNITS_PER_BILL)
"""What each validator has at stake; equal, so every one leads as often."""
ORACLE_PURSE_UNITS: Final = Units(100 * UNITS_PER_BILL)
"""Each oracle's: a million fees."""
PURSES: Final = {
    "shopper": Units(1_000_000 * UNITS_PER_BILL),
    "mmu": Units(10_000 * UNITS_PER_BILL),
    "regulator": Units(10_000 * UNITS_PER_BILL),
    "treasury": Units(1_000_000 * UNITS_PER_BILL),
    "customer": Units(100_000 * UNITS_PER_BILL),
}
"""First balances; the treasury is for whoever tries the commands by hand, the customer is made up
and pays as partners ask it to."""

REGULATOR_KEY_FILE: Final = "../keys/regulator.key"
"""From the dairy's home: the whole folder may be carried elsewhere, whatever its name."""


def _staking_bounds(name: str) -> tuple[int, int]:
    """Read the bounds of a parameter off its type."""
    found = msgspec.inspect.type_info(Staking)
    assert isinstance(found, msgspec.inspect.StructType)
    kind = next(field.type for field in found.fields if field.name == name)
    assert isinstance(kind, msgspec.inspect.IntType)
    assert kind.ge is not None
    assert kind.le is not None
    return kind.ge, kind.le


EPOCH_BLOCKS_LEAST, EPOCH_BLOCKS_MAX = _staking_bounds("epoch_blocks")
"""How short and how long an epoch may be."""


def create(
    layout: Layout,
    validators: int,
    seed: int | None,
    load_count: int = 0,
    epoch_blocks: int | None = None,
    oracles: int = ORACLES_USUAL,
    attestors: int = ATTESTORS_USUAL,
) -> Description:
    """Make everything under the directory that a first start needs, but for ports.

    `load_count` accounts beside the people's have money for measurements (`testnet.load`). Without
    `epoch_blocks` epochs are as long as usual.
    """
    draw, now_ms = drawing(seed), time.time_ns() // 1_000_000
    layout.logs.mkdir(parents=True, exist_ok=True)
    seats = tuple(_validator(layout.node(index), draw) for index in range(validators))
    mint = _mint(layout.home("mint"), draw)
    dairy = prepare_dairy(layout.home("dairy"), planted(layout, f"dairy/{SEED_NAME}", draw))
    merchant = _merchant(layout, draw)
    plant(shopper_key_path(layout.home("shopper"), 0), draw("shopper"))
    shopper = prepare_shopper(layout.home("shopper"), prefix=PREFIX)
    purses = {"shopper": shopper.address, "mmu": mint.mmu_address, **_offices(layout, draw)}
    feeders = [_oracle(layout, name, draw) for name in oracle_names(oracles)]
    signing = make_signer(layout, draw)
    accounts = tuple(GenesisAccount(purses[name], units) for name, units in PURSES.items())
    accounts += tuple(GenesisAccount(signing[name], SIGNER_PURSES[name]) for name in signing)
    accounts += tuple(GenesisAccount(feeder, ORACLE_PURSE_UNITS) for feeder in feeders)
    devices = list_devices(dairy, mint.mmu_address)
    spenders: tuple[GenesisAccount, ...] = ()
    if load_count:
        secret = draw("load")
        plant(layout.root / "keys" / "load.key", secret)
        spenders = load_accounts(secret, load_count)
        devices += load_meters(secret, mint.mmu_address, now_ms + STOCK_DAYS * DAY_MS)
    judges = tuple(_attestor(layout, name, draw) for name in attestor_names(attestors))
    # The account that pays refunds is the one that mandates name; customers pay the other one.
    merchants = (merchant, signing[OPERATING])
    roles = list_roles(mint, dairy, purses, merchants, judges)
    roles += tuple(GenesisRole(Role.ORACLE, feeder) for feeder in feeders)
    genesis = open_chain(seats, accounts, spenders, roles, devices, mint.mmu_address, now_ms)
    genesis = replace(
        genesis,
        lines=(dairy_line(dairy, mint.mmu_address),),
        permits=dairy_permits(dairy, mint.mmu_address, genesis.time_ms),
    )
    genesis = with_epochs(genesis, epoch_blocks)
    genesis.check()
    # A copy for each: a validator's home can be carried to a machine of its own.
    copies = (layout.node(index) / "genesis.json" for index in range(validators))
    for path in (layout.genesis_path, *copies):
        write_whole(path, format_genesis(genesis).encode())
    description = Description(
        version=LAYOUT_VERSION,
        validators=validators,
        chain_id=genesis.chain_id.hex(),
        prefix=PREFIX,
        stock_units=sum(stock.units for stock in genesis.stock),
        oracles=oracles,
        attestors=attestors,
    )
    write_whole(layout.description_path, msgspec.json.encode(description) + b"\n")
    return description


def _offices(layout: Layout, draw: Draw) -> dict[str, Address]:
    """Make the keys of those who have no process of their own."""
    regulator = plant(regulator_key_file(layout), draw("regulator"))
    treasury = plant(layout.root / "keys" / "treasury.key", draw("treasury"))
    customer = plant(layout.home("api") / CUSTOMER_FILE, draw("customer"))
    return {
        "regulator": address_of(regulator.public),
        "treasury": address_of(treasury.public),
        "customer": address_of(customer.public),
    }


def regulator_key_file(layout: Layout) -> Path:
    """Name the key that may register devices on this network."""
    return layout.home("dairy") / REGULATOR_KEY_FILE


def _validator(home: Path, draw: Draw) -> GenesisValidator:
    vote, vrf, _, owner = (
        plant(home / "keys" / f"{name}.key", draw(f"{home.name}/{name}"))
        for name in ("validator", "vrf", "network", "owner")
    )
    # The chain is new, so the key has never voted on it: without a journal it would keep silent.
    begin_journal(home / JOURNAL_FOLDER)
    return GenesisValidator(vote.public, vrf.public, STAKE_UNITS, address_of(owner.public))


def _mint(home: Path, draw: Draw) -> MintIdentity:
    for name in ("mmu", "ingest"):
        plant(home / "keys" / f"{name}.key", draw(f"mint/{name}"))
    return prepare_mint(home)


def attestor_names(attestors: int) -> list[str]:
    """Name the attestors' processes and homes."""
    return [f"attestor-{index}" for index in range(attestors)]


def _attestor(layout: Layout, name: str, draw: Draw) -> PublicKey:
    """Make an attestor's home; its configuration comes with each start."""
    plant(layout.home(name) / ATTESTOR_KEY_FILE, draw(name))
    return prepare_attestor(layout.home(name))


def oracle_names(oracles: int) -> list[str]:
    """Name the oracles' processes and homes."""
    return [f"oracle-{index}" for index in range(oracles)]


def _oracle(layout: Layout, name: str, draw: Draw) -> Address:
    """Make an oracle's home; its configuration comes with each start."""
    plant(layout.home(name) / KEY_FILE, draw(name))
    return prepare_oracle(layout.home(name), FeederConfig()).address


def _merchant(layout: Layout, draw: Draw) -> Address:
    """Make the payments service's home with the merchant's key; its ports come with each start."""
    plant(layout.home("api") / "payout.key", draw("merchant"))
    identity = prepare_api(
        layout.home("api"),
        node_urls=["http://127.0.0.1:1"],
        database_dir=layout.database,
        database_port=1,
        port=1,
        prefix=PREFIX,
    )
    return identity.payout_address
