"""Time zones of shops, by their names. The usual one is known on every machine."""

from datetime import timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

TIME_ZONE_USUAL: Final = "Asia/Kuala_Lumpur"
USUAL: Final = timezone(timedelta(hours=8), TIME_ZONE_USUAL)
"""The usual zone has had one offset since 1982, and no machine may lack it."""


def is_time_zone(name: str) -> bool:
    """Tell whether a time zone is known here; the usual one always is."""
    return _find(name) is not None


def zone_of(name: str) -> tzinfo:
    """Give a shop's time zone: it was known when the shop was written down."""
    return _find(name) or USUAL


def _find(name: str) -> tzinfo | None:
    if name == TIME_ZONE_USUAL:
        return USUAL
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
