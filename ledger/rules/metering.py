"""Metering: what a farm's meter counted between two envelopes, and what of it is used (spec §19.1).

A meter's totals are used by value, each stretch once. A collection lies after all that was used, or
within a gap that an earlier one passed over; so any order of collections brings the same milk, and
nobody voids what a farm's meter counted by collecting something newer.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from ledger.errors.evidence import (
    BadEnvelope,
    FallingTotal,
    ForeignEnvelope,
    Tampered,
    TooFast,
    UnorderedEnvelopes,
    UsedReadings,
    WrongStream,
    WrongUnit,
)
from ledger.errors.tank import LongCollection, TooManyGaps
from ledger.params import HOUR_MS
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.errors import CodecFault
from ledger.primitives.keys import PublicKey
from ledger.rules.instruments import STREAMS, can_show
from ledger.rules.measure import exact_volume
from ledger.state.overlay import Overlay
from ledger.state.tables import METER_USE
from ledger.state.tanks import GAPS_MAX, MeterGap, MeterPoint, MeterUse
from ledger.types.evidence import Instrument
from ledger.types.reading import READING_VERSION, Envelope, Reading, Unit

COLLECTION_LEAST_UNITS: Final = UNITS_PER_BILL
"""The least that a collection brings: nobody fills a tank's hours with dust."""
COLLECTION_MS_MAX: Final = HOUR_MS
"""The longest that a collection may be metered: so long, at most, nobody knows its time."""
METER_L_PER_H_MAX: Final = 60_000
"""What a milk meter without a limit of its own may count: a tanker is filled no faster."""


@dataclass(frozen=True, slots=True)
class Metered:
    """A stretch of a meter's total, from one sample to another of one boot."""

    device: PublicKey
    unit: Unit
    start: MeterPoint
    end: MeterPoint

    def volume(self, density_mg_per_l: int) -> Fraction:
        """Give what it counted, exactly."""
        return exact_volume(self.unit, self.end.value - self.start.value, density_mg_per_l)


def read_meter(device: PublicKey, first: Envelope, last: Envelope) -> Metered:
    """Read a stretch out of the envelopes at its two ends; raise what is wrong with them.

    It starts after a fall of the total that `first` shows. A fall that hides between the two makes
    it count less than there was, never more; one that shows is refused.
    """
    one, other = _reading(device, first), _reading(device, last)
    if (one.boot, one.stream, one.unit) != (other.boot, other.stream, other.unit):
        raise ForeignEnvelope(device=device.hex(), boot=one.boot)
    in_order = one.seq < other.seq and one.last_ms <= other.t0_ms + other.samples[0][0]
    if first != last and not in_order:
        raise UnorderedEnvelopes(
            device=device.hex(),
            first=one.seq,
            worst=other.seq,
            last=other.seq,
            first_seq=one.seq,
            last_seq=other.seq,
        )
    fell = _last_fall(one)
    offset_ms, value = one.samples[fell]
    start = MeterPoint(one.boot, one.seq, one.t0_ms + offset_ms, value, fell > 0)
    end = MeterPoint(other.boot, other.seq, other.last_ms, other.samples[-1][1])
    if first != last and _falls(one, other):
        raise FallingTotal(device=device.hex(), first=start.value, last=end.value)
    if end.time_ms - start.time_ms > COLLECTION_MS_MAX:
        raise LongCollection(from_ms=start.time_ms, to_ms=end.time_ms, most_ms=COLLECTION_MS_MAX)
    return Metered(device, Unit(one.unit), start, end)


def _reading(device: PublicKey, envelope: Envelope) -> Reading:
    name = device.hex()
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise BadEnvelope(device=name, why=str(fault)) from fault
    if reading.version != READING_VERSION:
        raise BadEnvelope(device=name, why=f"its version is {reading.version}")
    if reading.device != device:
        raise ForeignEnvelope(device=name, boot=reading.boot)
    if reading.tamper:
        raise Tampered(device=name, seq=reading.seq)
    kind = Instrument.MILK_METER
    units = {stream.value: units for stream, units in STREAMS[kind].items()}.get(reading.stream)
    if units is None:
        raise WrongStream(device=name, stream=repr(reading.stream), kind=kind)
    if reading.unit not in {unit.value for unit in units}:
        raise WrongUnit(device=name, stream=reading.stream, unit=repr(reading.unit))
    offsets = [offset for offset, _ in reading.samples]
    if offsets != sorted(offsets):
        raise BadEnvelope(device=name, why="its samples are not in order of time")
    if not can_show(kind, reading):
        raise BadEnvelope(device=name, why="a total lies in 0 to 2**53")
    return reading


