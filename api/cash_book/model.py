"""An entry of the cash book in words.

Each thing that happens to cash or to the float is one entry, and happens once to what it is about.
An entry tells four changes: of the cash that the union holds, of its float, of the BILL that it
owes to whoever paid cash, and of the cash that it owes to whoever sent BILL. So the sums of the
book are what must be in the drawers, on the chain, and promised.
"""

from dataclasses import dataclass
from enum import StrEnum


class CashKind(StrEnum):
    """What happened."""

    TOP_UP_TAKEN = "top_up_taken"
    """Cash came in, and its BILL is owed."""
    TOP_UP_SENT = "top_up_sent"
    """The float has sent the BILL."""
    TOP_UP_RETURNED = "top_up_returned"
    """The cash went back, and no BILL is owed."""
    WELCOME_SENT = "welcome_sent"
    CASH_OUT_RECEIVED = "cash_out_received"
    """BILL came to the float, and its cash is owed."""
    CASH_OUT_PAID = "cash_out_paid"
    FLOAT_RECEIVED = "float_received"
    """BILL came to the float for nothing that was agreed: its operator filled it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CashEntry:
    """One change, at a place (a shop, or the union's office), by somebody or by the chain."""

    union_id: str
    id: str
    kind: CashKind
    ref_id: str
    place_id: str
    by: str
    receipt: str = ""
    """The number on the paper, where cash changed hands."""
    at_ms: int
    cash_sen: int = 0
    float_units: int = 0
    owed_units: int = 0
    owed_sen: int = 0
