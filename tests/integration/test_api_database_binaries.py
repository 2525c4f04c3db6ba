"""The embedded database in rough places: unreadable installs, noexec folders, few rights."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from api.db.binaries import LIBRARIES, PACKAGE, ServerAccount, find_binaries, server_account
from api.db.postgres import Cluster
from api.errors import DatabaseFault
from tests.support.system.ports import free_port

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives itself up")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the wheel's files, as an installer lays them out."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent.parent
    copy = tmp_path_factory.mktemp("install") / "site"
    for name in (PACKAGE, LIBRARIES):
        shutil.copytree(installed / name, copy / name)
    return copy


@pytest.fixture
def place(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the wheel anew, so that a test may spoil it."""
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    monkeypatch.syspath_prepend(str(copy))
    return copy


@pytest.fixture
def shelf() -> Iterator[Path]:
    """Lend a folder that everybody can reach: pytest's own lie under one of root alone."""
    folder = Path(tempfile.mkdtemp(prefix="billcoin-shelf-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def nobody() -> ServerAccount:
    account = server_account()
    assert account is not None
    return account


def serves(directory: Path) -> bool:
    """Make a cluster and run it for a moment."""
    cluster = Cluster(directory, free_port())
    cluster.create()
    cluster.start(stderr=subprocess.DEVNULL)
    try:
        cluster.wait_ready()
    finally:
        cluster.stop()
    return True


def ends_with(words: Sequence[str], home: Path, how: Sequence[str] = ()) -> None:
    """Run `billcoin api database` in a way; it is to end with one line that holds the words."""
    program = "from api.cli import app; app()"
    done = subprocess.run(
        [*how, sys.executable, "-c", program, "database", "--dir", str(home), "--port", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in ("billcoin api: ", "DATABASE_URL", *words)), line


@as_root
@pytest.mark.parametrize("closed", ["folder", "files"])
def test_an_install_that_only_root_can_read_serves_all_the_same(
    place: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    if closed == "folder":
        place.chmod(0o700)
    else:  # As an installer under umask 077 leaves it.
        for path in (place, *place.rglob("*")):
            path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.setattr("tempfile.tempdir", str(shelf))
    old_umask = os.umask(0o077)
    try:
        assert serves(tmp_path / "db")
    finally:
        os.umask(old_umask)
    (copy,) = shelf.glob("billcoin-postgres-*")
    assert copy.stat().st_mode & 0o777 == 0o755


@as_root
def test_a_temporary_folder_that_only_root_can_enter_is_good_enough(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(shelf))
    cluster = Cluster(tmp_path / "db", free_port())
    closed = shelf / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))
    cluster.create()
    assert (tmp_path / "db" / "data" / "PG_VERSION").is_file()
    assert list(closed.iterdir()) == []


@as_root
def test_a_copy_is_kept_while_it_is_whole_and_made_anew_when_it_is_not(
    place: Path, shelf: Path
) -> None:
    place.chmod(0o700)
    binaries = find_binaries(nobody(), [shelf])
    made = (binaries / "bin" / "postgres").stat().st_ctime_ns
    assert find_binaries(nobody(), [shelf]) == binaries
    assert (binaries / "bin" / "postgres").stat().st_ctime_ns == made
    for spoil in (
        lambda: (binaries / "share" / "postgresql" / "postgres.bki").unlink(),
        lambda: shutil.rmtree(binaries / "lib"),
        lambda: shutil.rmtree(binaries.parent.parent / LIBRARIES),
        lambda: cut(binaries / "bin" / "initdb"),
    ):
        spoil()
        assert find_binaries(nobody(), [shelf]) == binaries
        assert whole(binaries, place)
    assert [path.name for path in shelf.iterdir()] == [binaries.parent.parent.name]


def cut(path: Path) -> None:
    path.unlink()  # It may be a link to the install's own.
    path.write_bytes(b"")


def whole(binaries: Path, place: Path) -> bool:
    source = place / binaries.relative_to(binaries.parent.parent)
    return sizes(source) == sizes(binaries)


def sizes(folder: Path) -> Mapping[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


@as_root
def test_a_copy_that_others_can_write_is_refused(place: Path, shelf: Path) -> None:
    place.chmod(0o700)
    root = find_binaries(nobody(), [shelf]).parent.parent
    root.chmod(0o777)
    with pytest.raises(DatabaseFault, match="ours alone"):
        find_binaries(nobody(), [shelf])


@as_root
def test_a_folder_that_is_mounted_noexec_is_passed_over_and_told_if_it_is_all_there_is(
    place: Path, shelf: Path, tmp_path: Path
) -> None:
    place.chmod(0o700)
    barred = shelf / "noexec"
    barred.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "noexec,mode=1777", "tmpfs", str(barred)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("this root may not mount")
    try:
        found = find_binaries(nobody(), [barred, shelf])
        assert found.is_relative_to(shelf)
        assert not found.is_relative_to(barred)
        assert list(barred.iterdir()) == []
        with pytest.raises(DatabaseFault, match=r"Permission denied.*noexec.*DATABASE_URL"):
            find_binaries(nobody(), [barred])
    finally:
        subprocess.run(["umount", str(barred)], check=True)


@as_root
@pytest.mark.parametrize(
    ("dropped", "named"),
    [
        ("-all", "CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID"),
        ("-kill", "capabilities KILL."),
        ("-setuid", "capabilities SETUID."),
    ],
)
def test_a_root_without_its_powers_is_told_which_it_lacks(
    tmp_path: Path, dropped: str, named: str
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv isn't installed")
    how = ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]
    ends_with(["nobody", named], tmp_path / "db", how)
    assert not (tmp_path / "db" / "data").exists()


@as_root
def test_a_user_without_a_name_is_told_what_to_add(shelf: Path) -> None:
    home = shelf / "db"
    home.mkdir()
    home.chmod(0o777)
    child = os.fork()
    if child == 0:  # The interpreter may lie where that user can't go: it is there already.
        code = 2
        try:
            os.setgroups([])
            os.setgid(54_321)
            os.setuid(54_321)
            Cluster(home, 1).create()
        except DatabaseFault as fault:
            told = str(fault)
            code = 0 if "54321" in told and "/etc/passwd" in told and "\n" not in told else 3
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
