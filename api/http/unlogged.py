"""What belongs in no log: which members are marked so, and codes that are known by their form.

A member of a body or a query that holds a password, a PIN, a code that opens something, or what
names a person, is marked where its type is written:

    Pin = Annotated[str, Meta(pattern="^[0-9]{6}$", extra=UNLOGGED)]

A code that was typed or scanned into another member is found by its form. Pure.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

UNLOGGED: Final[Mapping[str, Any]] = {"unlogged": True}
"""The `extra` of a type whose values are kept in no log."""
HIDDEN: Final = "***"
"""What stands in a log for what was there."""

_ALONE: Final = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z])"
_COUPON: Final = (
    r"(?![0-9a-f]{16}|[0-9]{8}t[0-9]{6}z)"  # Neither an id of 16 hex digits nor a time.
    r"[0-9a-hjkmnp-tv-z]{16}"
)
_INVITATION: Final = r"(?=[a-z -]*[0-9])(?:[0-9a-tv-z]{5}[ -]?){3}[0-9a-tv-z]{5}"
_FORMS: Final = re.compile(
    "|".join(
        (
            r"bck_(?:test|live)_[0-9a-z]+",
            r"whsec_[0-9a-z+/=]+",
            r"eyj[\w-]*\.[\w-]+\.[\w-]*",  # A JWT: a till's or a person's token.
            _ALONE.format(_COUPON),
            _ALONE.format(_INVITATION),
        )
    ),
    re.ASCII | re.IGNORECASE,
)


def hide_codes(text: str) -> str:
    """Hide what has the form of a key, a token, a coupon's code or an invitation's."""
    return _FORMS.sub(HIDDEN, text)


def holds_code(text: str) -> bool:
    """Tell whether a text holds what has such a form."""
    return _FORMS.search(text) is not None
