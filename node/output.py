"""Text for whoever looks on: a terminal, a pipe, a file. It never decides whether the work goes on.

`prepare_output` is for every command: any text can be written in any locale. `Steady` is for what
runs on: a reader that is gone, stuck or full loses text and raises nothing. A command that prints
its result and ends uses plain streams, so that a lost result is told.
"""

import io
import os
import select
import sys
from typing import Any, Final, TextIO

PATIENCE_MS: Final = 100
"""How long a slow reader is waited for, until it reads again: a stuck one must not hold us up."""
PIECE_BYTES: Final = select.PIPE_BUF
"""What a pipe takes without blocking once it says that it can be written."""


def prepare_output() -> None:
    """Make the standard streams able to write any text: what a locale lacks is replaced.

    A descriptor that was closed at the start gets the null device: else the first socket or file
    that is opened takes its number, and receives what is printed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The lowest free number: this one.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")


class Steady(io.RawIOBase):
    """A descriptor whose writes always succeed; what can't be written is dropped."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._stuck = False

    def writable(self) -> bool:
        """Tell that text may be written."""
        return True

    def fileno(self) -> int:
        """Give the descriptor, for those who ask a terminal for its size."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether a person looks on."""
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Write as much as the reader takes; claim all of it."""
        view = memoryview(data).cast("B")
        rest = view
        while rest and self._takes():
            try:
                rest = rest[os.write(self._descriptor, rest[:PIECE_BYTES]) :]
            except OSError:
                break
        return len(view)

    def _takes(self) -> bool:
        self._stuck = not self._poll.poll(0 if self._stuck else PATIENCE_MS)
        return not self._stuck


def steady(stream: TextIO | None) -> TextIO | None:
    """Give a stream to the same place that never raises and never waits for long.

    A stream without a descriptor, as tests and notebooks have, is given back as it is.
    """
    try:
        descriptor = stream.fileno() if stream is not None else -1
    except (OSError, ValueError):
        return stream
    if stream is None or descriptor < 0:
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Steady(descriptor)),
        encoding=stream.encoding or "utf-8",
        errors="replace",
        line_buffering=True,
    )
