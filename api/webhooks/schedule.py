"""When a delivery is tried again, when an endpoint rests, and when it is given up. Pure.

`RETRY_AFTER_S` is the schedule: nine tries over a day and an hour, each wait stretched or shortened
by up to a fifth by chance, so that those who failed together don't come back together. A receiver
that names a later time (`Retry-After`) is heard, for up to an hour.
"""

from typing import Final

RETRY_AFTER_S: Final = (5, 60, 300, 1_800, 7_200, 18_000, 28_800, 36_000)
"""Seconds from each failed try to the next; after the last one, a delivery has failed."""
JITTER: Final = 0.2
HEARD_S_MAX: Final = 3_600
REST_MS_MAX: Final = 60_000
GIVEN_UP_MS: Final = 3 * 86_400_000
"""An endpoint that took nothing for so long is disabled, and its merchant told."""


def next_try_ms(tries: int, now_ms: int, chance: float, asked_s: int = 0) -> int | None:
    """Say when a delivery that failed `tries` times is tried again; None if never.

    `chance` lies in [0, 1); `asked_s` is what the receiver asked for.
    """
    if tries > len(RETRY_AFTER_S):
        return None
    wait_ms = 1_000 * RETRY_AFTER_S[tries - 1] * (1 - JITTER + 2 * JITTER * chance)
    return now_ms + max(int(wait_ms), 1_000 * min(asked_s, HEARD_S_MAX))


def rest_ms(failures: int) -> int:
    """Say how long an endpoint is left in peace after so many failures in a row."""
    return min(500 << min(failures, 16), REST_MS_MAX)


def is_given_up(failing_since_ms: int | None, now_ms: int) -> bool:
    """Tell whether an endpoint has failed for too long."""
    return failing_since_ms is not None and now_ms - failing_since_ms >= GIVEN_UP_MS
