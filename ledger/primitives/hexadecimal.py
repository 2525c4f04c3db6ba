"""Bytes that were written in hex, read so that one length of text is one length of bytes.

`bytes.fromhex` skips white space: a text of 64 characters may give it 31 bytes, and whoever
measured the text has measured nothing. Here stand pairs of the digits 0-9, a-f, A-F and no more.
"""

import re

from ledger.primitives.errors import BadHex

_PAIRS = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)


def parse_hex(text: str, size: int | None = None) -> bytes:
    """Read bytes, `size` of them if it is given; raise `BadHex`, which says what to write.

    >>> parse_hex("00ff", size=2)
    b'\\x00\\xff'
    >>> parse_hex("00 f", size=2)
    Traceback (most recent call last):
    ledger.primitives.errors.BadHex: '00 f' is not 4 digits of hex, 0-9 and a-f
    """
    if _PAIRS.fullmatch(text) is None or size not in (None, len(text) // 2):
        raise BadHex(text, size)
    return bytes.fromhex(text)
