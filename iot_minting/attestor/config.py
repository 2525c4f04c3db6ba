"""An attestor's home: `config.toml` as a checked model, its key, and where its files lie.

A home holds config.toml, keys/attestor.key (mode 0600) and attestor.sqlite.
"""

from pathlib import Path
from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from iot_minting.attestor.quotas import MMU_BYTES_MAX
from iot_minting.settings import HomeSettings, load_settings, write_config
from ledger.primitives.keys import PublicKey, SigningKey
from node.addresses import parse_networks
from node.errors import BadConfig
from node.home.key_file import keep_seed, read_key
from node.home.toml_file import CONFIG_FILE

KEY_FILE: Final = "keys/attestor.key"
PORT: Final = 8_650
STORE_BYTES: Final = 16 * 1024**3


class AttestorConfig(HomeSettings):
    """Which nodes an attestor believes, where it listens, and what it keeps."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="BILLCOIN_ATTEST_")

    node_urls: list[str] = Field(default=["http://127.0.0.1:26002"], min_length=1, max_length=16)
    """Nodes of its own: what they say is final is all that it knows of lines and devices."""
    allow_plaintext: bool = False
    """Whether what is not encrypted may go to other machines. It is logged at each start."""
    host: str = "127.0.0.1"
    port: int = Field(default=PORT, ge=1, le=65_535)
    trusted_proxies: list[str] = Field(default=[], max_length=64)
    """Addresses and networks whose X-Forwarded-For is believed."""
    retention_days: int = Field(default=30, ge=15, le=3_650)
    """How long refusals are kept, and claims that nobody minted; lots, as long as doubts may be."""
    store_bytes_max: int = Field(default=STORE_BYTES, ge=4 * MMU_BYTES_MAX)
    """Above this size of the store nothing more is judged. No MMU alone fills it with claims."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, texts: list[str]) -> list[str]:
        try:
            parse_networks(texts)
        except BadConfig as fault:
            raise ValueError(str(fault)) from None
        return texts


def prepare(home: Path, config: AttestorConfig | None = None) -> PublicKey:
    """Make the home, its key and its configuration if they are not there yet; give the key.

    A configuration that is given replaces the home's.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if config is not None or not (home / CONFIG_FILE).exists():
        write_config(home, config or AttestorConfig())
    return SigningKey(keep_seed(home / KEY_FILE)).public


def read_config(home: Path) -> AttestorConfig:
    """Read config.toml of an attestor's home; raise `Misconfigured` with what and where."""
    return load_settings(home, AttestorConfig)


def read_attestor_key(home: Path) -> SigningKey:
    """Read the key of a prepared home."""
    return read_key(home / KEY_FILE)
