"""Records of lines: what watches which milk, how far its claims reach, and who consented."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.params import MARGIN_MS
from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import PublicKey, WireAddress, WirePublicKey
from ledger.primitives.scalars import Height, Millis
from ledger.types.evidence import HeatProcess
from ledger.types.line import LINE_DEVICES_MAX, LitresADay
from ledger.types.reading import Envelope, Unit
from ledger.types.registry import FlowMax
from ledger.types.vat import VatState

FOR_EVER_MS: Final = 2**53
"""The end of what has none yet."""

PERMIT_TERMS_MAX: Final = 8
"""The most earlier terms of a permit that milk may still be recorded under."""

PERMIT_DAYS_MAX: Final = 8
"""Days of which a permit remembers the litres: more than milk is collected late."""

TANK_LINES_MAX: Final = 16
"""The most lines that draw from one tank."""

LINE_DAYS_MAX: Final = 29
"""Days of which a line remembers what it minted: 28, and today."""


class LineDevice(Struct, frozen=True, array_like=True):
    """When a device watches a line: from a time on, up to another, or `FOR_EVER_MS`."""

    device: WirePublicKey
    from_ms: Millis
    until_ms: Millis = FOR_EVER_MS

    def within(self, from_ms: int, to_ms: int) -> bool:
        """Tell whether it watches at some time between two."""
        return max(self.from_ms, from_ms) < min(self.until_ms, to_ms)


class Line(Struct, frozen=True, array_like=True):
    """A registered line. Its claims reach to `through_ms`; the next window begins there.

    `devices` has those in force, and those that left and whose last window is open yet. At
    `through_ms` the total of `flow_device` stood at `flow_value`; zeros before the first claim.
    `vat` is the hold that a batch line's vat stood under then. `flow_unit` is what a step of the
    total was; the next window reads that meter in this unit alone.
    """

    mmu: WireAddress
    plant: str
    name: str
    process: HeatProcess
    flow_max_l_per_h: FlowMax
    vat_units: WireUnits
    tank: WireHash
    devices: Annotated[tuple[LineDevice, ...], Meta(max_length=LINE_DEVICES_MAX)]
    through_ms: Millis
    height: Height
    flow_device: WirePublicKey
    flow_value: Annotated[int, Meta(ge=0, le=2**53)] = 0
    vat: VatState | None = None
    flow_unit: Unit | None = None

    def unit_of(self, device: PublicKey) -> Unit | None:
        """Give the unit that the next window reads a device in, None if that window says it."""
        return self.flow_unit if device == self.flow_device else None


def line_devices_within(line: Line, from_ms: int, to_ms: int) -> tuple[LineDevice, ...]:
    """List the devices that watch a line at some time between two, by ascending key."""
    return tuple(entry for entry in line.devices if entry.within(from_ms, to_ms))


class TankLines(Struct, frozen=True, array_like=True):
    """The lines that draw from a tank."""

    lines: Annotated[tuple[WireHash, ...], Meta(max_length=TANK_LINES_MAX)]


class Tip(Struct, frozen=True, array_like=True):
    """Where a device's chain of envelopes stands on the chain: the last that windows are done with.

    `breaks_ms` says when it began anew lately: a third time within 30 days stops the device. With
    `again` the device was shown for the first time, by an envelope that is to be shown again: boot,
    number, first sample are that one's, and `digest` names the one before it.
    """

    digest: WireHash
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    time_ms: Millis
    value: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    breaks_ms: Annotated[tuple[Millis, ...], Meta(max_length=3)] = ()
    again: bool = False


def tip_after(last: Envelope, to_ms: int, breaks_ms: tuple[int, ...] = ()) -> Tip:
    """Give where a device's chain stands after a window up to `to_ms` that shows `last` of it.

    One that ends within the margin is the first of a new device: it is to be shown again, since the
    next window needs what it says of its own time.
    """
    reading = last.reading()
    if reading.last_ms > to_ms - MARGIN_MS:
        value = reading.samples[0][1]
        first_ms = reading.t0_ms + reading.samples[0][0]
        name = (reading.previous, reading.boot, reading.seq)
        return Tip(*name, first_ms, value, breaks_ms, again=True)
    value = reading.samples[-1][1]
    return Tip(last.digest(), reading.boot, reading.seq, reading.last_ms, value, breaks_ms)


class LineMinted(Struct, frozen=True, array_like=True):
    """What a line minted by days of the bond (`rules.vouching`), ascending, and since which."""

    since_day: Millis
    days: Annotated[tuple[tuple[Millis, WireUnits], ...], Meta(max_length=LINE_DAYS_MAX)]


class PermitTerms(Struct, frozen=True, array_like=True):
    """To whom a farm's milk may go, by metering time."""

    mmu: WireAddress
    collector: WireAddress
    litres_a_day: LitresADay
    from_ms: Millis
    until_ms: Millis


class Permit(Struct, frozen=True, array_like=True):
    """A farm's consent: the terms now, those before them, and what lately came under it a day.

    `before` are ascending by time, and only such as milk may still be recorded under. `days` are
    (day since 1970 in UTC, units), ascending.
    """

    terms: PermitTerms
    before: Annotated[tuple[PermitTerms, ...], Meta(max_length=PERMIT_TERMS_MAX)] = ()
    days: Annotated[tuple[tuple[Millis, WireUnits], ...], Meta(max_length=PERMIT_DAYS_MAX)] = ()
