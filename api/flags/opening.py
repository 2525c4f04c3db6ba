"""When a shop is open. Pure: minutes of the day of its time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

DAY_MINUTES: Final = 24 * 60
MINUTE_MS: Final = 60_000
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """From `opens` to `closes`, minutes of the shop's day; past midnight if it closes earlier."""

    opens: int
    closes: int
    zone: tzinfo

    def is_open(self, at_ms: int, grace_ms: int = 0) -> bool:
        """Tell whether a shop is open at a time, or was or will be within `grace_ms`."""
        day_ms = DAY_MINUTES * MINUTE_MS
        opens_ms = self.opens * MINUTE_MS - grace_ms
        length_ms = ((self.closes - self.opens) % DAY_MINUTES) * MINUTE_MS + 2 * grace_ms
        into_ms = (at_ms + self._ahead_ms(at_ms) - opens_ms) % day_ms
        return length_ms >= day_ms or into_ms <= length_ms

    def _ahead_ms(self, at_ms: int) -> int:
        """Give how far the shop's clocks are ahead of UTC at a time."""
        at = datetime.fromtimestamp(at_ms // 1_000, UTC)
        return (at.astimezone(self.zone).utcoffset() or timedelta()) // timedelta(milliseconds=1)


def parse_hours(opens: str, closes: str, zone: tzinfo = UTC) -> OpeningHours | None:
    """Read hours such as 07:00 and 19:30; None where none are told. Raise `ValueError`."""
    if not opens and not closes:
        return None
    found = [_CLOCK.fullmatch(text) for text in (opens, closes)]
    if found[0] is None or found[1] is None or opens == closes:
        raise ValueError("opens and closes are two times of a day such as 07:00, or both empty")
    start, end = (60 * int(match[1]) + int(match[2]) for match in found if match is not None)
    return OpeningHours(opens=start, closes=end, zone=zone)
