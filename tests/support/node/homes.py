"""Homes of a small network on this machine: genesis, keys, configurations."""

from dataclasses import dataclass
from pathlib import Path

from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
    format_genesis,
)
from ledger.params import default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, Seed, SigningKey, address_of
from ledger.state.records import ATTESTORS_LEAST, Role
from ledger.types.evidence import MilkKind
from ledger.types.transaction import Intent, sign
from ledger.types.transfer import Transfer
from node.config import JOURNAL_FOLDER, NodeConfig, PeerConfig, save_config
from node.home.key_file import write_key
from node.shell.disk.journal import begin_journal
from tests.support.system.ports import free_port

STAKE = Units(1_000 * UNITS_PER_BILL)
BALANCE = Units(1_000_000 * UNITS_PER_BILL)
PURSE = Units(UNITS_PER_BILL)
"""What each price feeder has for fees."""
GENESIS_MS = 1_760_000_000_000
EXPIRES_MS = GENESIS_MS + 100_000_000_000


PAYEE = address_of(SigningKey(Seed(bytes([77]) * 32)).public)


@dataclass(frozen=True)
class Homes:
    """A network that is configured and not started."""

    configs: tuple[NodeConfig, ...]
    genesis: Genesis
    payer: SigningKey
    """Holds `BALANCE`, less a `PURSE` for each price feeder."""


def _seed(kind: int, index: int) -> Seed:
    return Seed(bytes([kind]) * 16 + index.to_bytes(16, "big"))


def oracle_seed(index: int) -> Seed:
    """Give the seed of a price feeder's key."""
    return _seed(7, index)


def make_genesis(validators: int, oracles: int = 0) -> Genesis:
    """Make a development genesis with one rich account, one regulator and some price feeders."""
    payer = address_of(SigningKey(_seed(9, 0)).public)
    keys = [SigningKey(_seed(1, i)).public for i in range(validators)]
    attestors = [SigningKey(_seed(8, i)).public for i in range(ATTESTORS_LEAST)]
    feeders = [address_of(SigningKey(oracle_seed(i)).public) for i in range(oracles)]
    balance = Units(BALANCE - PURSE * oracles)
    return Genesis(
        name="try",
        prefix="dbill",
        time_ms=GENESIS_MS,
        parameters=default_parameters(development=True),
        validators=tuple(
            GenesisValidator(key, SigningKey(_seed(2, i)).public, STAKE, address_of(key))
            for i, key in enumerate(keys)
        ),
        accounts=(
            GenesisAccount(payer, balance),
            *(GenesisAccount(feeder, PURSE) for feeder in feeders),
        ),
        stock=(
            GenesisStock(
                "first", MilkKind.UHT, "plant", Units(BALANCE + STAKE * validators), EXPIRES_MS
            ),
        ),
        roles=(
            GenesisRole(Role.REGULATOR, payer),
            *(GenesisRole(Role.ATTESTOR, attestor) for attestor in attestors),
            *(GenesisRole(Role.ORACLE, feeder) for feeder in feeders),
        ),
        devices=(),
    )


def make_homes(folder: Path, validators: int, oracles: int = 0) -> Homes:
    """Write the homes of a network's nodes under a folder."""
    genesis = make_genesis(validators, oracles)
    peers = tuple(
        PeerConfig(
            SigningKey(_seed(1, i)).public.hex(),
            SigningKey(_seed(3, i)).public.hex(),
            f"/ip4/127.0.0.1/tcp/{free_port()}",
        )
        for i in range(validators)
    )
    configs = []
    for i in range(validators):
        home = folder / f"node{i}"
        config = NodeConfig(
            name=f"node{i}",
            listen=peers[i].address,
            peers=peers[:i] + peers[i + 1 :],
            rpc_port=free_port(),
            heartbeat_ms=1_000,
            home=home,
        )
        save_config(config)
        (home / "genesis.json").write_text(format_genesis(genesis))
        write_key(home / "keys/validator.key", _seed(1, i))
        write_key(home / "keys/vrf.key", _seed(2, i))
        write_key(home / "keys/network.key", _seed(3, i))
        begin_journal(home / JOURNAL_FOLDER)
        configs.append(config)
    return Homes(tuple(configs), genesis, SigningKey(_seed(9, 0)))


def transfer(homes: Homes, nonce: int, units: int = 1_000_000) -> bytes:
    """Sign a payment of the payer's to `PAYEE`."""
    intent = Intent(
        chain_id=homes.genesis.chain_id,
        sender=Policy.single(homes.payer.public),
        nonce=nonce,
        fee_units=Units(100),
        valid_until_height=1_000_000,
        body=Transfer(PAYEE, Units(units), bytes(32), ()),
    )
    return encode(sign(intent, homes.payer))
