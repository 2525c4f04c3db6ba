"""Places for answers that never end: bounded in all, and shared out among clients.

A stream is of use for as long as it lasts, so admission never ends one; without a share of its
own for each client, one could take every place there is.
"""

from collections import Counter
from typing import Final

from node.addresses import group_of

SHARE: Final = 8
"""One client holds at most this part of the places."""


class StreamPlaces:
    """The places of one kind of stream."""

    def __init__(self, places_max: int) -> None:
        self._places_max = places_max
        self._each_max = max(1, places_max // SHARE)
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def free(self, host: str) -> bool:
        """Tell whether a client may have one more."""
        return len(self) < self._places_max and self._held[group_of(host)] < self._each_max

    def take(self, host: str) -> bool:
        """Take a place for a client; False if it may have none."""
        if not self.free(host):
            return False
        self._held[group_of(host)] += 1
        return True

    def give_back(self, host: str) -> None:
        """Free a place that was taken."""
        group = group_of(host)
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
