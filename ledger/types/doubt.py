"""Bodies of the doubt family: how anyone unmakes milk that never was, without an arbiter.

What a window claimed stands on readings that devices signed. Whoever has one that contradicts it
shows it; whoever has none asks for it, with a deposit.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WirePublicKey
from ledger.primitives.merkle import PATH_MAX
from ledger.primitives.scalars import Counter
from ledger.types.reading import Envelope
from ledger.types.window import INTERVALS_MAX

Shown = Annotated[tuple[Envelope, ...], Meta(min_length=1, max_length=2)]
"""One envelope of a device, or two."""
Boot = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]


class ReadingPlace(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a reading stands under a window's `readings_root`: its index, and the Merkle path."""

    index: Counter
    path: Annotated[tuple[WireHash, ...], Meta(max_length=PATH_MAX)]


class RefuteLot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refute_lot"):
    """Show that an interval of a lot counted milk that its own readings speak against.

    `envelopes` are of the device, numbered as the lot's window claimed: one that reports tampering
    or has a bad sample, or two different ones of one number. Anyone may. `place` shows that who
    signed the window saw the first of them.
    """

    lot: WireHash
    interval: Annotated[int, Meta(ge=0, le=INTERVALS_MAX - 1)]
    device: WirePublicKey
    envelopes: Shown
    place: ReadingPlace | None = None


class AskEvidence(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="ask_evidence"
):
    """Ask for a reading that a lot's window claimed, with a deposit that an answer costs."""

    lot: WireHash
    device: WirePublicKey
    boot: Boot
    seq: Seq
    deposit_units: WireUnits = field(name="deposit")


class ShowEvidence(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="show_evidence"
):
    """Answer a question about a lot: by the reading, or by what shows that there is none.

    There is none if a later reading follows an earlier one, or none, in the device's chain; and
    nobody owes one that ended before the window, or the device's time on the line, began.
    """

    lot: WireHash
    device: WirePublicKey
    boot: Boot
    seq: Seq
    envelopes: Shown


class VoidUnanswered(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="void_unanswered"
):
    """Void what a lot counted, since nobody answered a question about it in time. Anyone may."""

    lot: WireHash
    device: WirePublicKey
    boot: Boot
    seq: Seq


DoubtBody = RefuteLot | AskEvidence | ShowEvidence | VoidUnanswered
"""What a transaction of this family carries."""
