"""A whole testnet where machines are rough: no temporary programs, a closed umask, no user name."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.testnet.running import RunningTestnet

START_S = 300
MINT_S = 300
UID = 54_321
NAMELESS = ("unshare", "--user", f"--map-user={UID}", f"--map-group={UID}")
"""The same user outside, so that the same files are theirs; inside one whom no passwd names."""

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and map any user id"),
]


def works(*command: str) -> bool:
    """Tell whether a program is there, and this machine lets it do its work."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def noexec(tmp_path: Path) -> Iterator[Path]:
    """Lend a temporary folder from which no program may run."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    if not works("mount", "-t", "tmpfs", "-o", "noexec,mode=1777", "tmpfs", str(folder)):
        pytest.skip("this root may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mints(net: RunningTestnet) -> bool:
    """Tell whether milk became coins in blocks of this network."""
    state = net.layout.read_state()
    return state is not None and float(str(state.figures["minted_litres"])) > 0


def test_a_noexec_temporary_folder_and_a_closed_umask_stop_no_process(tmp_path, noexec):
    net = RunningTestnet(tmp_path / "net", {"TMPDIR": str(noexec)}, umask=0o077)
    try:
        net.start("--validators", "1")
        net.until(net.ready, START_S, "network that is ready")
        net.until(lambda: mints(net), MINT_S, "mint")
        open_to_others = [
            path
            for path in net.layout.root.rglob("*")
            if not path.is_symlink() and path.stat().st_uid == 0 and path.stat().st_mode & 0o077
        ]
        assert not open_to_others
        net.interrupt()
        assert {process.restarts for process in net.state().processes} == {0}
    finally:
        net.close()


@pytest.mark.skipif(not works(*NAMELESS, "true"), reason="this root may map no user ids")
def test_a_user_without_a_name_mints_and_is_told_why_the_database_alone_does_not_run(tmp_path):
    net = RunningTestnet(tmp_path / "net", way=NAMELESS)
    try:
        net.start("--validators", "1")
        net.until(lambda: mints(net), START_S + MINT_S, "mint")
        failed = {process.name for process in net.state().processes if process.restarts}
        assert failed <= {"database"}
        told = set(net.layout.log("database").read_text().splitlines())
        (line,) = told
        assert line.startswith("billcoin api: ")
        assert f"user id {UID}" in line
        assert "/etc/passwd" in line
        assert "DATABASE_URL" in line
        net.interrupt()
    finally:
        net.close()
