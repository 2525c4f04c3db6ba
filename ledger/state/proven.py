"""What stands behind a lot: the window that proved it, who signed for that, and until when.

Doubters and the trace read it: a reading whose number lies in one of its spans was claimed by it.
"""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Millis
from ledger.state.lines import FOR_EVER_MS
from ledger.types.line import LINE_DEVICES_MAX
from ledger.types.registry import FlowMax
from ledger.types.window import INTERVALS_MAX, Steps

Boot = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]


class ProvenInterval(Struct, frozen=True, array_like=True):
    """A counted interval, and the units that it gave the lot; `void` once it was found false."""

    from_ms: Millis
    to_ms: Millis
    steps: Steps
    units: WireUnits
    void: bool = False


class ClaimedSpan(Struct, frozen=True, array_like=True):
    """The readings of a device that a window showed: numbers above `after`, up to (boot, seq).

    `after` is None for a device that was never shown before. What it measured before it joined the
    line (`from_ms`), or after it left, was not judged. `calibrated_ms` are when the calibrations
    began that it had on record at the mint, ascending, and `cleared` is how far its tampering was
    looked into by then: both may have been followed by others since.
    """

    device: WirePublicKey
    after: tuple[Boot, Seq] | None
    boot: Boot
    seq: Seq
    from_ms: Millis = 0
    until_ms: Millis = FOR_EVER_MS
    calibrated_ms: Annotated[tuple[Millis, ...], Meta(max_length=2)] = ()
    cleared: tuple[Boot, Seq] | None = None

    def has(self, boot: int, seq: int) -> bool:
        """Tell whether a number lies within."""
        return (self.after is None or self.after < (boot, seq)) and (boot, seq) <= (
            self.boot,
            self.seq,
        )


class JudgedBy(Struct, frozen=True, array_like=True):
    """The limits that a window was judged by: parameters may have changed since.

    `hold_least_mdegc` is None for a vat's: its milk is held before it flows.
    """

    hold_least_mdegc: int | None
    outlet_most_mdegc: int
    flow_max_l_per_h: FlowMax
    density_mg_per_l: int


class ProvenSource(Struct, frozen=True, array_like=True):
    """Whose milk a lot is, by which meter."""

    farm: WireAddress
    device: WirePublicKey
    units: WireUnits


class Proven(Struct, frozen=True, array_like=True):
    """A lot's evidence. It may be doubted until `contestable_until_ms`, and while one does.

    `locked_units` of the processor's share wait in the law's account until then. `judged_by` is
    what its samples had to keep.
    """

    line: WireHash
    mmu: WireAddress
    tank: WireHash
    from_ms: Millis
    to_ms: Millis
    intervals: Annotated[tuple[ProvenInterval, ...], Meta(max_length=INTERVALS_MAX)]
    spans: Annotated[tuple[ClaimedSpan, ...], Meta(max_length=LINE_DEVICES_MAX)]
    readings_root: WireHash
    readings_count: int
    attestors: Annotated[tuple[WirePublicKey, ...], Meta(max_length=64)]
    sources: tuple[ProvenSource, ...]
    judged_by: JudgedBy
    contestable_until_ms: Millis
    locked_units: WireUnits = Units(0)
