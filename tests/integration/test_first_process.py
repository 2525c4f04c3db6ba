"""The first process of a container: it buries orphans, passes signals on, ends as its program does.

A subreaper stands for process 1 where a container is not needed: the kernel hands it the orphans of
its descendants in the same way.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.support.system.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers are Linux's")

# An orphan that has ended, then a program that goes on until it is told to end.
PROGRAM = """
import ctypes, os, select, signal, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
from node.cli.first_process import stay_behind
if sys.argv[1] == "stay-behind":
    stay_behind()
woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))
middle = os.fork()
if middle == 0:
    if os.fork() == 0:
        os._exit(0)
    os._exit(0)
os.waitpid(middle, 0)
print("orphaned", flush=True)
# A signal that comes just before a read blocks would be heard after it: this wakes for one.
select.select([sys.stdin, woken], [], [])
sys.exit(int(sys.stdin.readline()))
"""


@contextmanager
def running(how: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "orphaned\n"
            yield process
        finally:
            if process.poll() is None:
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
                process.kill()


def states(process: subprocess.Popen[str]) -> list[str]:
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # It was buried between two looks.
            found.append(child.status())
    return found


def until(reached: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_an_orphan_is_buried_and_would_else_stay_a_zombie():
    with running("alone") as alone:
        until(lambda: states(alone) == [psutil.STATUS_ZOMBIE])
    with running("stay-behind") as first:
        until(lambda: len(states(first)) == 1 and psutil.STATUS_ZOMBIE not in states(first))


def test_it_ends_with_its_program_s_exit_code():
    with running("stay-behind") as first:
        first.stdin.write("7\n")
        first.stdin.flush()
        assert first.wait(PATIENCE_S) == 7


def test_a_program_that_is_killed_is_told_as_a_shell_tells_it():
    with running("stay-behind") as first:
        until(lambda: len(states(first)) == 1)
        psutil.Process(first.pid).children()[0].kill()
        assert first.wait(PATIENCE_S) == 128 + signal.SIGKILL


def test_a_signal_reaches_the_program():
    with running("stay-behind") as first:
        first.send_signal(signal.SIGUSR1)
        assert first.stdout.readline() == "heard\n"
        first.send_signal(signal.SIGTERM)
        assert first.wait(PATIENCE_S) == 128 + signal.SIGTERM


def test_a_command_that_is_process_1_runs_as_its_child():
    unshare = [shutil.which("unshare") or "", "--user", "--map-root-user", "--pid", "--fork"]
    if not unshare[0] or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a namespace of processes")
    program = (
        "import os, node.cli.main as line;"
        "line.build = lambda _: lambda: print(os.getpid(), os.getppid());"
        "line.main()"
    )
    command = [*unshare, sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["2", "1"]
