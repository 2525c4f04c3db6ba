"""One owner a home: a second process says who runs there, and touches nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iot_minting.device.journal import DeviceJournal
from ledger.primitives.hashing import ZERO_HASH
from node.errors import HomeTaken
from node.home.key_file import make_seed
from node.home.lock import owned
from simulator.dairy.fleet import run_devices
from simulator.dairy.setup import DairyConfig, identify
from simulator.testnet.layout import Layout
from simulator.testnet.plan import configure, port_uses
from tests.support.testnet.running import ODD_NAME

COMMAND = [sys.executable, "-m", "node.cli.main"]
HOLD = "import sys, time; from pathlib import Path; from node.home.lock import owned\n"
HOLD += "with owned(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"


def billcoin(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("owners") / ODD_NAME
    made = billcoin("testnet", "init", "--dir", str(folder))
    assert made.returncode == 0, made.stderr
    uses = port_uses(4)
    configure(Layout(folder), 4, {use: 40_000 + number for number, use in enumerate(uses)})
    return folder


HOMES = [
    ("node-0", ("node", "run", "--home")),
    ("mint", ("mint", "run", "--home")),
    ("dairy", ("sensors", "run", "--home")),
    ("shopper", ("sensors", "shop", "--home")),
    ("api", ("api", "run", "--home")),
    ("oracle-0", ("oracle", "run", "--home")),
]


@pytest.mark.parametrize(("home", "words"), HOMES)
@pytest.mark.parametrize("content", [b'name = "\xff"', b"name = [[[", b"\xff\xfen\0a\0"])
def test_a_configuration_that_is_no_toml_is_one_line_with_its_file(
    tmp_path: Path, home: str, words: tuple[str, ...], content: bytes
) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    told = billcoin(*words, str(tmp_path))
    assert told.returncode == 1
    (line,) = told.stderr.strip().splitlines()
    assert f"{tmp_path / 'config.toml'} is not TOML: " in line
    assert "bug" not in line


@pytest.mark.parametrize(
    ("home", "words"),
    [
        *HOMES,
        ("database", ("api", "database", "--port", "1", "--dir")),
    ],
)
def test_a_second_process_on_a_home_is_told_who_runs_there(
    network: Path, home: str, words: tuple[str, ...]
) -> None:
    folder = network / home
    folder.mkdir(exist_ok=True)
    with owned(folder):
        before = sorted(path.name for path in folder.rglob("*"))
        second = billcoin(*words, str(folder))
        assert second.returncode == 1
        told = " ".join(second.stderr.split())
        assert f"{home} is in use by process {os.getpid()}, since " in told
        assert "Stop it first" in told
        assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_home_is_free_when_its_owner_was_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(HomeTaken, match=f"process {owner.pid}"), owned(tmp_path):
            pass
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()
    with owned(tmp_path):
        pass


def test_a_second_dairy_on_a_home_counts_no_boot_up(tmp_path: Path) -> None:
    config, seed = DairyConfig(ingest_key="11" * 32, broker_port=1), bytes(make_seed())
    identities = list(identify(seed, 0).devices)
    with run_devices(tmp_path, config, ZERO_HASH, seed, identities) as devices:
        boots = {name: device.boot for name, device in devices.items()}
        second = run_devices(tmp_path, config, ZERO_HASH, seed, identities)
        with pytest.raises(HomeTaken), second:
            pass
        assert {name: device.boot for name, device in devices.items()} == boots
    for path in sorted(tmp_path.rglob("*.sqlite")):
        journal = DeviceJournal(path)
        assert journal.boot == boots[path.stem] + 1
        journal.close()
