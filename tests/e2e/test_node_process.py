"""`billcoin node run` as a process: it serves, survives kill -9, and ends cleanly when asked."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from node.config import NodeConfig
from node.home.key_file import write_key
from tests.support.node.homes import make_homes
from tests.support.system.patience import PATIENCE_S


@contextmanager
def node(config: NodeConfig) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "node.cli.main", "node", "run", "--home", str(config.home)]
    with (config.home / "log").open("a") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def get(config: NodeConfig, path: str) -> dict:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            response = httpx.get(f"http://127.0.0.1:{config.rpc_port}{path}", trust_env=False)
            if response.is_success:
                return response.json()
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, (config.home / "log").read_text()[-3_000:]
        time.sleep(0.05)


def wait_until_silent(config: NodeConfig) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{config.rpc_port}/v1/status", trust_env=False)
        except httpx.HTTPError:
            return
        time.sleep(0.02)
    raise AssertionError("the RPC process outlived its node")


def billcoin(config: NodeConfig, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"BILLCOIN_NODE": f"http://127.0.0.1:{config.rpc_port}"}
    command = [sys.executable, "-m", "node.cli.main", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_payment_outlives_kill_9_and_sigterm_ends_all_of_it(tmp_path):
    homes = make_homes(tmp_path, 1)
    [config] = homes.configs
    payer, payee = tmp_path / "payer.key", tmp_path / "payee.key"
    write_key(payer, Seed(bytes([9]) * 16 + bytes(16)))
    write_key(payee, Seed(bytes([77]) * 32))
    address = json.loads(billcoin(config, "keys", "show", str(payee), "--json").stdout)["address"]
    with node(config) as process:
        get(config, "/v1/status")
        paid = billcoin(
            config,
            "tx",
            "transfer",
            "--key",
            str(payer),
            "--to",
            address,
            "--bill",
            "1.8",
            "--json",
        )
        assert paid.returncode == 0, paid.stderr
        txid = json.loads(paid.stdout)["txid"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until_silent(config)  # The orphaned RPC process ends by itself.
    with node(config) as process:
        assert get(config, f"/v1/transactions/{txid}")["state"] == "final"
        held = billcoin(config, "balance", str(payee), "--json")
        assert json.loads(held.stdout) == {"address": address, "bill": "1.800000", "nonce": 0}
        shown = billcoin(config, "tx", "show", txid)
        assert (shown.returncode, "final" in shown.stdout) == (0, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    refused = billcoin(config, "balance", address)
    assert refused.returncode == 1
    assert refused.stderr.startswith("billcoin: error: no answer from")
    lines = (config.home / "log").read_text().splitlines()
    assert all("message" in json.loads(line) for line in lines), "the log is JSON, line by line"


def test_what_is_wrong_with_a_home_is_one_line_and_exit_code_1(tmp_path):
    homes = make_homes(tmp_path, 1)
    [config] = homes.configs
    (config.home / "keys/validator.key").chmod(0o644)
    for home, word in ((config.home, "chmod 600"), (tmp_path / "none", "config.toml")):
        ended = billcoin(config, "node", "run", "--home", str(home))
        assert ended.returncode == 1
        assert word in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_a_regulator_of_three_people_acts_by_two_of_their_keys(tmp_path):
    homes = make_homes(tmp_path, 1)
    [config] = homes.configs
    payer = tmp_path / "payer.key"
    write_key(payer, Seed(bytes([9]) * 16 + bytes(16)))
    seeds = [Seed(bytes([index]) * 32) for index in (71, 72, 73)]
    people = [SigningKey(seed) for seed in seeds]
    files = [str(tmp_path / f"person-{index}.key") for index in range(3)]
    for path, seed in zip(files, seeds, strict=True):
        write_key(Path(path), seed)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"threshold": 2, "keys": [p.public.hex() for p in people]}))
    joint = billcoin(config, "tx", "address", str(policy)).stdout.strip()

    def send(words: dict, *signing: str) -> subprocess.CompletedProcess:
        body = tmp_path / "body.json"
        body.write_text(json.dumps(words))
        keys = [word for key in signing for word in ("--key", key)]
        more = ["--policy", str(policy)] if len(signing) > 1 else []
        return billcoin(config, "tx", "send", str(body), *keys, *more, "--json")

    thief = format_address(address_of(SigningKey(Seed(bytes([77]) * 32)).public), "dbill")
    with node(config):
        get(config, "/v1/status")
        words = ["--to", joint, "--bill", "5", "--key", str(payer)]
        assert billcoin(config, "tx", "transfer", *words).returncode == 0
        freeze = {"type": "freeze_account", "address": thief, "frozen": True}
        early = send(freeze, *files[:2])
        assert (early.returncode, "role" in early.stderr) == (1, True)
        grant = {"type": "grant_role", "role": "regulator", "holder": joint}
        assert send(grant, str(payer)).returncode == 0
        frozen = send(freeze, files[0], files[2])
        assert frozen.returncode == 0, frozen.stderr
        assert json.loads(frozen.stdout)["state"] == "final"
        lonely = send(freeze, *files)
        assert "exactly 2 keys" in lonely.stderr
