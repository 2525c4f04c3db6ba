"""Free TCP ports for tests, each given out once a process.

From the same ports as a network's, and from a random one on: other processes do the same.
"""

from simulator.testnet.ports import find_ports

_given: set[int] = set()


def free_port() -> int:
    """Find a port that nobody listens on and that no other test of this process was given."""
    while True:
        port = find_ports(["test"], None)["test"]
        if port not in _given:
            _given.add(port)
            return port
