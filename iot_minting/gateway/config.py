"""The gateway's home: `config.toml` as a checked model, the keys, and where its files lie.

A home holds config.toml, keys/{mmu,ingest}.key (mode 0600) and mint.sqlite.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from iot_minting.settings import BrokerSettings, load_settings
from ledger.params import HOUR_MS
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of
from ledger.types.evidence import MilkKind
from node.addresses import check_url
from node.errors import BadConfig
from node.home.key_file import keep_seed, read_key

STORE_BYTES: Final = 16 * 1024**3
PlantName = Annotated[str, Field(pattern=r"^[^/+#]{1,64}$")]
IngestKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class KnownAttestor(BaseModel):
    """An attestor that is asked: its key in hex, and where it listens."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        try:
            return check_url(url)
        except BadConfig as fault:
            raise ValueError(str(fault)) from None


class MeterTank(BaseModel):
    """Into which tank a meter's milk flows, where its plant has several."""

    model_config = ConfigDict(extra="forbid")

    meter: str = Field(pattern=r"^[0-9a-f]{64}$")
    tank: str = Field(min_length=1, max_length=64)


class MintConfig(BrokerSettings):
    """Where the gateway finds broker and nodes, and when it cuts a window."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="BILLCOIN_MINT_")

    node_urls: list[str] = Field(default=["http://127.0.0.1:8545"], min_length=1, max_length=16)
    plants: list[PlantName] = Field(default=[], max_length=1_000)
    """The plants of the MMU that this gateway serves; all that the chain knows if none is named."""
    peers: list[IngestKey] = Field(default=[], max_length=16)
    """The ingest keys of the MMU's other gateways. With none it is alone, and acts for all."""
    copies: int = Field(default=0, ge=0, le=16)
    """How many peers must have stored a reading before its device may forget it."""
    lease_ms: int = Field(default=15_000, ge=900, le=HOUR_MS)
    """How long a plant stays with a gateway that the broker no longer hears."""
    standby: bool = False
    """Let the other gateways take a free plant first."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Where Prometheus may ask, on loopback; 0 turns it off."""
    milk_kind: MilkKind = MilkKind.WHOLE
    valid_blocks: int = Field(default=200, ge=10)
    """How many blocks a mint transaction stays valid before it is signed anew."""
    window_ms: int = Field(default=2 * HOUR_MS, ge=1_000, le=24 * HOUR_MS)
    """How long a line's window is at least."""
    window_envelopes_max: int = Field(default=20_000, ge=100, le=60_000)
    """With more envelopes a window is cut before it is so long."""
    collect_ms: int = Field(default=60_000, ge=1_000, le=HOUR_MS)
    """How often a meter's milk is brought into its tank."""
    silence_ms: int = Field(default=HOUR_MS // 2, ge=30_000, le=24 * HOUR_MS)
    """How long a window waits for a device that says nothing."""
    milk_ms: int = Field(default=26 * HOUR_MS, ge=1_000, le=36 * HOUR_MS)
    """How long it waits for milk that flowed: as late as farms' readings may come, and be read."""
    attest_ms: int = Field(default=60_000, ge=1_000, le=600_000)
    """How long attestors are waited for."""
    store_bytes_max: int = Field(default=STORE_BYTES, ge=64 * 1024**2)
    """Above this size of its file the gateway takes no more readings: devices keep them."""
    attestors: list[KnownAttestor] = Field(default=[], max_length=64)
    meter_tanks: list[MeterTank] = Field(default=[], max_length=10_000)

    @model_validator(mode="after")
    def _check_copies(self) -> Self:
        if self.copies > len(set(self.peers)):
            raise ValueError(f"copies = {self.copies} needs as many peers; {len(self.peers)} named")
        return self


@dataclass(frozen=True, slots=True)
class MintIdentity:
    """The public halves of a gateway's keys, for genesis: its role, its receipts."""

    mmu_key: PublicKey
    mmu_address: Address
    ingest_key: PublicKey


@dataclass(frozen=True, slots=True)
class MintKeys:
    """The gateway's keys: who mints, who signs receipts to devices."""

    mmu: SigningKey
    ingest: SigningKey

    def identity(self) -> MintIdentity:
        """Give what others may know."""
        mmu = self.mmu.public
        return MintIdentity(mmu, address_of(mmu), self.ingest.public)


def prepare(home: Path) -> MintIdentity:
    """Make the home and its keys if they are not there yet; tell who the gateway is."""
    home.mkdir(parents=True, exist_ok=True)
    mmu, ingest = (SigningKey(keep_seed(_key_path(home, name))) for name in _KEY_NAMES)
    return MintKeys(mmu, ingest).identity()


def read_keys(home: Path) -> MintKeys:
    """Read the keys of a prepared home."""
    mmu, ingest = (read_key(_key_path(home, name)) for name in _KEY_NAMES)
    return MintKeys(mmu, ingest)


def read_config(home: Path) -> MintConfig:
    """Read config.toml of a gateway's home; raise `Misconfigured` with what and where."""
    return load_settings(home, MintConfig)


_KEY_NAMES: Final = ("mmu", "ingest")


def _key_path(home: Path, name: str) -> Path:
    return home / "keys" / f"{name}.key"
