"""A node's configuration: `HOME/config.toml`, read strictly and written back whole.

Relative paths are meant from HOME. An unknown field is a fault, not a shrug: a mistyped limit must
not silently be the default. Keys stand in files of their own (`node.home.key_file`), never here.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, field

from ledger.primitives.keys import PublicKey
from node.addresses import parse_networks
from node.errors import BadConfig
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole

HEAD: Final = "Configuration of a BillCoin node; docs/operating tells of each field."
STORE_FOLDER: Final = "ledger"
"""Where in HOME the chain is kept."""
JOURNAL_FOLDER: Final = "journal"
"""Where in HOME the validator's own votes are kept, before they leave."""
KEEP_BLOCKS_LEAST: Final = 1_000
"""Peers that were away for a while, and followers, must find the newest blocks whole."""
SOCKET_PATH_MAX: Final = 100
"""The kernel takes 107 bytes; a longer path gets a short stand-in."""

KeyText = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Milliseconds = Annotated[int, Meta(ge=1, le=3_600_000)]


class PeerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Another validator: the keys it votes and connects with, in hex, and where it listens."""

    vote_key: KeyText
    network_key: KeyText
    address: str


class NodeConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything an operator may set. `listen` is the multiaddress for other validators."""

    name: str = "node"
    genesis_file: str = "genesis.json"
    validator_key_file: str = "keys/validator.key"
    vrf_key_file: str = "keys/vrf.key"
    network_key_file: str = "keys/network.key"
    owner_key_file: str = "keys/owner.key"
    """The account that reports other validators' offences and is rewarded; none if not there."""
    listen: str = "/ip4/127.0.0.1/tcp/26001"
    peers: tuple[PeerConfig, ...] = ()
    rpc_host: str = "127.0.0.1"
    rpc_port: Port = 26_002
    rpc_socket: str = "rpc.sock"
    rpc_connections_max: Annotated[int, Meta(ge=64, le=65_536)] = 8_192
    """Connections of the RPC in all; fewer where the process may not open so many files."""
    rpc_connections_per_address_max: Annotated[int, Meta(ge=1, le=65_536)] = 256
    """Of one address (one /64 of IPv6); not of this machine's own and trusted ones."""
    rpc_trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For is believed."""
    heartbeat_ms: Milliseconds = 5_000
    """How often an empty block is made while nothing happens."""
    block_interval_ms: Milliseconds = 100
    """The least time between two blocks: fuller blocks cost less a transaction."""
    delta_ms: Milliseconds = 250
    """The network delay that consensus timers are multiples of (spec §1)."""
    verify_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    journal_segment_bytes: Annotated[int, Meta(ge=64 * 1024, le=2**30)] = 16 * 1024 * 1024
    keep_blocks: Annotated[int, Meta(ge=0)] = 0
    """How many of the newest blocks keep their bodies, at least 1,000; 0 keeps all for ever."""
    log_level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)\Z")] = "info"
    home: Path = field(default_factory=Path)
    """Set when loaded; never written."""

    def path(self, relative: str) -> Path:
        """Find a file that the configuration names."""
        return self.home / relative

    @property
    def socket_path(self) -> Path:
        """Give the RPC's unix socket: in HOME, or under /tmp by a hash if HOME is too deep."""
        path = self.path(self.rpc_socket).absolute()
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        name = hashlib.blake2b(os.fsencode(path), digest_size=12).hexdigest()
        folder = Path(tempfile.gettempdir()) / f"billcoin-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{name}.sock"


def load_config(home: Path) -> NodeConfig:
    """Read HOME/config.toml; raise `BadConfig` that names file, field and remedy."""
    path = home / CONFIG_FILE
    raw = read_toml(path)
    if "home" in raw:
        raise BadConfig(f"{path}: `home` is the folder itself and can't be set")
    try:
        config = msgspec.convert(raw, NodeConfig)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {error}") from error
    if 0 < config.keep_blocks < KEEP_BLOCKS_LEAST:
        least = f"{path}: keep_blocks is {config.keep_blocks}"
        raise BadConfig(f"{least}, write 0 to keep all or at least {KEEP_BLOCKS_LEAST}")
    try:
        parse_networks(config.rpc_trusted_proxies)
    except BadConfig as fault:
        raise BadConfig(f"{path}: rpc_trusted_proxies: {fault}") from fault
    seen = [peer.vote_key for peer in config.peers]
    if len(seen) != len(set(seen)):
        raise BadConfig(f"{path}: two peers have one vote_key")
    return msgspec.structs.replace(config, home=home)


def format_config(config: NodeConfig) -> str:
    """Write a configuration as TOML that `load_config` reads back to the same."""
    names = [name for name in config.__struct_fields__ if name != "home"]
    return format_toml({n: msgspec.to_builtins(getattr(config, n)) for n in names}, HEAD)


def save_config(config: NodeConfig) -> None:
    """Write HOME/config.toml."""
    config.home.mkdir(parents=True, exist_ok=True)
    write_whole(config.home / CONFIG_FILE, format_config(config).encode())


def peer_key(text: str) -> PublicKey:
    """Read a key of a `PeerConfig`; the pattern was checked when it was loaded."""
    return PublicKey(bytes.fromhex(text))
