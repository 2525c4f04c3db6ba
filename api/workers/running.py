"""Run the payments service: take the port, then let a crew of workers serve at it."""

import asyncio
import socket
from pathlib import Path

from api.errors import ConfigFault
from api.workers.counting import shared_counts
from api.workers.crew import Crew
from api.workers.parent import Parent
from node.errors import PortTaken
from node.httpd.server import bind


def run_workers(home: Path, host: str, port: int, workers: int) -> int:
    """Serve until told to stop; give the exit code. Whoever calls holds the home.

    Raise `ConfigFault` if the port can't be had.
    """
    with _bound(host, port) as listener, shared_counts(home) as counts:
        return asyncio.run(Parent(home, listener, Crew(workers), counts).run())


def _bound(host: str, port: int) -> socket.socket:
    """Take the port; one that is taken ends the process with a word, not with a trace."""
    try:
        return bind(host, port)
    except PortTaken as fault:
        raise ConfigFault(f"can't listen on {host}:{port}: is the port taken? {fault}") from fault
