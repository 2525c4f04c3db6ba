"""What the machine refuses is told in one line: where, what, and how to mend it; never a bug."""

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from node.cli.main import explain
from node.environment import REMEDIES

BILLCOIN = str(Path(sys.executable).parent / "billcoin")


@pytest.mark.parametrize("number", sorted(REMEDIES))
def test_an_errno_is_told_with_place_and_remedy(number):
    line, code = explain(OSError(number, os.strerror(number), "/srv/home"))
    assert code == 1
    assert line.startswith(f"error: /srv/home: {os.strerror(number)}: ")
    assert "Errno" not in line


def test_full_disks_memory_and_processes_are_no_bugs():
    for error in (
        sqlite3.OperationalError("database or disk is full"),
        MemoryError(),
        RuntimeError("can't start new thread"),
        ExceptionGroup("both", [OSError(errno.EMFILE, "Too many open files")]),
    ):
        line, _ = explain(error)
        assert line.startswith("error: ")
        assert ": " in line.removeprefix("error: ")


def test_what_is_a_bug_stays_one():
    assert explain(RuntimeError("odd"))[0].startswith("bug: ")
    assert explain(sqlite3.ProgrammingError("closed"))[0].startswith("bug: ")


@pytest.mark.parametrize(
    "command",
    [
        ["mint", "init", "--home"],
        ["testnet", "init", "--dir"],
        ["testnet", "up", "--dir"],
    ],
)
def test_a_command_names_the_place_that_refuses_and_the_remedy(command, tmp_path):
    file = tmp_path / "file"
    file.touch()
    done = subprocess.run(
        [BILLCOIN, *command, str(file / "home")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Not a directory: name a folder" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Errno" not in done.stderr
