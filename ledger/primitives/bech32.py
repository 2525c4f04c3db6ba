"""Bech32m text (BIP 350): a prefix, a payload, and a checksum that catches typing errors.

Written here because the packages on the registry carry the older BIP 173 checksum alone.
"""

from typing import Final

from ledger.primitives.errors import BadAddress

_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUE_OF: Final = {char: value for value, char in enumerate(_CHARSET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32M: Final = 0x2BC830A3
_CHECKSUM_CHARS: Final = 6
TEXT_MAX: Final = 90
"""The longest text whose errors the checksum is sure to catch (BIP 173)."""


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= factor
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _regroup(data: bytes | list[int], source: int, target: int, *, pad: bool) -> list[int]:
    """Regroup bits from `source`-bit to `target`-bit values."""
    held, bits, out = 0, 0, []
    for value in data:
        held, bits = held << source | value, bits + source
        while bits >= target:
            bits -= target
            out.append(held >> bits & (1 << target) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        out.append(held << target - bits & (1 << target) - 1)
    elif not pad and (bits >= source or held):
        raise ValueError("padding")
    return out


def encode_bech32m(prefix: str, payload: bytes) -> str:
    """Write the payload under the prefix, in lower case."""
    values = _regroup(payload, 8, 5, pad=True)
    check = _polymod(_expand(prefix) + values + [0] * _CHECKSUM_CHARS) ^ _BECH32M
    values += [check >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_CHARS)]
    return f"{prefix}1{''.join(_CHARSET[v] for v in values)}"


def decode_bech32m(text: str) -> tuple[str, bytes]:
    """Read prefix and payload; raise `BadAddress` for a typing error of any kind."""
    if len(text) > TEXT_MAX:
        raise BadAddress(text, f"longer than {TEXT_MAX} characters")
    if text.lower() != text and text.upper() != text:
        raise BadAddress(text, "it mixes capitals and small letters")
    text = text.lower()
    prefix, separator, data = text.rpartition("1")
    if not separator or not prefix or any(not 33 <= ord(c) <= 126 for c in prefix):
        raise BadAddress(text, "it has no network prefix")
    if len(data) < _CHECKSUM_CHARS or any(c not in _VALUE_OF for c in data):
        raise BadAddress(text, "a character after the prefix is not one of bech32's")
    values = [_VALUE_OF[c] for c in data]
    if _polymod(_expand(prefix) + values) != _BECH32M:
        raise BadAddress(text, "the checksum does not hold: a character is mistyped")
    try:
        return prefix, bytes(_regroup(values[:-_CHECKSUM_CHARS], 5, 8, pad=False))
    except ValueError:
        raise BadAddress(text, "its padding is not zero") from None
