"""`billcoin oracle` beside a real node: it feeds, outlives kill -9, and ends when asked."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from ledger.primitives.keys import address_of, format_address
from node.home.key_file import read_key, write_key
from node.home.lock import LOCK_FILE
from tests.support.node.homes import make_homes, oracle_seed
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = [sys.executable, "-m", "node.cli.main"]


def billcoin(*words):
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextmanager
def process(log, *words):
    with log.open("a") as out:
        child = subprocess.Popen([*COMMAND, *words], stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def say(home, price):
    aside = home / "price.new"
    as_of = datetime.now(UTC).isoformat(timespec="seconds")
    aside.write_text(json.dumps({"myr_per_litre": price, "as_of": as_of}))
    aside.rename(home / "price.json")


def get(url, want, log):
    """Ask until an answer is as wanted; give it."""
    deadline, answer = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(url, trust_env=False)
            if want(answer):
                return answer
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url}: {answer and answer.text}\n{log.read_text()[-3_000:]}")


@pytest.fixture
def chain(tmp_path):
    homes = make_homes(tmp_path, 1, oracles=1)
    [config] = homes.configs
    with process(tmp_path / "node.log", "node", "run", "--home", str(config.home)):
        yield f"http://127.0.0.1:{config.rpc_port}"


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "oracle"
    write_key(home / "keys/oracle.key", oracle_seed(0))
    assert billcoin("oracle", "init", "--home", str(home)).returncode == 0
    path = home / "config.toml"
    text = path.read_text().replace("feed_every_ms = 3600000", "feed_every_ms = 2000")
    text = text.replace("read_every_ms = 60000", "read_every_ms = 1000")
    path.write_text(text.replace("port = 0", f"port = {free_port()}"))
    return home


def port_of(home):
    return re.search(r"^port = (\d+)$", (home / "config.toml").read_text(), re.M)[1]


def test_prices_go_on_over_kill_9_and_sigterm_ends_it(chain, home, tmp_path):
    log, words = tmp_path / "oracle.log", ("oracle", "run", "--home", str(home), "--node", chain)
    say(home, "3.60")
    with process(log, *words):
        get(f"{chain}/v1/price", lambda told: told.json().get("litre_micro_myr") == 3_600_000, log)
    rounds = get(f"{chain}/v1/price", lambda told: told.is_success, log).json()["round"]
    say(home, "3.62")
    with process(log, *words) as oracle:
        get(f"{chain}/v1/price", lambda told: told.json()["litre_micro_myr"] == 3_620_000, log)
        status = f"http://127.0.0.1:{port_of(home)}"
        get(f"{status}/readyz", lambda told: told.is_success, log)
        say(home, "3620")
        told = get(f"{status}/readyz", lambda told: not told.is_success, log).json()
        assert "RM 3620.000000" in told["parts"]["quote"]
        second = billcoin(*words)
        assert second.returncode == 1
        assert f"process {oracle.pid}" in second.stderr
        oracle.send_signal(signal.SIGTERM)
        assert oracle.wait(PATIENCE_S) == 0
    price = get(f"{chain}/v1/price", lambda told: told.is_success, log).json()
    assert price["litre_micro_myr"] == 3_620_000
    assert price["round"] > rounds
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["message"] for line in lines} >= {"feeding", "price fed", "can't feed"}
    seed = (home / "keys/oracle.key").read_text().strip()
    assert seed not in log.read_text()


def test_init_shows_who_it_is_and_is_harmless_when_repeated(tmp_path):
    home = tmp_path / "feeder"
    first, second = (billcoin("oracle", "init", "--home", str(home), "--json") for _ in range(2))
    assert first.stdout == second.stdout
    key = read_key(home / "keys/oracle.key")
    assert json.loads(first.stdout)["address"] == format_address(address_of(key.public), "dbill")
    assert os.stat(home / "keys/oracle.key").st_mode & 0o077 == 0


def test_check_reads_a_source_once_and_asks_nobody(home):
    say(home, "3.60")
    shown = billcoin("oracle", "check", "--home", str(home), "--json")
    assert json.loads(shown.stdout)["myr_per_litre"] == "3.600000"
    assert not (home / LOCK_FILE).exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--source", "file:none"), "none"),
        (("--source", "http://example.org/p"), "use https"),
        (("--source", "price.json"), "file:PATH"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_remedy(home, words, told):
    done = billcoin("oracle", "check", "--home", str(home), *words)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert told in done.stderr


def test_a_field_that_nobody_knows_is_refused_by_its_name(home):
    with (home / "config.toml").open("a") as file:
        file.write("feed_evry_ms = 5\n")
    done = billcoin("oracle", "run", "--home", str(home))
    assert done.returncode == 1
    assert "feed_evry_ms" in done.stderr
