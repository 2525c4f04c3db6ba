"""How long a test waits for what must come, before it says that it never came.

A test fails by a wrong outcome, not by a slow machine: two cores that ten processes share begin one
of them in a minute. So it waits for a condition, as long as this, and measures nothing.
"""

from typing import Final

PATIENCE_S: Final = 120.0
