"""Codes of the ledger: why a transaction can't stand in any block, or would have no effect there.

A node tells the second sort, too, as far as it sees it coming: it takes no fee for nothing.
"""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Final

from api.http.codes.entry import ProblemCode
from ledger.errors import (
    doubt,
    evidence,
    governance,
    line,
    mandate,
    market,
    milk,
    money,
    price,
    registry,
    staking,
    tank,
    window,
)
from ledger.errors.base import CountOverflow, LedgerFault, Refused, Unincludable

_TITLE: Final = "The ledger refuses this transaction"
_TITLE_MS: Final = "Lejar menolak transaksi ini"
_REMEDY: Final = "Sign a new transaction that mends this; `detail` has the numbers."


FAMILIES: Final = (
    doubt, evidence, governance, line, mandate, market, milk, money, price, registry, staking,
    tank, window,
)  # fmt: skip
"""Where the law's refusals stand."""


def _told(faults: Iterable[type[LedgerFault]]) -> Iterator[ProblemCode]:
    for fault in sorted(faults, key=lambda kind: kind.code):
        meaning = (fault.__doc__ or "").strip().splitlines()[0]
        yield ProblemCode(fault.code.upper(), 422, _TITLE, _TITLE_MS, meaning, _REMEDY)


def _of_family(family: ModuleType) -> Iterator[type[LedgerFault]]:
    """List the refusals of a family, but for those that only gather others."""
    for kind in vars(family).values():
        refused = isinstance(kind, type) and issubclass(kind, Refused)
        if refused and kind.__module__ == family.__name__ and not kind.__subclasses__():
            yield kind


ADMISSION: Final = (
    *_told(Unincludable.__subclasses__()),
    ProblemCode(
        "MALFORMED",
        422,
        _TITLE,
        _TITLE_MS,
        "A node can't read the transaction.",
        "Encode it as docs/spec/encoding.md says, in a version that the chain reads.",
    ),
    ProblemCode(
        "NONCE_TAKEN",
        422,
        _TITLE,
        _TITLE_MS,
        "Another transaction of this sender with this nonce waits already.",
        "Wait until it is final, or sign with the next nonce.",
    ),
    ProblemCode(
        "TOO_MANY_WAITING",
        422,
        _TITLE,
        _TITLE_MS,
        "As many transactions of this sender wait as a node holds.",
        "Wait until some are final.",
    ),
)
"""Each may come as the answer to a signed transaction, in capitals."""
OF_TRANSFERS: Final = (*ADMISSION, *_told(_of_family(money)))
"""What a transfer may be told."""
CODES: Final = (
    *ADMISSION,
    *_told([CountOverflow, *(kind for family in FAMILIES for kind in _of_family(family))]),
)
