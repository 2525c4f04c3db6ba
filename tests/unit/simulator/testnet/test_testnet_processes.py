"""The supervisor with real children: small Python programs instead of validators."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import psutil
import pytest

from simulator.testnet.errors import AlreadyRunning, LayoutFault, MissingProgram
from simulator.testnet.layout import (
    LAYOUT_VERSION,
    Description,
    Layout,
    ProcessState,
    RunState,
    write_whole,
)
from simulator.testnet.leash import last_line, rotate
from simulator.testnet.plan import programs
from simulator.testnet.ports import find_ports
from simulator.testnet.supervision import RestartPolicy
from simulator.testnet.supervisor import (
    Program,
    Supervisor,
    end_leftovers,
    listens,
)
from tests.support.system.patience import PATIENCE_S

POLICY = RestartPolicy(delay_min_ms=10, drain_ms=300, kill_ms=700)
ENVIRONMENT = dict(os.environ)
SLEEPER = "import time; time.sleep(60)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def program(name, code, **rest):
    return Program(name, (sys.executable, "-c", textwrap.dedent(code)), **rest)


def make_supervisor(layout, *programs):
    layout.logs.mkdir(parents=True, exist_ok=True)
    return Supervisor(programs, layout, ENVIRONMENT, POLICY)


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "net")


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  Another process has no event to wait for.
            await asyncio.sleep(0.01)


def test_a_killed_child_comes_back_and_a_stop_leaves_nothing(layout):
    async def scenario():
        supervisor = make_supervisor(layout, program("sleeper", SLEEPER))
        process = supervisor.supervision.processes["sleeper"]
        running = asyncio.create_task(supervisor.run())
        await until(lambda: process.pid)
        first = process.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid not in (None, first))
        second = process.pid
        assert process.exits == ["killed by SIGKILL"]
        supervisor.stop()
        await running
        assert not psutil.pid_exists(second)

    asyncio.run(scenario())


def test_a_child_that_ignores_the_end_is_killed(layout):
    async def scenario():
        supervisor = make_supervisor(layout, program("stubborn", STUBBORN))
        running = asyncio.create_task(supervisor.run())
        log = layout.log("stubborn")
        await until(lambda: log.exists() and "deaf" in log.read_text())
        supervisor.stop()
        async with asyncio.timeout(PATIENCE_S):
            await running
        assert supervisor.supervision.processes["stubborn"].exits == ["killed by SIGKILL"]

    asyncio.run(scenario())


def test_what_a_dead_child_left_in_its_group_is_ended(layout):
    parent = """
    import subprocess, sys
    kin = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(kin.pid, flush=True)
    sys.exit(3)
    """

    async def scenario():
        supervisor = make_supervisor(layout, program("parent", parent))
        running = asyncio.create_task(supervisor.run())
        await until(lambda: supervisor.supervision.processes["parent"].exits)
        supervisor.stop()
        await running
        pids = [int(line) for line in layout.log("parent").read_text().split()]
        assert pids
        await until(lambda: not any(_runs(pid) for pid in pids))

    asyncio.run(scenario())


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_client_starts_only_when_the_port_it_needs_answers(layout):
    port = find_ports(["server"], None)["server"]
    server = f"""
    import socket, time
    time.sleep(0.2)
    with socket.create_server(("127.0.0.1", {port})) as listener:
        while True:
            listener.accept()
    """
    client = f"""
    import socket, time
    socket.create_connection(("127.0.0.1", {port})).close()
    print("served", flush=True)
    time.sleep(60)
    """

    async def scenario():
        supervisor = make_supervisor(
            layout,
            program("client", client, needs=("server",)),
            program("server", server, probe=listens(port)),
        )
        running = asyncio.create_task(supervisor.run())
        log = layout.log("client")
        await until(lambda: log.exists() and "served" in log.read_text())
        assert supervisor.supervision.processes["client"].restarts == 0
        supervisor.stop()
        await running

    asyncio.run(scenario())


def test_a_program_that_can_not_start_is_shown_and_disturbs_no_other(layout):
    async def scenario():
        supervisor = make_supervisor(
            layout, Program("ghost", ("/nonexistent/ghost",)), program("sleeper", SLEEPER)
        )
        running = asyncio.create_task(supervisor.run())
        await until(lambda: supervisor.supervision.processes["ghost"].exits)
        assert "No such file" in supervisor.supervision.processes["ghost"].exits[0]
        assert supervisor.alive() == ["sleeper"]
        supervisor.stop()
        await running

    asyncio.run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_no_child_outlives_a_supervisor_that_was_killed(layout, tmp_path):
    runner = f"""
    import asyncio, os, sys
    from pathlib import Path
    from simulator.testnet.layout import Layout
    from simulator.testnet.supervision import RestartPolicy
    from simulator.testnet.supervisor import Program, Supervisor
    layout = Layout(Path({str(layout.root)!r}))
    layout.logs.mkdir(parents=True)
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    program = Program("sleeper", (sys.executable, "-c", code))
    asyncio.run(Supervisor([program], layout, dict(os.environ), RestartPolicy()).run())
    """
    root = Path(__file__).parents[4]
    log = layout.log("sleeper")
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(runner)], cwd=root) as supervisor:

        async def scenario():
            await until(lambda: log.exists() and log.read_text().strip())
            pid = int(log.read_text())
            supervisor.kill()
            await until(lambda: not _runs(pid))

        asyncio.run(scenario())


def test_leftovers_are_known_by_their_birth_not_by_their_number_alone():
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as sleeper:
        born_s = psutil.Process(sleeper.pid).create_time()
        stranger = ProcessState("x", "ready", sleeper.pid, born_s - 60, 0, "")
        assert end_leftovers([stranger], 0.1) == []
        assert sleeper.poll() is None
        ours = ProcessState("x", "ready", sleeper.pid, born_s, 0, "")
        assert end_leftovers([ours], 2.0) == [sleeper.pid]


def test_two_supervisors_can_not_hold_one_directory(layout):
    with layout.held():
        assert layout.is_held()
        with pytest.raises(AlreadyRunning, match="testnet down"), layout.held():
            pass
    assert not layout.is_held()


def test_a_directory_of_another_version_is_refused(layout):
    layout.root.mkdir()
    layout.description_path.write_text(
        f'{{"version":{LAYOUT_VERSION + 1},"validators":4,"chain_id":"","prefix":"dbill",'
        '"stock_units":0}'
    )
    with pytest.raises(LayoutFault, match="version"):
        layout.describe()


def test_a_half_made_directory_is_refused(layout):
    layout.root.mkdir()
    layout.genesis_path.write_text("{}")
    with pytest.raises(LayoutFault, match="half made"):
        layout.describe()


def test_an_empty_directory_holds_no_network(layout):
    assert layout.describe() is None
    assert layout.read_state() is None


def test_a_description_reads_back_as_it_was_written(layout):
    layout.root.mkdir()
    description = Description(LAYOUT_VERSION, 4, "ab" * 32, "dbill", 7, 1, 4)
    write_whole(layout.description_path, msgspec.json.encode(description))
    assert layout.describe() == description


def test_the_account_of_a_run_reads_back_as_it_was_written(layout):
    layout.root.mkdir()
    state = RunState(1, 2, {"api": 3}, {"api": "x"}, [ProcessState("a", "ready", 1, 2.0, 0, "l")])
    layout.write_state(state)
    assert layout.read_state() == state


NO_TEXT = b'{"version": "\xff"}'


def test_files_that_are_no_text_are_refused_or_passed_over(layout):
    layout.root.mkdir()
    layout.description_path.write_bytes(NO_TEXT)
    with pytest.raises(LayoutFault, match="can't be read"):
        layout.describe()
    layout.state_path.write_bytes(b'{"pid": 1, "started_ms": 2, "urls": {"\xff": "x"}}')
    assert layout.read_state() is None


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingProgram, match="make setup"):
        programs(Layout(tmp_path), 4, {})


def test_an_outgrown_log_is_moved_aside_and_its_newest_part_kept(tmp_path):
    log = tmp_path / "x.log"
    log.write_bytes(b"old" + b"n" * 10)
    assert not rotate(log, bytes_max=13)
    assert rotate(log, bytes_max=10)
    assert log.read_bytes() == b""
    assert (tmp_path / "x.log.1").read_bytes() == b"n" * 10


def test_the_last_line_of_a_log_is_the_last_that_says_something(tmp_path):
    log = tmp_path / "x.log"
    assert last_line(log) == "nothing was logged"
    log.write_text("first\n  why it ended \n\n")
    assert last_line(log) == "why it ended"
    assert last_line(log, chars_max=3) == "why"
