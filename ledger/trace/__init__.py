"""Traceability: from a sale, a pack or a lot back to the farms, with the block of every step.

`walk` goes the way, `steps` finds the transaction and the block of each step.
"""

from ledger.trace.walk import trace

__all__ = ["trace"]
