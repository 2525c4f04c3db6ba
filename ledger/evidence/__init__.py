"""The law of evidence over raw readings: what a line's instruments prove, sample by sample.

Validators see three envelopes of each instrument (`ledger.rules`); here is what whoever has them
all must find. Gateways build claims with it and attestors check them. Pure, like all law.

    facts     what final blocks say of a line
    tracks    one device's linked envelopes, sample by sample
    limits    which sample lets milk count
    watching  a device in its place on the line
    flowing, vats, judging    what became of each step of the flow
    windows   a line's readings of one window, read and judged
    claims    from readings to a claim, and from a claim back to its readings
"""

from ledger.evidence.claims import (
    check_window,
    claim_window,
    claimed_envelopes,
    evidence_root,
)
from ledger.evidence.facts import Bundle, LineFacts
from ledger.evidence.windows import JudgedWindow, is_unreported, reach, trim_bundle
from ledger.state.lines import tip_after

__all__ = [
    "Bundle",
    "JudgedWindow",
    "LineFacts",
    "check_window",
    "claim_window",
    "claimed_envelopes",
    "evidence_root",
    "is_unreported",
    "reach",
    "tip_after",
    "trim_bundle",
]
