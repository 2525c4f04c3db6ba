"""What a wrong password or PIN costs: five in a row, a quarter of an hour; too many, a person.

Pure. A try is counted as a miss *before* it is judged, and taken back if it was right: of a
hundred that come at the same moment, in whatever workers, five are judged and no more.
"""

from dataclasses import dataclass, replace
from typing import Final

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MissRule:
    """How many misses are borne."""

    in_a_row_max: int = 5
    lock_ms: int = 15 * 60_000
    in_a_day_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissTally:
    """The misses of one subject. The day begins with its first miss and lasts 24 hours."""

    in_a_row: int = 0
    locked_until_ms: int = 0
    day_began_ms: int = 0
    in_the_day: int = 0


PIN_RULE: Final = MissRule(in_a_day_max=10)
TERMINAL_RULE: Final = MissRule(in_a_row_max=1_000, lock_ms=0, in_a_day_max=30)
"""A till is locked by its thirtieth miss of a day, whosever code was tried."""
PASSWORD_RULE: Final = MissRule(in_a_day_max=50)


def wait_ms(tally: MissTally, rule: MissRule, now_ms: int) -> int | None:
    """Tell how long a subject has to wait for its next try; None if a person must let it in."""
    if tally.in_the_day >= rule.in_a_day_max:
        return None
    return max(0, tally.locked_until_ms - now_ms)


def after_miss(tally: MissTally, rule: MissRule, now_ms: int) -> MissTally:
    """Count one miss."""
    fresh = now_ms >= tally.day_began_ms + DAY_MS
    in_a_row = tally.in_a_row + 1
    full = in_a_row >= rule.in_a_row_max
    return MissTally(
        in_a_row=0 if full else in_a_row,
        locked_until_ms=now_ms + rule.lock_ms if full else tally.locked_until_ms,
        day_began_ms=now_ms if fresh else tally.day_began_ms,
        in_the_day=1 if fresh else tally.in_the_day + 1,
    )


def after_hit(tally: MissTally) -> MissTally:
    """Take the miss back that was counted before the try was judged, and the row and lock with it.

    The day's other misses stay: who knows one PIN may guess at nothing the more for it.
    """
    return replace(tally, in_a_row=0, locked_until_ms=0, in_the_day=max(0, tally.in_the_day - 1))
