"""Start processes that can't outlive us, and end them with everything they started.

Each child leads a session of its own, so a Ctrl-C in the terminal reaches the supervisor alone,
and a kill reaches the child's whole group. On Linux the kernel sends the child SIGTERM when the
supervisor dies, however it dies. Output goes straight to a file: a child never waits for us to
read, and never meets a broken pipe when we are gone.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

LOG_BYTES_MAX: Final = 8 * 1024 * 1024
"""A log past this size is moved to NAME.log.1, so a testnet's logs are bounded."""
TAIL_BYTES_MAX: Final = 16_384
LAST_LINE_CHARS_MAX: Final = 300

_PR_SET_PDEATHSIG: Final = 1


def _death_signal() -> Callable[[], None] | None:
    """Prepare what the child runs before exec: the wish to be told when its parent is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # The parent died between fork and prctl.
            os._exit(1)

    return ask


class Child:
    """One running process and its group."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        with log.open("ab") as output:
            # Only async-signal-safe calls stand in preexec_fn, and we fork from the main thread:
            # the death signal follows the thread that forked.
            self._process = subprocess.Popen(  # noqa: S603  argv is ours, no shell reads it.
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_death_signal(),
            )
        self.pid = self._process.pid

    def exit_reason(self) -> str | None:
        """Tell how it ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def end(self) -> None:
        """Ask it to end. Its own children are its to end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill it and whatever it left behind in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Kill its group and wait for it to be gone."""
        self.kill_group()
        self._process.wait()


def rotate(log: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move an outgrown log aside in place; the writer appends on, to the emptied file.

    A few lines written between copy and truncation can be lost; they are logs, not records. So the
    log is emptied also where there is no room for a copy of it.
    """
    try:
        if log.stat().st_size <= bytes_max:
            return False
        with contextlib.suppress(OSError):
            log.with_name(log.name + ".1").write_bytes(log.read_bytes()[-bytes_max:])
        os.truncate(log, 0)
    except OSError:
        return False
    return True


def last_line(log: Path, chars_max: int = LAST_LINE_CHARS_MAX) -> str:
    """Give the last line of a log that says something, cut to a length that people read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES_MAX))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return "nothing was logged"
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:chars_max] if said else "nothing was logged"
