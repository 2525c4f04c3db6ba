"""A real farm's recording through a whole testnet: every litre of it is minted, but for floors."""

import json
import subprocess

import pytest

from simulator.testnet.figures import format_litres
from tests.support.minting.recorded_farm import COLUMNS, MILKINGS, UNITS, recorded_farm
from tests.support.testnet.books import litres_of
from tests.support.testnet.running import BILLCOIN, RunningTestnet

START_S = 300
REPLAY_S = 900


@pytest.mark.timeout(START_S + REPLAY_S + 60)
def test_the_recorded_farm_mints_its_litres(tmp_path):
    recording = recorded_farm()
    net = RunningTestnet(tmp_path / "net")
    try:
        net.start("--validators", "1")
        net.until(net.ready, START_S, "ready network")
        told = replay(net, recording)
    finally:
        net.close()
    assert (told["milkings"], told["skipped"]) == (MILKINGS, [])
    assert 0 <= UNITS - litres_of(told["expected_litres"]) <= told["runs"]
    missing = UNITS - litres_of(told["minted_litres"])
    assert 0 <= missing <= MILKINGS + told["runs"] + told["lots"], format_litres(missing)


def replay(net, recording):
    home = str(net.layout.home("dairy"))
    played = subprocess.run(
        [BILLCOIN, "sensors", "replay", str(recording), "--home", home, "--map", COLUMNS,
         "--speed", "0", "--wait", "--json"],
        capture_output=True, text=True, timeout=REPLAY_S, check=False,
    )  # fmt: skip
    assert played.returncode == 0, f"{played.stderr}\n{net.logs()}"
    return json.loads(played.stdout.splitlines()[-1])
