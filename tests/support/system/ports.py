"""Free TCP ports for tests, each given out once a process."""

import socket

_given: set[int] = set()


def free_port() -> int:
    """Find a port that nobody listens on and that no other test of this process was given."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port
