"""Numbers as people write them: ASCII digits, and nothing that has to be guessed.

`int` and `float`, and libraries that read as they do, take `1_0`, ` 10`, `+10`, `1e3`, `nan` and
digits of any script. Amounts of BILL have a reader of their own (`ledger.primitives.amounts`).
"""

import re
from typing import Final

WHOLE_MAX: Final = 2**63 - 1
DECIMAL_MAX: Final = 10.0**12
SHOWN_CHARS_MAX: Final = 40
_WHOLE: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,9})?", re.ASCII)


def read_whole(text: str, least: int = 0, most: int = WHOLE_MAX) -> int:
    """Read a whole number; raise `ValueError` that says what it may be.

    >>> read_whole("42")
    42
    >>> read_whole("1_0", most=99)
    Traceback (most recent call last):
    ValueError: '1_0' is no whole number from 0 to 99, in digits 0 to 9
    """
    number = int(text) if _WHOLE.fullmatch(text) else -1
    if not 0 <= least <= number <= most:
        shown, end = text[:SHOWN_CHARS_MAX], "on" if most == WHOLE_MAX else f"to {most}"
        raise ValueError(f"{shown!r} is no whole number from {least} {end}, in digits 0 to 9")
    return number


def read_decimal(text: str, least: float = 0.0, most: float = DECIMAL_MAX) -> float:
    """Read a number, as in 1.5; raise `ValueError` that says what it may be."""
    number = float(text) if _DECIMAL.fullmatch(text) else -1.0
    if not 0 <= least <= number <= most:
        shown, end = text[:SHOWN_CHARS_MAX], "on" if most == DECIMAL_MAX else f"to {most:g}"
        raise ValueError(f"{shown!r} is no number from {least:g} {end}, written as in 1.5")
    return number
