"""What a client of the node loads: shapes and an HTTP client, nothing of a node's own insides."""

import json
import subprocess
import sys

import node.client

LISTING = """
import importlib, json, pkgutil, sys
import node.client
for found in pkgutil.walk_packages(node.client.__path__, "node.client."):
    importlib.import_module(found.name)
print(json.dumps(sorted(sys.modules)))
"""
FORBIDDEN = (
    "consensus", "ledger.invariants", "ledger.rules", "ledger.state", "ledger.store", "libp2p",
    "node.cli", "node.core", "node.lightclient", "node.shell", "node.tools", "plyvel",
    "plyvel_next", "starlette", "trio", "uvicorn",
)  # fmt: skip


def test_a_client_loads_neither_store_nor_shell():
    command = [sys.executable, "-c", LISTING]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=60)
    loaded = json.loads(ran.stdout)
    assert {"node.client.http", "node.client.queries", "node.client.failover"} <= set(loaded)
    assert node.client.__name__ in loaded
    found = [name for name in loaded if name.startswith(tuple(f"{one}." for one in FORBIDDEN))]
    assert found + [name for name in FORBIDDEN if name in loaded] == []
