"""A plant's clock that hurries through what has passed already, for plants of chains of some age.

Milk is minted half a minute after it flowed at the soonest. A plant that lives those seconds in
real time has everybody wait for them; one whose chain began some minutes ago lives from there on
`HURRY` times as fast, until its clock has come to now. Nothing that it says is dated ahead.
"""

import time

from iot_minting.even_clock import EvenClock, wall_ms
from tests.support.system.patience import PATIENCE_S

HURRY = 10
STAY_S = 1.0
"""How long a plant stays on between two looks; its instruments are read once in it."""
BEGUN_AFTER_MS = 2_000
"""What is dated before a device's registration counts for nothing, and that is the genesis."""
PAST_MS = 240_000
"""How long ago such a chain begins: more than its plant lives in any test."""


class HurryingClock:
    """Time passes while somebody waits, and only then; it begins soon after the chain's."""

    def __init__(self, genesis):
        self._at_ms = genesis.time_ms + BEGUN_AFTER_MS
        self.even = EvenClock(self._tell_ms, self._tell_ms)

    def _tell_ms(self):
        return self._at_ms

    def wait(self, seconds):
        """Let time pass; tell that one may go on."""
        self._at_ms += round(seconds * 1_000)
        time.sleep(max(seconds / HURRY, (self._at_ms - wall_ms()) / 1_000))
        return True


def stay_until(player, holds):
    """Let a plant stay on until something holds."""
    deadline_s = time.monotonic() + 3 * PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came"
        player.stay_on(STAY_S)
