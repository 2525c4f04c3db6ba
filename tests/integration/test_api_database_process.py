"""The embedded database as a process: it serves, ends cleanly, and survives being killed."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from api.db.credentials import DATABASE_USER, database_password
from api.db.postgres import Cluster
from api.errors import DatabaseFault
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = (sys.executable, "-c", "from api.cli import app; app()")


def start(directory: Path, port: int) -> "subprocess.Popen[bytes]":
    """Run `billcoin api database` and wait until it says that it accepts connections."""
    process = subprocess.Popen(
        [*COMMAND, "database", "--dir", str(directory), "--port", str(port)],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"accepting connections on" in line:
            return process
    raise AssertionError(f"it ended with {process.wait()}")


def stop(process: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    code = process.wait(PATIENCE_S)
    assert process.stderr is not None
    process.stderr.close()
    return code


async def ask(directory: Path, port: int, *statements: str) -> list[object]:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=port,
        user=DATABASE_USER,
        password=database_password(directory),
        database="postgres",
    )
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


def gone(pid: int) -> bool:
    """Tell whether a process has ended (one that nobody has reaped has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def server_pid(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_it_serves_from_a_private_folder_and_ends_cleanly(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    directory, port = private / "db", free_port()
    process = start(directory, port)
    settings = asyncio.run(
        ask(directory, port, "SHOW fsync", "SHOW listen_addresses", "SELECT 6 * 7")
    )
    assert settings == ["on", "127.0.0.1", 42]
    pid = server_pid(directory)
    if os.geteuid() == 0:
        assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert stop(process) == 0
    assert gone(pid)
    assert not (directory / "data" / "postmaster.pid").exists()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "password").stat().st_mode) == 0o600


def test_a_killed_supervisor_takes_its_server_along_and_nothing_committed_is_lost(
    tmp_path: Path,
) -> None:
    directory, port = tmp_path / "db", free_port()
    process = start(directory, port)
    asyncio.run(ask(directory, port, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (7)"))
    first = server_pid(directory)
    assert stop(process, signal.SIGKILL) == -signal.SIGKILL
    again = start(directory, port)
    assert asyncio.run(ask(directory, port, "SELECT x FROM t")) == [7]
    assert gone(first)
    assert stop(again, signal.SIGINT) == 0


def test_a_killed_server_ends_its_supervisor_and_a_stale_pid_file_is_no_obstacle(
    tmp_path: Path,
) -> None:
    directory, port = tmp_path / "db", free_port()
    process = start(directory, port)
    os.kill(server_pid(directory), signal.SIGKILL)
    assert process.wait(PATIENCE_S) == 1
    assert process.stderr is not None
    assert b"ended by itself" in process.stderr.read()
    process.stderr.close()
    # The number in the file now belongs to a live process that is no server: this one.
    file = directory / "data" / "postmaster.pid"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert stop(start(directory, port)) == 0


def test_a_creation_that_broke_off_is_begun_anew(tmp_path: Path) -> None:
    leftover = tmp_path / "db" / "data.new"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("broken")
    cluster = Cluster(tmp_path / "db", free_port())
    cluster.create()
    assert (tmp_path / "db" / "data" / "PG_VERSION").exists()
    assert not leftover.exists()


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cluster = Cluster(tmp_path / "db", taken.getsockname()[1])
        cluster.create()
        cluster.start(stderr=subprocess.DEVNULL)
        with pytest.raises(DatabaseFault, match="is the port taken"):
            cluster.wait_ready()
        cluster.stop()
