"""An embedded PostgreSQL in the foreground, from the binaries that a wheel brings.

Invariants: the server never outlives this process (the kernel tells it of our death), it never
runs as root, it listens on the loopback alone with a password, and it syncs every commit.

As root the server runs as `nobody`, in a data folder of its own that may lie under folders which
only root can enter. No parent's permissions are touched: the process changes into the data
folder while it is still root, and PostgreSQL is told that its data is `/proc/self/cwd`, which
needs no way through the parents. Which binaries it can run is `api.db.binaries`' to find out.

A folder holds `data/` and `password`. This module will not run a server that others share:
`DATABASE_URL` points the service to one of those instead.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final

from api.db.binaries import ENVIRONMENT, check_named, find_binaries, server_account
from api.db.credentials import DATABASE_USER, database_password
from api.errors import DatabaseFault
from node.home.lock import owned

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.02
CONNECTIONS_MAX: Final = 100
_PR_SET_PDEATHSIG: Final = 1
_READY_LINE: Final = 7
"""The eighth line of postmaster.pid tells how far the server has come (as pg_ctl reads it)."""

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def _die_with_parent() -> None:
    """Ask the kernel to shut the server down, fast and clean, when its supervisor is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class Cluster:
    """One data folder and the server over it. Use from the thread that will outlive it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self._data = directory / "data"
        self._account = server_account()
        self._binaries = find_binaries(self._account)
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._binaries / "bin" / program), *arguments]

    def _place(self, folder: Path) -> str:
        """Name the data folder for a server that works in it."""
        return "/proc/self/cwd" if sys.platform == "linux" else str(folder)

    def _identity(self) -> dict[str, Any]:
        return {} if self._account is None else self._account.run_as()

    def _own(self, path: Path | int) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def create(self) -> None:
        """Make the cluster unless it exists. A creation that broke off leaves nothing behind."""
        if (self._data / "PG_VERSION").exists():
            return
        check_named(self._account)
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._own(fresh)
        # Handed over open: the server's user may have no way to a file of ours by its name.
        with tempfile.TemporaryFile() as secret:
            secret.write(database_password(self.directory).encode("ascii") + b"\n")
            secret.seek(0)
            self._own(secret.fileno())
            self._initdb(fresh, secret.fileno())
        fresh.rename(self._data)

    def _initdb(self, folder: Path, secret: int) -> None:
        arguments = ("-D", self._place(folder), "-U", DATABASE_USER, "-A", "scram-sha-256")
        command = self._command(
            "initdb", *arguments, f"--pwfile=/dev/fd/{secret}", "-E", "UTF8", "--locale=C"
        )
        done = subprocess.run(  # noqa: S603 - a program of our own package
            command,
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=(secret,),
            **self._identity(),
        )
        if done.returncode != 0:
            why = " ".join(done.stderr.split())[-500:]
            raise DatabaseFault(
                f"initdb failed in {folder}: {why}; mend that, or set DATABASE_URL to a PostgreSQL "
                f"of your own"
            )

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text("ascii").splitlines()
        except FileNotFoundError:
            return []

    def _clear_leftover(self) -> None:
        """End a server that lost its supervisor, and drop the pid file of one that is dead.

        PostgreSQL itself trusts any live process with that number: after a reboot, or in a fresh
        container, the number may be another program's.
        """
        lines = self._pid_file()
        if not lines:
            return
        pid = int(lines[0])
        deadline = monotonic() + STOP_TIMEOUT_S
        while _is_server(pid, self._data):
            if monotonic() > deadline:
                raise DatabaseFault(f"a server (pid {pid}) still runs in {self._data}: end it")
            os.kill(pid, signal.SIGINT)
            threading.Event().wait(POLL_S * 5)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def start(self, stderr: int | None = None) -> subprocess.Popen[bytes]:
        """Start the server and wait until it accepts connections."""
        self._clear_leftover()
        settings = {**_SETTINGS, "port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(  # noqa: S603 - a program of our own package
            self._command("postgres", "-D", self._place(self._data), *options),
            cwd=self._data,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,  # A Ctrl-C in the terminal is ours to pass on, in order.
            preexec_fn=_die_with_parent,
            **self._identity(),
        )
        return self._process

    def wait_ready(self) -> None:
        """Wait until the server accepts connections; raise `DatabaseFault` if it doesn't."""
        process, deadline = self._process, monotonic() + START_TIMEOUT_S
        assert process is not None, "wait_ready() follows start()"
        while True:
            lines = self._pid_file()
            mine = bool(lines) and lines[0] == str(process.pid)
            if mine and len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready":
                return
            if process.poll() is not None:
                raise DatabaseFault(
                    f"the server ended with {process.returncode} instead of listening on port "
                    f"{self.port}: its last lines say why (is the port taken?)"
                )
            if monotonic() > deadline:
                raise DatabaseFault(f"the server didn't come up within {START_TIMEOUT_S:.0f} s")
            threading.Event().wait(POLL_S)

    def stop(self) -> None:
        """Shut the server down: sessions are cut off, committed work is kept."""
        process = self._process
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if process.poll() is not None:
                break
            process.send_signal(number)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                continue
        self._process = None


def _is_server(pid: int, data: Path) -> bool:
    """Tell whether the process is a PostgreSQL that works in this data folder."""
    try:
        working = Path(f"/proc/{pid}/cwd").resolve(strict=True)
        program = Path(os.readlink(f"/proc/{pid}/exe"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return working == data.resolve() and program.name.startswith("postgres")


def _pump(stream: IO[bytes], say: Callable[[str], None]) -> None:
    for line in stream:
        say(line.decode("utf-8", "replace").rstrip())


def run(directory: Path, port: int, say: Callable[[str], None]) -> int:
    """Serve in the foreground until SIGTERM or SIGINT; give the exit code. `say` logs a line.

    Raise `HomeTaken` if another process serves the folder: its server is not touched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with owned(directory):
        return _run(directory, port, say)


def _run(directory: Path, port: int, say: Callable[[str], None]) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cluster = Cluster(directory, port)
    cluster.create()
    process = cluster.start(stderr=subprocess.PIPE)
    assert process.stderr is not None
    pump = threading.Thread(target=_pump, args=(process.stderr, say), daemon=True)
    pump.start()
    try:
        cluster.wait_ready()
        say(f"accepting connections on 127.0.0.1:{port}")
        while process.poll() is None and not stop.wait(0.2):
            continue
        died = process.poll()
    finally:
        cluster.stop()
        pump.join(STOP_TIMEOUT_S)
    if died is not None and not stop.is_set():
        raise DatabaseFault(f"the server ended by itself with {died}: its last lines say why")
    return 0
