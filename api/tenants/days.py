"""A shop's day in UTC: when it begins and when the next one does."""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.tenants.desk import TIME_ZONE_USUAL

USUAL: Final = timezone(timedelta(hours=8), TIME_ZONE_USUAL)
"""The usual zone has had one offset since 1982, and no machine may lack it."""


def day_of(day: date, time_zone: str) -> tuple[int, int]:
    """Give the milliseconds at which a day begins in a time zone, and at which it is over."""
    zone = _zone(time_zone)
    begin, end = (
        datetime.combine(one, time.min, zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    return int(begin.timestamp()) * 1_000, int(end.timestamp()) * 1_000


def _zone(name: str) -> tzinfo:
    if name == TIME_ZONE_USUAL:
        return USUAL
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return USUAL  # It was known when the merchant was written down.
