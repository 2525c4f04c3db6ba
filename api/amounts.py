"""Money at the edge: ringgit as text outside, sen as integers inside, and quotes in tokens.

Text is read by a full match of plain ASCII decimals. Number types that guess (`1_8`, full-width
digits, `1e2`, a leading zero) never see it.
"""

import re
from datetime import UTC, datetime
from typing import Final

from ledger.primitives.amounts import UNITS_PER_BILL, Units, format_bill

_MYR_TEXT: Final = re.compile(r"(0|[1-9]\d{0,8})(?:\.(\d{1,2}))?", re.ASCII)
_BILL_TEXT: Final = re.compile(r"(0|[1-9]\d{0,8})(?:\.(\d{1,6}))?", re.ASCII)


def parse_sen(text: str) -> int | None:
    """Read an amount in RM, as in `1.80` or `1.8`; None for anything else."""
    match = _MYR_TEXT.fullmatch(text)
    return None if match is None else int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def parse_units(text: str) -> int | None:
    """Read an amount in BILL of at most six decimals; None for anything else."""
    match = _BILL_TEXT.fullmatch(text)
    if match is None:
        return None
    return int(match[1]) * UNITS_PER_BILL + int((match[2] or "").ljust(6, "0"))


def format_sen(sen: int) -> str:
    """Write an amount as RM with two decimals."""
    assert sen >= 0, sen
    return f"{sen // 100}.{sen % 100:02d}"


def units_for(sen: int, litre_price_sen: int) -> Units:
    """Give what a price is in tokens: one BILL is worth a litre's price; rounded up."""
    return Units(-(-sen * UNITS_PER_BILL // litre_price_sen))


def signed_bill(units: int) -> str:
    """Write a difference in BILL with its sign in front."""
    return ("-" if units < 0 else "") + format_bill(Units(abs(units)))


def signed_sen(sen: int) -> str:
    """Write a difference in RM with its sign in front."""
    return ("-" if sen < 0 else "") + format_sen(abs(sen))


def units_bought(sen: int, litre_price_sen: int) -> Units:
    """Give what cash buys in tokens; rounded down, so that nothing is given away."""
    return Units(sen * UNITS_PER_BILL // litre_price_sen)


def sen_worth(units: int, litre_price_sen: int) -> int:
    """Give what tokens are worth in cash; rounded down."""
    return units * litre_price_sen // UNITS_PER_BILL


def format_time(time_ms: int) -> str:
    """Write a time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(time_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
