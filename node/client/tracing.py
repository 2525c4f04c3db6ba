"""The trace under which something is asked for, as its caller named it (W3C Trace Context).

We measure no spans of our own, so what came in is passed on as it is. It steers nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

HEADER: Final = "traceparent"
TRACEPARENT: Final[ContextVar[str]] = ContextVar(HEADER, default="")
"""Empty where nobody named one, and for what is done for several at once."""


@contextmanager
def under(trace: str) -> Iterator[None]:
    """Do something under a trace that was kept, and not under that of who does it."""
    before = TRACEPARENT.set(trace)
    try:
        yield
    finally:
        TRACEPARENT.reset(before)
