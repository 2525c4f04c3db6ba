"""The trace under which something is asked for, as its caller named it (W3C Trace Context).

We measure no spans of our own, so what came in is passed on as it is. It steers nothing.
"""

from contextvars import ContextVar
from typing import Final

HEADER: Final = "traceparent"
TRACEPARENT: Final[ContextVar[str]] = ContextVar(HEADER, default="")
"""Empty where nobody named one, and for what is done for several at once."""
