"""A shop's day in UTC: when it begins and when the next one does."""

from datetime import UTC, date, datetime, time, timedelta

from api.tenants.zones import zone_of


def day_of(day: date, time_zone: str) -> tuple[int, int]:
    """Give the milliseconds at which a day begins in a time zone, and at which it is over."""
    zone = zone_of(time_zone)
    begin, end = (
        datetime.combine(one, time.min, zone).astimezone(UTC)
        for one in (day, day + timedelta(days=1))
    )
    return int(begin.timestamp()) * 1_000, int(end.timestamp()) * 1_000
