"""A whole testnet whose onlookers all fail: it goes on, and shows itself again when it can."""

import os
import signal
import subprocess
import time

import psutil

from simulator.testnet.layout import Layout
from tests.support.testnet.running import BILLCOIN, ODD_NAME, kill

ASCII = {
    **os.environ,
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


def until(condition, process, timeout_s=60.0):
    limit = time.monotonic() + timeout_s
    while not (found := condition()):
        assert process.poll() is None, f"the network ended with {process.returncode}"
        assert time.monotonic() < limit
        time.sleep(0.1)
    return found


def test_no_locale_name_pipe_disk_or_terminal_ends_the_network(tmp_path):
    layout = Layout(tmp_path / ODD_NAME)
    # `nohup` ignores SIGHUP; a folder in the note's place refuses every write, as a full disk does.
    layout.state_path.mkdir(parents=True)
    command = ["nohup", BILLCOIN, "testnet", "up", "--dir", str(layout.root), "--validators", "1"]
    process = subprocess.Popen(
        command, env=ASCII, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    family = []
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        log = layout.log("node-0")
        until(lambda: log.exists() and log.stat().st_size, process)
        process.send_signal(signal.SIGHUP)
        layout.state_path.rmdir()
        state = until(layout.read_state, process)
        family = psutil.Process(process.pid).children(recursive=True)
        assert state.supervisor_pid == process.pid
        until(lambda: layout.read_state().figures["height"] > 0, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        for each in family:
            kill(each)
