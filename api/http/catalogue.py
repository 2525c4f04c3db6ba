"""Every code that a problem may bear, once: what it means, and how to mend it.

Codes are for programs: one never changes its meaning, and clients go by nothing else. A subject's
codes stand in its module of `api.http.codes`. The service shows them at `/errors`, and a problem's
`type` leads there.
"""

from collections.abc import Mapping
from typing import Final

from api.http.codes import cash, every_route, keys, ledger, orders, people, signing, trace, webhooks
from api.http.codes.entry import ProblemCode


def _joined(*subjects: tuple[ProblemCode, ...]) -> Mapping[str, ProblemCode]:
    found: dict[str, ProblemCode] = {}
    for entry in (entry for subject in subjects for entry in subject):
        assert entry.code not in found, f"{entry.code} stands twice"
        found[entry.code] = entry
    return found


CATALOGUE: Final = _joined(
    every_route.CODES,
    keys.CODES,
    orders.CODES,
    people.CODES,
    signing.CODES,
    cash.CODES,
    trace.CODES,
    webhooks.CODES,
    ledger.CODES,
)
LEDGER_CODES: Final = tuple(entry.code for entry in ledger.CODES)
"""What the ledger may say of a transaction."""
TRANSFER_CODES: Final = tuple(entry.code for entry in ledger.OF_TRANSFERS)
"""What it may say of a payment."""

_UNLISTED: Final = CATALOGUE["REFUSED"]


def title_of(code: str, *, malay: bool) -> str:
    """Give a code's title; one of a newer node that we don't know is a refusal like any."""
    entry = CATALOGUE.get(code, _UNLISTED)
    return entry.title_ms if malay else entry.title_en
