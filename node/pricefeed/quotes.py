"""What a source says: a price in ringgit a litre, and of when it is. Read strictly, or not at all.

Two forms, told apart by their first byte. JSON, of these two members and no other:

    {"myr_per_litre": "3.62", "as_of": "2026-11-29T09:00:00+08:00"}

CSV with this header, times ascending, each line ended; the last line counts:

    as_of,myr_per_litre
    2026-11-28T09:00:00+08:00,3.60
    2026-11-29T09:00:00+08:00,3.62

Prices are texts of ASCII digits with at most six decimals: a number of JSON would have been a
float somewhere. Invariant: any bytes give a quote or a `QuoteRefused` that says where it is wrong.
"""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec
from msgspec import Struct

from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import decode_json
from node.pricefeed.errors import QuoteRefused

SOURCE_BYTES_MAX: Final = 64 * 1024
"""More than a year of a CSV's lines."""
MICRO: Final = 1_000_000
CSV_HEAD: Final = "as_of,myr_per_litre"
SHOWN_CHARS_MAX: Final = 60
DETAIL_CHARS_MAX: Final = 300
"""What is told of a source that is wrong: it may have names as long as itself."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PRICE: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?", re.ASCII)
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class Quote(Struct, frozen=True):
    """What a litre costs in millionths of a ringgit, as of a time (UTC milliseconds)."""

    litre_micro_myr: int
    as_of_ms: int


class _JsonQuote(Struct, frozen=True, forbid_unknown_fields=True):
    myr_per_litre: str
    as_of: str


def read_quote(raw: bytes) -> Quote:
    """Read what a source sent; raise `QuoteRefused` with code `unreadable`."""
    if len(raw) > SOURCE_BYTES_MAX:
        raise _unreadable(f"{len(raw)} bytes where at most {SOURCE_BYTES_MAX} are allowed")
    return _read_json(raw) if raw.lstrip()[:1] == b"{" else _read_csv(raw)


def format_myr(micro: int) -> str:
    """Write a price in ringgit, with all six decimals."""
    return f"{micro // MICRO}.{micro % MICRO:06d}"


def _read_json(raw: bytes) -> Quote:
    try:
        told = msgspec.convert(decode_json(raw, SOURCE_BYTES_MAX), _JsonQuote)
    except (BadJson, msgspec.ValidationError) as fault:
        raise _unreadable(str(fault)) from fault
    return Quote(_read_price(told.myr_per_litre), _read_time(told.as_of))


def _read_csv(raw: bytes) -> Quote:
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as fault:
        raise _unreadable(f"neither JSON nor CSV: byte {fault.start} is not ASCII") from None
    head, *rows = text.replace("\r\n", "\n").split("\n")
    if head != CSV_HEAD:
        raise _unreadable(f"neither a JSON object nor CSV that begins with {CSV_HEAD!r}")
    if not rows or rows.pop():
        # A file that is being written may end within a number: 3.6 where 3.62 is meant.
        raise _unreadable("its last line has no end: it may be half written")
    if not rows:
        raise _unreadable("it has no line beside its header")
    quotes = [_read_row(row, number) for number, row in enumerate(rows, 2)]
    for number, (one, other) in enumerate(pairwise(quotes), 3):
        if other.as_of_ms <= one.as_of_ms:
            raise _unreadable(f"line {number} is not later than the one before it")
    return quotes[-1]


def _read_row(row: str, number: int) -> Quote:
    cells = row.split(",")
    if len(cells) != 2:
        raise _unreadable(f"line {number} has {len(cells)} cells where there are 2")
    try:
        return Quote(_read_price(cells[1]), _read_time(cells[0]))
    except QuoteRefused as fault:
        raise _unreadable(f"line {number}: {fault}") from None


def _read_price(text: str) -> int:
    found = _PRICE.fullmatch(text)
    if found is None:
        shown = text[:SHOWN_CHARS_MAX]
        raise _unreadable(f"{shown!r} is no price: digits, and at most six decimals, as in 3.62")
    whole, rest = found.groups()
    return int(whole) * MICRO + int((rest or "").ljust(6, "0"))


def _read_time(text: str) -> int:
    try:
        if _TIME.fullmatch(text) is None:
            raise ValueError
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        shown = text[:SHOWN_CHARS_MAX]
        raise _unreadable(
            f"{shown!r} is no time with its offset, as in 2026-11-29T09:00:00Z"
        ) from None


def _unreadable(detail: str) -> QuoteRefused:
    return QuoteRefused("unreadable", detail[:DETAIL_CHARS_MAX])
