"""Allowances: how much of what others send is taken, a second and at once.

Pure: who takes says when. A token bucket, which is full at first.
"""

from dataclasses import dataclass, field
from typing import Final

SAMPLES_A_SECOND: Final = 500
"""What a device may bring in the long run; an instrument measures some times a second at most."""
SAMPLES_AT_ONCE_MAX: Final = 60_000
"""What a device may bring at once, after it was cut off: two thirds of a day, a sample a second."""
REFUSALS_A_SECOND: Final = 50
"""Refused envelopes that are written down; further ones are only counted."""
REFUSALS_AT_ONCE_MAX: Final = 1_000


@dataclass(slots=True)
class Allowance:
    """So much a second; what is not taken is saved up to `at_once_max`."""

    a_second: int
    at_once_max: int
    _left: float = field(init=False)
    _filled_ms: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._left = self.at_once_max

    def take(self, count: int, now_ms: int) -> bool:
        """Take so much, whole or not at all; tell whether there was as much. Time may stand."""
        gained = max(0, now_ms - self._filled_ms) * self.a_second / 1_000
        self._left = min(self.at_once_max, self._left + gained)
        self._filled_ms = max(self._filled_ms, now_ms)
        if count > self._left:
            return False
        self._left -= count
        return True


def device_allowance() -> Allowance:
    """Give what a device may bring, in samples."""
    return Allowance(SAMPLES_A_SECOND, SAMPLES_AT_ONCE_MAX)


def refusal_allowance() -> Allowance:
    """Give how many refused envelopes are written down."""
    return Allowance(REFUSALS_A_SECOND, REFUSALS_AT_ONCE_MAX)