def _last_fall(reading: Reading) -> int:
    """Give the place of the first sample after the last fall of a total, 0 if it never falls."""
    values = [value for _, value in reading.samples]
    return max((i for i in range(1, len(values)) if values[i] < values[i - 1]), default=0)


def _falls(one: Reading, other: Reading) -> bool:
    """Tell whether a total falls from one envelope to another, or within the other."""
    return other.samples[0][1] < one.samples[-1][1] or _last_fall(other) > 0


def check_rate(metered: Metered, limit_l_per_h: int, density_mg_per_l: int) -> None:
    """Raise `TooFast` for more than a meter's limit lets through, and one step of its total."""
    span_ms = metered.end.time_ms - metered.start.time_ms
    most_l_per_h = limit_l_per_h or METER_L_PER_H_MAX
    counted = metered.volume(density_mg_per_l)
    step = exact_volume(metered.unit, 1, density_mg_per_l)
    if counted > step + Fraction(most_l_per_h * UNITS_PER_BILL * span_ms, HOUR_MS):
        raise TooFast(
            device=metered.device.hex(),
            units=int(counted),
            span_ms=span_ms,
            most_l_per_h=most_l_per_h,
        )


def use_meter(overlay: Overlay, metered: Metered, earliest_ms: int, density_mg_per_l: int) -> None:
    """Use a stretch of a meter up; raise `UsedReadings` if any of it was used before.

    What it passes over stays open, unless nothing can be collected of it any more.
    """
    used = METER_USE.get(overlay, metered.device)
    open_gaps = list(used.gaps) if used else []
    if used is None or _follows(used.through, metered.start):
        open_gaps.append(MeterGap(used.through if used else None, metered.start))
        through = metered.end
    else:
        place = _gap_of(open_gaps, metered)
        gap, through = open_gaps[place], used.through
        open_gaps[place : place + 1] = [
            MeterGap(gap.since, metered.start),
            MeterGap(metered.end, gap.until),
        ]
    gaps = tuple(
        gap
        for gap in open_gaps
        if gap.until.time_ms >= earliest_ms and _holds(gap, metered.unit, density_mg_per_l)
    )
    if len(gaps) > GAPS_MAX:
        raise TooManyGaps(device=metered.device.hex(), most=GAPS_MAX)
    METER_USE.put(overlay, MeterUse(through, gaps), metered.device)


def _gap_of(gaps: list[MeterGap], metered: Metered) -> int:
    for place, gap in enumerate(gaps):
        begun = gap.since is None or _follows(gap.since, metered.start)
        if begun and _follows(metered.end, gap.until):
            return place
    raise UsedReadings(
        device=metered.device.hex(),
        boot=metered.start.boot,
        first=metered.start.seq,
        last=metered.end.seq,
    )


def _follows(one: MeterPoint, other: MeterPoint) -> bool:
    """Tell whether a point lies after another: by number, by time, and within a boot by value."""
    return (
        (other.boot, other.seq) > (one.boot, one.seq)
        and other.time_ms >= one.time_ms
        and (other.boot > one.boot or other.value >= one.value or other.reset)
    )


def _holds(gap: MeterGap, unit: Unit, density_mg_per_l: int) -> bool:
    """Tell whether a gap may hold as much as a collection brings at least."""
    since, until = gap.since, gap.until
    if since is None:
        return True
    if since.time_ms == until.time_ms:
        return False
    if since.boot != until.boot or until.reset:
        return True
    rise = exact_volume(unit, until.value - since.value, density_mg_per_l)
    return rise >= COLLECTION_LEAST_UNITS
