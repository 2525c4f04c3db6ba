"""Who is in the simulated dairy: farms, meters and the line's instruments, all from one seed.

`prepare` makes a home (dairy.seed, mode 0600) and names everyone that genesis must know. Every
key is `blake2b(seed, name)`, so a home needs no other key file, and the same seed is the same
dairy. Meters of a recording are made the same way, when it is played (`replay_*`).
"""

import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from iot_minting.errors import Misconfigured
from iot_minting.settings import BrokerSettings
from ledger.primitives.keys import Address, PublicKey, Seed, SigningKey, address_of
from ledger.types.evidence import Instrument
from node.home.key_file import keep_seed
from node.home.key_file import read_seed as read_seed_file

PLANT: Final = "ampang"
LINE: Final = "htst-1"
REPLAY_PLANT: Final = "replay"
CALIBRATION_DAYS: Final = 365
DAY_MS: Final = 86_400_000
FLOW_MAX_L_PER_H: Final = 10**9
"""As much as can be written: a day's milk flows in minutes here, through no real holding tube."""
SEED_NAME: Final = "dairy.seed"

FARMS: Final = (("kenanga", 18), ("melur", 26), ("seroja", 40))
"""Farms and how many cows each milks."""

LINE_INSTRUMENTS: Final = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)
"""Without a tank gauge (`simulator.dairy.line`)."""


IngestKey = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""The public key of who signs receipts, in hex."""


class DairyConfig(BrokerSettings):
    """Where the dairy's devices publish, whose receipts they trust, and how fast its day goes."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="BILLCOIN_DAIRY_")

    node_urls: list[str] = Field(default=["http://127.0.0.1:8545"], min_length=1, max_length=16)
    chain_id: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """The chain that devices sign for, in hex; if it is not said, a node is waited for."""
    ingest_key: IngestKey
    """The gateway's (`MintIdentity.ingest_key`)."""
    standby_keys: list[IngestKey] = Field(default=[], max_length=16)
    """Those of the MMU's other gateways."""
    regulator_key_file: str = ""
    """On a development network: the key that may register the meters of a recording, from HOME."""
    api_url: str = ""
    """Where the simulated shopper buys."""
    past_ms: int = Field(default=0, ge=0, le=600_000)
    """For how long the plant was on before its very first start, which tells of it at once."""
    run_seconds: float = Field(default=6.0, ge=1.0, le=600.0)
    """How often the line pasteurizes what was collected."""


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """One device, as `RegisterDevice` needs it, and the line whose topic it publishes under.

    `operator` is the farm of a meter; None for an instrument of the line, which is operated by
    the MMU (`MintIdentity.mmu_address`): genesis puts that address in.
    """

    name: str
    key: PublicKey
    kind: Instrument
    plant: str
    line: str
    operator: Address | None
    calibrated_until_ms: int

    @property
    def flow_max_l_per_h(self) -> int:
        """Give the most that a meter may count an hour, and 0 for any other instrument."""
        counts = self.kind in {Instrument.FLOW_METER, Instrument.MILK_METER}
        return FLOW_MAX_L_PER_H if counts else 0


@dataclass(frozen=True, slots=True)
class FarmIdentity:
    """A farm: its account, and how many cows it milks."""

    name: str
    key: PublicKey
    address: Address
    cows: int


@dataclass(frozen=True, slots=True)
class DairyIdentity:
    """Everyone in the dairy."""

    plant: str
    line: str
    farms: tuple[FarmIdentity, ...]
    devices: tuple[DeviceIdentity, ...]


def derive_key(seed: bytes, name: str) -> SigningKey:
    """Make the key of that name under the home's seed."""
    return SigningKey(Seed(blake2b(name.encode(), key=seed, digest_size=32).digest()))


def prepare(home: Path, seed: bytes) -> DairyIdentity:
    """Make the dairy's home if it is not there yet; tell who is in it, for genesis."""
    home.mkdir(parents=True, exist_ok=True)
    kept = keep_seed(home / SEED_NAME, lambda: Seed(seed))
    return identify(kept, int(time.time() * 1000) + CALIBRATION_DAYS * DAY_MS)


def read_seed(home: Path) -> bytes:
    """Read the seed of a prepared home; raise `node.errors.BadKeyFile` if it is not one."""
    return read_seed_file(home / SEED_NAME)


def identify(seed: bytes, calibrated_until_ms: int) -> DairyIdentity:
    """Name everyone in the dairy of a seed."""
    farms = tuple(_farm(seed, name, cows) for name, cows in FARMS)
    meters = [
        device_identity(
            seed, f"meter-{farm.name}", Instrument.MILK_METER, farm.address, calibrated_until_ms
        )
        for farm in farms
    ]
    instruments = line_identities(seed, PLANT, LINE, calibrated_until_ms)
    return DairyIdentity(PLANT, LINE, farms, (*meters, *instruments))


def device_identity(
    seed: bytes,
    name: str,
    kind: Instrument,
    operator: Address | None,
    calibrated_until_ms: int,
    place: tuple[str, str] = (PLANT, LINE),
) -> DeviceIdentity:
    """Name one device at a (plant, line)."""
    key = derive_key(seed, f"{place[0]}/{name}").public
    return DeviceIdentity(name, key, kind, *place, operator, calibrated_until_ms)


def line_identities(
    seed: bytes, plant: str, line: str, calibrated_until_ms: int
) -> list[DeviceIdentity]:
    """Name the instruments of one pasteurizer line."""
    return [
        device_identity(
            seed, f"{line}-{kind.value}", kind, None, calibrated_until_ms, (plant, line)
        )
        for kind in LINE_INSTRUMENTS
    ]


def device_key(seed: bytes, identity: DeviceIdentity) -> SigningKey:
    """Make the secret half of a device's key."""
    key = derive_key(seed, f"{identity.plant}/{identity.name}")
    if key.public != identity.key:
        raise Misconfigured(f"device {identity.name} is not of this home's seed")
    return key


def _farm(seed: bytes, name: str, cows: int) -> FarmIdentity:
    key = derive_key(seed, f"farm/{name}").public
    return FarmIdentity(name, key, address_of(key), cows)
