"""Outages and availability out of minutes. Pure.

A minute counts as good if every look in it found payments possible. A minute that nobody wrote of
was a bad one: no worker led, or the database was away, and either way nobody could pay.
"""

from collections.abc import Iterable, Iterator

from api.status.model import MINUTE_MS, SILENT, Outage, Watched


def minute_of(time_ms: int) -> int:
    """Give the minute that a time is in, by where it begins."""
    return time_ms - time_ms % MINUTE_MS


def outages_of(odd: Iterable[Watched], newest_ms: int, now_ms: int) -> list[Outage]:
    """Join bad and missing minutes that follow each other with one cause; the newest first.

    `odd` are the minutes that were bad, or before which some are missing, oldest first; `newest_ms`
    is the last minute that was written.
    """
    joined: list[Outage] = []
    for found in _spans(odd, newest_ms, now_ms):
        last = joined[-1] if joined else None
        if last is not None and last.to_ms == found.from_ms and last.part == found.part:
            joined[-1] = Outage(last.from_ms, found.to_ms, found.part)
        else:
            joined.append(found)
    return joined[::-1]


def _spans(odd: Iterable[Watched], newest_ms: int, now_ms: int) -> Iterator[Outage]:
    for one in odd:
        if one.before_ms is not None and one.minute_ms - one.before_ms > MINUTE_MS:
            yield Outage(one.before_ms + MINUTE_MS, one.minute_ms, SILENT)
        if one.part:
            yield Outage(one.minute_ms, one.minute_ms + MINUTE_MS, one.part)
    # The minute that is still going on, and the one before it, may not be written yet.
    if minute_of(now_ms) - newest_ms > 2 * MINUTE_MS:
        yield Outage(newest_ms + MINUTE_MS, minute_of(now_ms), SILENT)


def availability_of(minutes: int, good: int) -> str:
    """Give the share of good minutes in percent, rounded down: 99.99 is not yet 100."""
    if not minutes:
        return "100.00"
    hundredths = good * 10_000 // minutes
    return f"{hundredths // 100}.{hundredths % 100:02d}"
