"""Quotas: how much of one line, and of one MMU, an attestor keeps that is not minted yet.

A plant may ask for as many variants of its next window as it likes, and all that hold must be kept
as long as the chain may take them. So their number and size are bounded: what it asks for beyond
that is not looked at. A claim weighs all of its envelopes, also such as others name too, so that
what is kept is never more than what was weighed. Refusals are nobody's to mint: the oldest go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from iot_minting.attestor.errors import QuotaFull
from ledger.types.reading import Envelope

LINE_CLAIMS_MAX: Final = 128
"""Claims of one line that were signed and are not minted: an hour of one each half a minute."""
LINE_BYTES_MAX: Final = 512 * 1024**2
MMU_CLAIMS_MAX: Final = 1_024
MMU_BYTES_MAX: Final = 2 * 1024**3
MMU_REFUSALS_MAX: Final = 128
"""The newest refusals of an MMU's claims are kept."""
MMU_REFUSAL_BYTES_MAX: Final = 512 * 1024**2
CLAIM_BYTES: Final = 2_048
"""What the rows of an answer take at most, beside its envelopes."""
ENVELOPE_ROW_BYTES: Final = 768
"""What an envelope takes beside its own bytes: its rows, and their places in the indexes."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept and not minted: how many claims, and how much they weigh."""

    claims: int
    weight_bytes: int


def weigh(envelopes: Sequence[Envelope]) -> int:
    """Give what an answer over so many envelopes takes in the store at most."""
    bodies = sum(len(each.body) + len(each.signature) for each in envelopes)
    return CLAIM_BYTES + bodies + len(envelopes) * ENVELOPE_ROW_BYTES


def check_quota(line: Held, mmu: Held) -> None:
    """Raise `QuotaFull` unless one more claim of a line, and of its MMU, may be kept."""
    for whose, held, claims_max, bytes_max, name in (
        ("this line", line, LINE_CLAIMS_MAX, LINE_BYTES_MAX, "LINE"),
        ("this MMU", mmu, MMU_CLAIMS_MAX, MMU_BYTES_MAX, "MMU"),
    ):
        if held.claims >= claims_max:
            raise QuotaFull(whose, f"{held.claims} claims", f"{name}_CLAIMS_MAX", claims_max)
        if held.weight_bytes >= bytes_max:
            kept = f"claims of {held.weight_bytes} bytes"
            raise QuotaFull(whose, kept, f"{name}_BYTES_MAX", bytes_max)
