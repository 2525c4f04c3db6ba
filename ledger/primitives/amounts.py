"""Amounts of milk money: integers inside, decimal strings outside.

One BILL is one litre of pasteurized milk at 20 degrees C, and 1,000,000 units; a unit is a
microlitre. Formatting and parsing happen here and nowhere else. No float, ever.
"""

import re
from typing import Annotated, Final, NewType

from msgspec import Meta

from ledger.primitives.errors import BadAmount

Units = NewType("Units", int)
"""A count of units: 1/1,000,000 BILL, a microlitre of milk."""

UNITS_PER_BILL: Final = 1_000_000
UNITS_MAX: Final = 2**63 - 1
"""The largest amount that stands on the wire: 9.2 million million litres."""

WireUnits = Annotated[Units, Meta(ge=0, le=UNITS_MAX)]
"""`Units` as a field of a wire struct: checked when decoded."""

_BILL_TEXT: Final = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,6}))?", re.ASCII)


def format_bill(units: Units) -> str:
    """Write an amount as BILL with six decimals, as in `1.800000`."""
    whole, part = divmod(units, UNITS_PER_BILL)
    return f"{whole}.{part:06d}"


def parse_bill(text: str) -> Units:
    """Read an amount in BILL, as in `1.8`; raise `BadAmount` for anything but plain decimals."""
    match = _BILL_TEXT.fullmatch(text)
    if match is None:
        raise BadAmount(text)
    whole, part = match[1], match[2] or ""
    units = int(whole) * UNITS_PER_BILL + int(part.ljust(6, "0"))
    if units > UNITS_MAX:
        raise BadAmount(text)
    return Units(units)
