"""Finding what stopped nodes left on disk: one node's home, or every node of a testnet's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors.store import LockedStore, MissingStore
from ledger.genesis import Genesis, parse_genesis
from ledger.store.disk import DiskStore
from node.config import STORE_FOLDER, load_config
from node.errors import BadArgument, BadConfig
from node.home.toml_file import CONFIG_FILE

GENESIS_FILE: Final = "genesis.json"
_NODE_FOLDERS: Final = "node*"


@dataclass(frozen=True, slots=True)
class Home:
    """One node's folder."""

    path: Path

    @property
    def name(self) -> str:
        """Name the node as its folder is named."""
        return self.path.name

    @property
    def store_path(self) -> Path:
        """Name the folder of its LevelDB."""
        return self.path / STORE_FOLDER

    @property
    def genesis_path(self) -> Path:
        """Name its genesis file: as configured, or as usual if there is no configuration."""
        if (self.path / CONFIG_FILE).is_file():
            config = load_config(self.path)
            return config.path(config.genesis_file)
        return self.path / GENESIS_FILE

    def genesis(self) -> Genesis:
        """Read its genesis; raise a fault that says what is wrong with it."""
        path = self.genesis_path
        try:
            return parse_genesis(path.read_bytes())
        except OSError as error:
            raise BadConfig(f"{path} can't be read: {error.strerror}") from error


def find_homes(folder: Path) -> list[Home]:
    """List the homes of a node's or testnet's folder; raise `MissingStore` if there is none."""
    if (folder / STORE_FOLDER).is_dir() or (
        (folder / GENESIS_FILE).is_file() and (folder / CONFIG_FILE).is_file()
    ):
        return [Home(folder)]
    found = [path for path in folder.glob(_NODE_FOLDERS) if path.is_dir()]
    if not found:
        raise MissingStore(path=str(folder))
    return [Home(path) for path in sorted(found, key=lambda path: (len(path.name), path.name))]


def find_home(folder: Path) -> Home:
    """Give a node's home, or the first of a testnet's folder."""
    return find_homes(folder)[0]


def open_stopped(home: Home) -> DiskStore:
    """Open a stopped node's store for reading; raise `BadArgument` if the node runs."""
    try:
        return DiskStore(home.store_path, strict=True)
    except LockedStore as fault:
        if "lock" in str(fault).lower().replace("locked", ""):
            why = f"{home.path} is in use by a running node: stop it, then try again"
            raise BadArgument(why) from fault
        raise


@contextmanager
def stopped(home: Home) -> Iterator[DiskStore]:
    """Hold a stopped node's store open."""
    store = open_stopped(home)
    try:
        yield store
    finally:
        store.close()
