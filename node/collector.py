"""Memory of a process that serves: looked through rarely, given back after a large load.

Start-up's objects are many and stay; requests' objects die young by their counts alone. Those of
a request that lost its client don't: its body hangs in a ring with the exception that ended it.
"""

import ctypes
import functools
import gc
from collections.abc import Callable
from typing import Final

THRESHOLDS: Final = (50_000, 50, 1_000)
"""The default ones double the CPU with thousands of requests in flight."""


def tune_collector() -> None:
    """Spare what start-up made from collection, and collect seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def return_memory() -> None:
    """Free what hangs in rings, and let the machine have the pages. Takes milliseconds."""
    gc.collect()
    _trim()(0)


@functools.cache
def _trim() -> Callable[[int], int]:
    """Find glibc's `malloc_trim`: it keeps what lies below the last small piece in use."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # Another C library, which may need no telling.
        return lambda _pad: 0
    return trim
