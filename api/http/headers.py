"""The grammar of header fields that are lists: preferences (RFC 7240) and weights (RFC 9110 §12).

Several fields of one name are one list; names are taken in any case, with white space around each
part. What can't be read is left out: all of these are wishes, none is an order.
"""

import re
from collections.abc import Sequence
from typing import Final

CHARS_MAX: Final = 2_048
"""Longer wishes are not read: nobody has so many, and their quotes could be made slow to match."""

DIGITS_MAX: Final = 9
"""A longer wait than this many digits of seconds is as long as we wait at all."""

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_ITEM: Final = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_PART: Final = re.compile(rf'(?:[^;"]|{_QUOTED})+')
_WEIGHT: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def _items(fields: Sequence[str]) -> list[list[str]]:
    """Split the fields of one name into items, each with its parameters behind it."""
    text = ",".join(fields)
    if len(text) > CHARS_MAX:
        return []
    return [_PART.findall(item) for item in _ITEM.findall(text) if item.strip()]


def _pair(part: str) -> tuple[str, str]:
    """Read `name=value`, where the value may be quoted, or `name`, whose value is empty."""
    name, _, value = part.partition("=")
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name.strip().lower(), value


def preference(fields: Sequence[str], name: str) -> str | None:
    """Give the value of a preference, the first if there are several; None if there is none."""
    for parts in _items(fields):
        if parts and (found := _pair(parts[0]))[0] == name:
            return found[1]
    return None


def weights(fields: Sequence[str]) -> dict[str, float]:
    """Read how much a client likes each of what it lists, from 0 to 1."""
    found: dict[str, float] = {}
    for parts in _items(fields):
        if not parts:
            continue
        weight = 1.0
        for part in parts[1:]:
            name, value = _pair(part)
            if name == "q":
                weight = float(value) if _WEIGHT.fullmatch(value) else 0.0
        found.setdefault(parts[0].strip().lower(), weight)
    return found


def likes_better(fields: Sequence[str], one: str, other: str) -> bool:
    """Tell whether a client names `one`, and likes it better than `other`."""
    liked = weights(fields)
    return liked.get(one, 0.0) > liked.get(other, 0.0)


def speaks_malay(fields: Sequence[str]) -> bool:
    """Tell whether a client would rather read Malay than English (`Accept-Language`)."""
    best = {"ms": 0.0, "en": 0.0}
    order: list[str] = []
    for language, weight in weights(fields).items():
        primary = language.partition("-")[0]
        if primary in best:
            order.append(primary)
            best[primary] = max(best[primary], weight)
    if best["ms"] == best["en"]:
        return best["ms"] > 0 and order[0] == "ms"
    return best["ms"] > best["en"]


def wait_asked_s(fields: Sequence[str], limit_s: int) -> int:
    """Read `Prefer: wait=N` (RFC 7240), cut to the limit; 0 when there is none."""
    text = preference(fields, "wait") or ""
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text[:DIGITS_MAX]), limit_s) if len(text) <= DIGITS_MAX else limit_s
