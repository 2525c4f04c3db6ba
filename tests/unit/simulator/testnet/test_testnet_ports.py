"""A network's ports: free, its own while it rests, and named if they are taken."""

import socket
from pathlib import Path

import pytest

from simulator.testnet import ports as ports_module
from simulator.testnet.errors import PlannedPortTaken
from simulator.testnet.ports import find_ports


def test_free_ports_are_all_different_and_none_that_a_connection_may_take():
    ports = find_ports([f"use-{i}" for i in range(20)], None)
    assert len(set(ports.values())) == 20
    lowest, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert all(port < int(lowest) for port in ports.values())


def test_a_port_that_is_taken_is_passed_over(monkeypatch):
    monkeypatch.setattr(ports_module, "randbelow", lambda _: 0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", find_ports(["one"], None)["one"]))
        other.listen()
        taken = other.getsockname()[1]
        ports = find_ports(["one", "two"], None)
        assert sorted({taken, *ports.values()})[0] == taken
        assert len({taken, *ports.values()}) == 3


def test_a_taken_port_is_named_with_its_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PlannedPortTaken, match=f"127.0.0.1:{port} is in use, and api needs it"):
            find_ports(["api"], port)
