"""What the first process of a container owes the others: it passes signals on and buries the dead.

The kernel hands every orphan to process 1, and one that nobody waits for stays a zombie. A program
that waits for its own children only, as ours do, would gather them; one that waited for all would
take the exit codes of its own children from itself. So process 1 stays behind as a small init, and
the program runs as its one child.
"""

import os
import signal
from typing import Final

PASSED_ON: Final = frozenset(
    {
        signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
        signal.SIGUSR2, signal.SIGWINCH,
    }
)  # fmt: skip


def stay_behind() -> None:
    """Return in a child; this process waits, and ends with the child's exit code. Linux alone.

    Call it before there is a thread or a file to be flushed. A shell's convention tells of a child
    that was killed: 128 + the signal.
    """
    awaited = PASSED_ON | {signal.SIGCHLD}
    # Blocked before the fork, so that none comes between it and the first wait.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    while True:
        told = signal.sigwaitinfo(awaited)
        if told.si_signo == signal.SIGCHLD:
            code = _bury(child)
            if code is not None:
                os._exit(code)
        elif told.si_code <= 0:  # A process sent it; the terminal tells its whole group by itself.
            os.kill(child, told.si_signo)


def _bury(child: int) -> int | None:
    """Wait for all that have ended, for several may share one signal; give the child's code."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code
