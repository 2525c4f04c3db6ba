"""Codes of the ledger: what a node says when a transaction can't stand in any block."""

from collections.abc import Iterator
from typing import Final

from api.http.codes.entry import ProblemCode
from ledger.errors.base import Unincludable

_TITLE: Final = "The ledger refuses this transaction"
_TITLE_MS: Final = "Lejar menolak transaksi ini"
_REMEDY: Final = "Sign a new transaction that mends this; `detail` has the numbers."


def _of_the_law() -> Iterator[ProblemCode]:
    for fault in sorted(Unincludable.__subclasses__(), key=lambda kind: kind.code):
        meaning = (fault.__doc__ or "").strip().splitlines()[0]
        yield ProblemCode(fault.code.upper(), 422, _TITLE, _TITLE_MS, meaning, _REMEDY)


CODES: Final = (
    *_of_the_law(),
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
