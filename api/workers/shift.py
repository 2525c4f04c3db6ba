"""What a worker does between its start and its end.

It says on its standard output when it serves. It ends soon on SIGTERM, and when its standard input
closes, for then the parent is gone; on `LEAVE_SIGNAL` it has been replaced, and answers first what
it has taken.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import structlog

from api.config import load_config
from api.errors import ConfigFault
from api.http.server import Shift, serve
from api.workers.counting import count_as
from api.workers.parent import LEAVE_SIGNAL, READY
from api.workers.words import Patience, WorkerEnd
from node.logs import set_up_logs

LEVEL_S: Final = {Patience.NONE: 0.0, Patience.SOME: 5.0, Patience.ALL: 30.0}
"""How long a worker waits to be level with the chain, before it serves or gives up."""

log = structlog.get_logger("worker")


def work(home: Path, handle: int, number: int, patience: str) -> int:
    """Serve at an inherited port until told to end; give the exit code."""
    set_up_logs("api")
    count_as(number)
    with socket.socket(fileno=handle) as listener:
        return asyncio.run(_work(home, listener, Patience(patience)))


async def _work(home: Path, listener: socket.socket, patience: Patience) -> WorkerEnd:
    loop = asyncio.get_running_loop()
    shift = Shift(LEVEL_S[patience], patience is Patience.ALL, _say_ready)
    loop.add_signal_handler(signal.SIGTERM, shift.end)
    loop.add_signal_handler(LEAVE_SIGNAL, shift.leave)
    try:
        config = load_config(home)
    except ConfigFault as fault:
        log.error("stopped", faults=[str(fault)])
        return WorkerEnd.FAULT
    leash, _ = await loop.connect_read_pipe(lambda: _Leash(shift), sys.stdin)
    try:
        return await serve(config, listener, shift)
    finally:
        leash.close()


def _say_ready() -> None:
    os.write(sys.stdout.fileno(), READY)


class _Leash(asyncio.Protocol):
    """Ends the shift when the other end of a pipe is gone."""

    def __init__(self, shift: Shift) -> None:
        self._shift = shift

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the parent is gone, or we are ending anyway."""
        self._shift.end()
