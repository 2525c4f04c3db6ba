"""Times and bounds of the protocol (spec §1.5, §1.9).

Times are the operator's to set, the same on every validator of a network; bounds are part of the
code. Nothing here decides safety: any values are safe, bad ones are slow.
"""

from dataclasses import dataclass, fields
from typing import Final

VIEWS_KEPT: Final = 32
"""Rounds kept below the floor, so that late votes can still prove an equivocation."""
PROPOSALS_KEPT: Final = 8
"""Views below the floor whose proposals are still served to those a little behind."""
ANCESTORS_FETCHED_MAX: Final = 8
"""Proposals fetched backwards before block sync is asked to do it instead."""
GAP_VIEWS_MAX: Final = 64
"""The distance from floor to finalization at which block sync is asked at once."""
FETCH_TRIES_MAX: Final = 6
"""Peers asked for a finalized block's proposal before block sync is asked instead."""
CERTIFICATES_FETCHED_MAX: Final = 64
"""Views that one `FetchCertificates` may span."""
ANSWERS_MAX: Final = 256
"""Certificates that one member is answered with within a delta."""
PROPOSAL_COST: Final = 32
"""A proposal counts as so many of them..."""
ANSWER_BYTES: Final = 16_384
"""... and its payload as one for each so many bytes: one block of the greatest size a delta."""
RESENT_MAX: Final = 64
"""Messages that one standstill resends at most."""
GRACE_VIEWS: Final = 3
"""Views in a row that may pass without finality before timeouts grow."""
IGNORED_FIRST_MS: Final = 1_000
"""A sender of what no honest member sends is not heard for so long; each time twice as long..."""
IGNORED_MAX_MS: Final = 60_000
"""... up to this. One that behaves for as long begins anew."""
SKIP_VIEWS: Final = 4
"""Views that a leader must have missed, beside the silent time, before it is skipped."""


@dataclass(frozen=True, slots=True)
class Params:
    """Times in milliseconds. `delta_ms` bounds a message's way on a good day."""

    delta_ms: int = 250
    heartbeat_ms: int = 10_000
    """An empty block is proposed this long after the last block."""
    pace_ms: int = 0
    """The least time from one proposal to the next; 0 is as fast as votes travel."""
    retry_ms: int = 1_000
    """A nullify vote that has not ended its view is sent again after this."""
    skip_ms: int = 10_000
    """A leader that was silent for so long gets no time (R9)."""
    standstill_ms: int = 2_000
    """The first resend without finality (R10); later ones wait twice as long each."""
    standstill_max_ms: int = 16_000
    timeout_max_ms: int = 10_000
    """Where the back-off of the view's timers ends."""
    fetch_ms: int = 250
    fetch_max_ms: int = 4_000

    def __post_init__(self) -> None:
        """Refuse times that can't be meant; zero is meant for the pace alone."""
        for field in fields(self):
            if getattr(self, field.name) < (0 if field.name == "pace_ms" else 1):
                raise ValueError(f"{field.name} must be positive")

    @property
    def leader_ms(self) -> int:
        """Give T_L: how long a view waits for its proposal."""
        return 2 * self.delta_ms

    @property
    def advance_ms(self) -> int:
        """Give T_A: how long a view waits for its notarization."""
        return 3 * self.delta_ms

    def stretched_ms(self, base_ms: int, barren_views: int) -> int:
        """Grow a view's timer by half for each view without finality past the grace."""
        grown = base_ms
        for _ in range(barren_views - GRACE_VIEWS + 1):
            grown = grown * 3 // 2
            if grown >= self.timeout_max_ms:
                break
        return max(base_ms, min(grown, self.timeout_max_ms))
