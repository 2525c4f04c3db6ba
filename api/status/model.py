"""What a minute was like, and what a month of minutes amounts to: plain values."""

from dataclasses import dataclass
from typing import Final

MINUTE_MS: Final = 60_000
KEPT_MS: Final = 30 * 86_400_000
"""What is told, and how long rows are kept."""
SILENT: Final = "service"
"""The part that is to blame for a minute of which nobody wrote anything."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A minute that ends or begins an outage: `part` did not work, or nobody wrote before it.

    `before_ms` is the minute that was written before this one; None for the first.
    """

    minute_ms: int
    part: str
    before_ms: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """Minutes in a row in which payments could not be taken: from, up to and without `to_ms`."""

    from_ms: int
    to_ms: int
    part: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of the service: its minutes, those that were good, and what went wrong."""

    since_ms: int | None
    minutes: int
    good: int
    outages: tuple[Outage, ...]
