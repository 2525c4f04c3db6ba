"""A feeder's home: `config.toml`, `keys/oracle.key` (mode 0600) and what it remembers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of
from node.errors import BadConfig
from node.home.key_file import keep_seed, read_key
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole
from node.pricefeed.errors import BadSource
from node.pricefeed.judging import JudgingRules
from node.pricefeed.policy import FeedRules
from node.pricefeed.sources import check_source

HEAD: Final = "Configuration of a BillCoin price feeder; see docs/operating/oracle.md."
KEY_FILE: Final = "keys/oracle.key"
NODES_MAX: Final = 16

Span = Annotated[int, Meta(ge=1_000, le=24 * 3_600_000)]
NodeUrl = Annotated[str, Meta(pattern=r"^https?://[^\s?#]{1,200}\Z")]


class FeederConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything an operator may set. Times in milliseconds."""

    node_urls: Annotated[tuple[NodeUrl, ...], Meta(min_length=1, max_length=NODES_MAX)] = (
        "http://127.0.0.1:26002",
    )
    """Nodes of the network: the one that answered last is asked, then the others."""
    allow_plaintext: bool = False
    """Whether what is not encrypted may go to other machines. It is logged at each start."""
    source: str = "file:price.json"
    """`file:PATH`, from the home if relative, or `https://HOST/PATH`."""
    key_file: str = KEY_FILE
    feed_every_ms: Span = 3_600_000
    """How old the chain's price may become until this feeder opens its next round."""
    read_every_ms: Span = 60_000
    source_fresh_ms: Annotated[int, Meta(ge=60_000, le=7 * 24 * 3_600_000)] = 24 * 3_600_000
    """A quote older than this is not fed."""
    change_bp_max: Annotated[int, Meta(ge=1, le=10_000)] = 2_000
    """A quote that lies further than this (basis points) from the day's first is not fed."""
    valid_blocks: Annotated[int, Meta(ge=10, le=100_000)] = 200
    """How many blocks a signed feed may wait to be included."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Where `/readyz` and `/metrics` answer, on loopback; 0 turns them off."""
    log_level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)\Z")] = "info"
    home: Path = field(default_factory=Path)
    """Set when loaded; never written."""

    def rules(self) -> FeedRules:
        """Give what the policy decides by."""
        judging = JudgingRules(self.source_fresh_ms, self.change_bp_max)
        return FeedRules(judging, self.feed_every_ms, self.read_every_ms, self.valid_blocks)


@dataclass(frozen=True, slots=True)
class FeederIdentity:
    """What others may know of a feeder: a regulator grants the role to this address."""

    key: PublicKey
    address: Address


def prepare(home: Path, config: FeederConfig | None = None) -> FeederIdentity:
    """Make the home, its key and its configuration if they are not there yet; tell who it is.

    A configuration that is given replaces the home's.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / CONFIG_FILE
    if config is not None or not path.exists():
        given = config or FeederConfig()
        fields = {name: getattr(given, name) for name in _file_fields(given)}
        write_whole(path, format_toml(fields, HEAD).encode())
    key = SigningKey(keep_seed(home / load_config(home).key_file))
    return FeederIdentity(key.public, address_of(key.public))


def _file_fields(config: FeederConfig) -> list[str]:
    return [name for name in config.__struct_fields__ if name != "home"]


def load_config(home: Path) -> FeederConfig:
    """Read HOME/config.toml; raise `BadConfig` that names file, field and remedy."""
    path = home / CONFIG_FILE
    if not path.exists():
        raise BadConfig(f"{path} does not exist: `billcoin oracle init` makes one")
    raw = read_toml(path)
    if "home" in raw:
        raise BadConfig(f"{path}: `home` is the folder itself and can't be set")
    try:
        config = msgspec.convert(raw, FeederConfig)
        check_source(config.source)
    except (msgspec.ValidationError, BadSource) as error:
        raise BadConfig(f"{path}: {error}") from error
    return replace(config, home=home)


def override(config: FeederConfig, source: str | None, nodes: tuple[str, ...]) -> FeederConfig:
    """Let a command line's words stand for the file's; raise `BadConfig`."""
    fields: dict[str, object] = {name: getattr(config, name) for name in _file_fields(config)}
    if source is not None:
        fields["source"] = source
    if nodes:
        fields["node_urls"] = nodes
    try:
        changed = msgspec.convert(fields, FeederConfig)
        check_source(changed.source)
    except (msgspec.ValidationError, BadSource) as error:
        raise BadConfig(f"the command line: {error}") from error
    return replace(changed, home=config.home)


def read_feeder_key(config: FeederConfig) -> SigningKey:
    """Read the key of a prepared home."""
    return read_key(config.home / config.key_file)
