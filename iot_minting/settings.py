"""Settings of a home: `config.toml` as a checked model, which the environment may override.

Every process of minting has such a home; what its fields mean is its own matter.
"""

import os
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from iot_minting.errors import Misconfigured
from ledger.primitives.numerals import read_decimal, read_whole
from node.addresses import check_url
from node.errors import BadConfig
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


class BrokerSettings(HomeSettings):
    """Where a home's broker is, and how one logs in there; files are named from the home."""

    broker_host: str = "127.0.0.1"
    broker_port: int = Field(default=1883, ge=1, le=65535)
    broker_user: str = Field(default="", max_length=256)
    broker_password_file: str = ""
    broker_ca: str = ""
    """The authorities that sign brokers' certificates, in PEM. With it one speaks TLS, else not."""
    broker_cert: str = ""
    """The client's certificate, with what leads from it to the broker's authority."""
    broker_key: str = ""
    allow_plaintext: bool = False
    """Whether one speaks in clear to a broker, a node or an attestor on another machine. A password
    never goes so."""


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
