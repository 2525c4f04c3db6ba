"""Codes about where milk comes from: what a node can't trace, and why."""

from typing import Final

from api.http.codes.entry import ProblemCode

CODES: Final = (
    ProblemCode(
        "NO_MILK_BEHIND",
        404,
        "There is no milk behind this transaction",
        "Tiada susu di sebalik transaksi ini",
        "The transaction is known, and redeemed no milk: it failed, or is about something else.",
        "Take the id of a payment that bought milk, or the one that the pack bears.",
    ),
    ProblemCode(
        "HISTORY_PRUNED",
        404,
        "This part of the chain is no longer kept here",
        "Bahagian rantaian ini tidak lagi disimpan di sini",
        "The node that was asked keeps no bodies of blocks that old.",
        "Ask a service or node that keeps the whole chain.",
    ),
)
