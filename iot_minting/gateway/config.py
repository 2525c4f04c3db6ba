"""The gateway's home: `config.toml` as a checked model, the keys, and where its files lie.

A home holds config.toml, keys/{mmu,attestor,ingest}.key (mode 0600) and mint.sqlite.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from iot_minting.errors import Misconfigured
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of
from ledger.primitives.numerals import read_decimal, read_whole
from ledger.types.evidence import MilkKind
from node.addresses import check_url
from node.errors import BadConfig
from node.home.key_file import keep_seed, read_key
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole

T = TypeVar("T", bound="HomeSettings")


class HomeSettings(BaseSettings):
    """Settings read from one TOML file; the environment (`PREFIX_NAME`) overrides a value."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and read nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        assert isinstance(init_settings, InitSettingsSource)
        return env_settings, init_settings

    @field_validator("*", mode="before")
    @classmethod
    def _read_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Read a number that came as text, as all do from the environment: digits alone."""
        if not isinstance(value, str):
            return value
        kind = cls.model_fields[str(info.field_name)].annotation
        return read_whole(value) if kind is int else read_decimal(value) if kind is float else value

    @field_validator("node_urls", check_fields=False)
    @classmethod
    def _check_urls(cls, urls: list[str]) -> list[str]:
        try:
            return [check_url(url) for url in urls]
        except BadConfig as fault:
            raise ValueError(str(fault)) from None


class MintConfig(HomeSettings):
    """Where the gateway finds broker and nodes, and when it cuts a run."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="BILLCOIN_MINT_")

    node_urls: list[str] = Field(default=["http://127.0.0.1:8545"], min_length=1, max_length=16)
    broker_host: str = "127.0.0.1"
    broker_port: int = Field(default=1883, ge=1, le=65535)
    shared_group: str = Field(default="", pattern="^[a-z0-9-]{0,32}$")
    """Share readings with other gateways under this group; never with the embedded broker."""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Where Prometheus may ask, on loopback; 0 turns it off."""
    milk_kind: MilkKind = MilkKind.WHOLE
    run_interval_max_ms: int = Field(default=60_000, ge=1_000)
    run_litres_max: int = Field(default=20_000, ge=1)
    tank_grace_ms: int = Field(default=20_000, ge=0)
    """How long a run whose milk has not been metered yet is waited for before it is held."""
    valid_blocks: int = Field(default=200, ge=10)
    """How many blocks a mint transaction stays valid before it is signed anew."""


@dataclass(frozen=True, slots=True)
class MintIdentity:
    """The public halves of a gateway's keys, for genesis: its role, its attestor, its receipts."""

    mmu_key: PublicKey
    mmu_address: Address
    attestor_key: PublicKey
    ingest_key: PublicKey


@dataclass(frozen=True, slots=True)
class MintKeys:
    """The gateway's keys: who mints, who attests, who signs receipts to devices."""

    mmu: SigningKey
    attestor: SigningKey
    ingest: SigningKey

    def identity(self) -> MintIdentity:
        """Give what others may know."""
        mmu = self.mmu.public
        return MintIdentity(mmu, address_of(mmu), self.attestor.public, self.ingest.public)


def prepare(home: Path) -> MintIdentity:
    """Make the home and its keys if they are not there yet; tell who the gateway is."""
    home.mkdir(parents=True, exist_ok=True)
    mmu, attestor, ingest = (SigningKey(keep_seed(_key_path(home, name))) for name in _KEY_NAMES)
    return MintKeys(mmu, attestor, ingest).identity()


def read_keys(home: Path) -> MintKeys:
    """Read the keys of a prepared home."""
    mmu, attestor, ingest = (read_key(_key_path(home, name)) for name in _KEY_NAMES)
    return MintKeys(mmu, attestor, ingest)


def read_config(home: Path) -> MintConfig:
    """Read config.toml of a gateway's home; raise `Misconfigured` with what and where."""
    return load_settings(home, MintConfig)


def write_config(home: Path, config: HomeSettings) -> None:
    """Write config.toml of any home, whole."""
    home.mkdir(parents=True, exist_ok=True)
    fields = config.model_dump(mode="json", exclude_none=True)
    write_whole(home / CONFIG_FILE, format_toml(fields).encode())


def load_settings(home: Path, model: type[T]) -> T:
    """Read config.toml, and the environment, as a model; raise `Misconfigured`: what and where."""
    path = home / CONFIG_FILE
    try:
        return model(**read_toml(path))
    except BadConfig as fault:
        raise Misconfigured(str(fault)) from fault
    except SettingsError as error:
        raise Misconfigured(f"a variable of the environment: {error}: write it as JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        variable = f"{model.model_config.get('env_prefix', '')}{where.partition('.')[0]}".upper()
        place = variable if variable in map(str.upper, os.environ) else f"{path}: {where}"
        raise Misconfigured(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


_KEY_NAMES: Final = ("mmu", "attestor", "ingest")


def _key_path(home: Path, name: str) -> Path:
    return home / "keys" / f"{name}.key"
