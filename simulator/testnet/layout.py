"""What lies where in a testnet's directory, who holds it, and what is known of its last run.

`DIR/layout.json` is written last when a network is made, so a directory without it was left half
made. `DIR/owner.lock` is held by the one supervisor; the kernel lets go of it however it ends.
`DIR/testnet.json` tells others the pids, ports and addresses; it is replaced whole.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ledger.state.records import ATTESTORS_LEAST
from node.environment import explain_environment
from node.errors import HomeTaken
from node.home.lock import LOCK_FILE, owned
from node.home.whole_file import write_whole
from simulator.testnet.errors import AlreadyRunning, LayoutFault, PlaceFault

LAYOUT_VERSION: Final = 5
VALIDATORS_MAX: Final = 32
"""More nodes than this on one machine show the machine, not the protocol."""


ORACLES_USUAL: Final = 1
"""A development chain listens to one; four is the least on a real one."""
ORACLES_MAX: Final = 16
ATTESTORS_USUAL: Final = ATTESTORS_LEAST
ATTESTORS_MAX: Final = 16


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was made here: enough to run it again."""

    version: int
    validators: int
    chain_id: str
    prefix: str
    stock_units: int
    """Litres on record at genesis, in units: what was minted since is the rest."""
    oracles: int
    attestors: int


class _Versioned(msgspec.Struct, frozen=True):
    """The one field that a description of every version has."""

    version: int


class ProcessState(msgspec.Struct, frozen=True):
    """One process as others may see it. `born_s` tells a pid from a later owner of the number."""

    name: str
    phase: str
    pid: int | None
    born_s: float | None
    restarts: int
    log: str


class RunState(msgspec.Struct, frozen=True):
    """The supervisor's own account of the present or last run."""

    supervisor_pid: int
    started_ms: int
    ports: dict[str, int]
    addresses: dict[str, str]
    processes: list[ProcessState]
    figures: dict[str, object] = {}


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under one directory."""

    root: Path

    @property
    def description_path(self) -> Path:
        """Name the file that says what was made."""
        return self.root / "layout.json"

    @property
    def state_path(self) -> Path:
        """Name the file that says what runs."""
        return self.root / "testnet.json"

    @property
    def genesis_path(self) -> Path:
        """Name the genesis file that every node starts from."""
        return self.root / "genesis.json"

    @property
    def logs(self) -> Path:
        """Name the folder of logs."""
        return self.root / "logs"

    @property
    def database(self) -> Path:
        """Name the database's directory."""
        return self.root / "database"

    def node(self, index: int) -> Path:
        """Name a validator's home."""
        return self.root / f"node-{index}"

    def home(self, name: str) -> Path:
        """Name the home of one of the other processes."""
        return self.root / name

    @property
    def market_path(self) -> Path:
        """Name the file that says what milk costs: the oracles' source."""
        return self.root / "market" / "price.json"

    def log(self, name: str) -> Path:
        """Name a process's log."""
        return self.logs / f"{name}.log"

    def describe(self) -> Description | None:
        """Read what was made here; None if nothing was; raise `LayoutFault` if it is unusable."""
        try:
            raw = self.description_path.read_bytes()
        except FileNotFoundError:
            if self.genesis_path.exists() or self.node(0).exists():
                raise LayoutFault(self.root, "a network was left half made here") from None
            return None
        except NotADirectoryError:
            raise LayoutFault(self.root, "it is not a directory") from None
        try:
            version = msgspec.json.decode(raw, type=_Versioned).version
            if version != LAYOUT_VERSION:  # Another version has other fields.
                found = f"its layout is version {version}, this is {LAYOUT_VERSION}"
                raise LayoutFault(self.root, found)
            return msgspec.json.decode(raw, type=Description)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise LayoutFault(self.description_path, f"it can't be read ({fault})") from None

    def read_state(self) -> RunState | None:
        """Read the account of the present or last run, if there is one that can be read."""
        try:
            return msgspec.json.decode(self.state_path.read_bytes(), type=RunState)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def write_state(self, state: RunState) -> None:
        """Replace the account of the run, whole."""
        write_whole(self.state_path, msgspec.json.format(msgspec.json.encode(state), indent=1))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory as its one supervisor; raise `AlreadyRunning` if it is held."""
        with ExitStack() as stack:
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                stack.enter_context(owned(self.root))
            except HomeTaken:
                state = self.read_state()
                raise AlreadyRunning(self.root, state.supervisor_pid if state else None) from None
            except OSError as fault:
                raise PlaceFault(explain_environment(fault)) from None
            yield

    def is_held(self) -> bool:
        """Tell whether a supervisor runs here now."""
        if not (self.root / LOCK_FILE).is_file():
            return False
        try:
            with self.held():
                return False
        except AlreadyRunning:
            return True


def show_path(path: Path) -> str:
    """Give a path as text: a folder's name need be none, and a locale may lack its letters."""
    return os.fsencode(path).decode("utf-8", "replace")
