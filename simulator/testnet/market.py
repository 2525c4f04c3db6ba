"""What milk costs on a testnet: a price invented for each moment, the same on every machine. Pure.

Each day has a price of its own within half a percent of the usual one; between two days it moves
in a straight line. So it is gentle enough for every oracle to believe, and moves while one looks.
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

import msgspec

from node.pricefeed.quotes import format_myr

USUAL_MICRO_MYR: Final = 3_600_000
"""About what a litre of raw milk brings a farm in Malaysia, in millionths of a ringgit."""
SWING_MICRO_MYR: Final = 18_000
DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def milk_price(time_ms: int) -> int:
    """Give the price at a time (UTC milliseconds), in millionths of a ringgit a litre."""
    day, passed_ms = divmod(time_ms, DAY_MS)
    today, tomorrow = _of_day(day), _of_day(day + 1)
    return today + (tomorrow - today) * passed_ms // DAY_MS


def _of_day(day: int) -> int:
    drawn = int.from_bytes(blake2b(day.to_bytes(8, "big"), digest_size=8).digest(), "big")
    return USUAL_MICRO_MYR - SWING_MICRO_MYR + drawn % (2 * SWING_MICRO_MYR + 1)


def market_file(time_ms: int) -> bytes:
    """Write the price at a time as oracles read it (docs/operating/oracle.md)."""
    as_of = (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec="milliseconds")
    return msgspec.json.encode({"myr_per_litre": format_myr(milk_price(time_ms)), "as_of": as_of})
