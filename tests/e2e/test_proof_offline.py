"""A payment's proof outlives its node: fetched from a process, verified when nothing runs."""

import json
import os
import subprocess
import sys
import time

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from node.home.key_file import write_key
from tests.support.node.homes import make_homes
from tests.support.system.patience import PATIENCE_S

PAYEE = format_address(address_of(SigningKey(Seed(bytes([77]) * 32)).public), "dbill")


def billcoin(*words, code=0):
    command = [sys.executable, "-m", "node.cli.main", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def pay(payer, url):
    """Pay as soon as the node answers."""
    words = ["tx", "transfer", "--key", payer, "--to", PAYEE, "--bill", "1.8", "--json"]
    command = [sys.executable, "-m", "node.cli.main", *map(str, words), "--node", url]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        assert time.monotonic() < deadline, done.stderr


def test_a_payment_is_proven_after_its_node_is_gone(tmp_path):
    homes = make_homes(tmp_path, 1)
    [config] = homes.configs
    payer, file = tmp_path / "payer.key", tmp_path / "payment.proof"
    write_key(payer, Seed(bytes([9]) * 16 + bytes(16)))
    url = f"http://127.0.0.1:{config.rpc_port}"
    command = [sys.executable, "-m", "node.cli.main", "node", "run", "--home", str(config.home)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ) as process:
        try:
            paid = pay(payer, url)
            billcoin("proof", "get", paid["txid"], "--node", url, "--out", file)
            billcoin("proof", "get", ZERO_HASH.hex(), "--node", url, "--out", file, code=1)
        finally:
            process.kill()
    genesis = config.home / "genesis.json"
    # The genesis of these homes is as old as it is, whenever the test runs.
    words = ("proof", "verify", file, "--anchor", genesis, "--trusting-days", 36_500, "--json")
    shown = json.loads(billcoin(*words))
    assert (shown["txid"], shown["to"], shown["bill"]) == (paid["txid"], PAYEE, "1.800000")
    assert (shown["height"], shown["block_hash"]) == (paid["height"], paid["block_hash"])
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    assert not json.loads(billcoin(*words, code=1))["verified"]
