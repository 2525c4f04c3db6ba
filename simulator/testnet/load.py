"""Who generates load: accounts with money and meters, all from one seed, known from genesis on.

`keys/load.key` holds the seed. Account i signs with the key of blake2b-256(i as 8 bytes,
big-endian; key = seed, person = "load-account"), meter i with "load-meter" in its place. A
generator that holds the seed needs nothing else, and must not import this floor.

Their money is backed by whole milk on record, so that they can buy packs that no dairy minted.
"""

from hashlib import blake2b
from typing import Final

from ledger.genesis import GenesisAccount, GenesisDevice
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import Address, Seed, SigningKey, address_of
from ledger.types.evidence import Instrument

ACCOUNTS_MAX: Final = 20_000
"""More would not fit the genesis file."""
METERS: Final = 64
PLANT: Final = "load"
PURSE_UNITS: Final = Units(1_000 * UNITS_PER_BILL)


def load_accounts(seed: Seed, count: int) -> tuple[GenesisAccount, ...]:
    """List the accounts that a generator spends from."""
    return tuple(
        GenesisAccount(address_of(_key(seed, b"load-account", number).public), PURSE_UNITS)
        for number in range(count)
    )


def load_meters(
    seed: Seed, operator: Address, calibrated_until_ms: int
) -> tuple[GenesisDevice, ...]:
    """List the meters whose envelopes a generator publishes, at a plant that makes nothing."""
    return tuple(
        GenesisDevice(
            _key(seed, b"load-meter", number).public,
            Instrument.MILK_METER,
            PLANT,
            operator,
            calibrated_until_ms,
        )
        for number in range(METERS)
    )


def _key(seed: Seed, kind: bytes, number: int) -> SigningKey:
    made = blake2b(number.to_bytes(8, "big"), digest_size=32, key=seed, person=kind)
    return SigningKey(Seed(made.digest()))
