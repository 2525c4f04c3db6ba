"""Evidence: what a device's three envelopes prove, re-checked by every validator.

A device shows the first, the last and the worst envelope of an unbroken range of its readings.
These rules check whose the readings are, that they are what they are shown for, and that nothing
used them before. Their signatures are checked outside (`transition.signature_claims`). `proving`
and `tanks` judge what the numbers mean in litres, `heat` how hot the milk was.
"""

from dataclasses import dataclass
from typing import Final

from ledger.errors.evidence import (
    BadEnvelope,
    CalibrationGap,
    CalibrationShort,
    FallingTotal,
    ForeignDevice,
    ForeignEnvelope,
    ForeignOperator,
    OutsideRun,
    RevokedDevice,
    Tampered,
    UnknownDevice,
    UnorderedEnvelopes,
    UsedReadings,
    WrongInstrument,
    WrongStream,
    WrongUnit,
)
from ledger.primitives.errors import CodecFault
from ledger.primitives.keys import Address, PublicKey
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Consumed, Device
from ledger.state.tables import CONSUMED, DEVICES
from ledger.types.evidence import DeviceEvidence, Instrument
from ledger.types.reading import Envelope, Reading, Stream, Unit

_VOLUME: Final = frozenset({Unit.MILLILITRE, Unit.MICROLITRE})
_MASS: Final = frozenset({Unit.GRAM, Unit.MILLIGRAM, Unit.CENTIPOUND})
_DEGREES: Final = frozenset({Unit.MILLIDEGREE})
_TOTALS: Final = {Stream.VOLUME_TOTAL: _VOLUME, Stream.MASS_TOTAL: _MASS}

STREAMS: Final[dict[Instrument, dict[Stream, frozenset[Unit]]]] = {
    Instrument.MILK_METER: _TOTALS,
    Instrument.FLOW_METER: _TOTALS,
    Instrument.TANK_GAUGE: {Stream.TANK_VOLUME: _VOLUME},
    Instrument.HOLD_THERMOMETER: {Stream.HOLD_TEMPERATURE: _DEGREES},
    Instrument.OUTLET_THERMOMETER: {Stream.OUTLET_TEMPERATURE: _DEGREES},
    Instrument.DIVERSION_VALVE: {Stream.VALVE_FORWARD: frozenset({Unit.FLAG})},
}
"""What each instrument measures, and in which units."""


@dataclass(frozen=True, slots=True)
class EvidenceScope:
    """What a piece of evidence is shown for: where, when, and whose device it must be."""

    plant: str
    operator: Address
    started_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A device's range of readings, checked: the three that are shown, in order of number."""

    device: PublicKey
    first: Reading
    worst: Reading
    last: Reading
    flow_max_l_per_h: int = 0

    @property
    def first_ms(self) -> int:
        """Give the time of the first sample."""
        return self.first.t0_ms + self.first.samples[0][0]

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.last.last_ms

    @property
    def unit(self) -> Unit:
        """Give the unit of all values."""
        return Unit(self.first.unit)

    def values(self) -> list[int]:
        """List every value that is shown."""
        return [
            value for reading in (self.first, self.worst, self.last) for _, value in reading.samples
        ]

    def rises(self) -> list[tuple[int, int]]:
        """List how far a total rose, and in how many ms: within each reading shown, and in all."""
        ends = [(reading, reading) for reading in (self.first, self.worst, self.last)]
        return [
            (
                until.samples[-1][1] - since.samples[0][1],
                until.last_ms - since.t0_ms - since.samples[0][0],
            )
            for since, until in (*ends, (self.first, self.last))
        ]

    def rise(self) -> int:
        """Give how far the value rose from the first sample to the last; it must not fall."""
        first, last = self.first.samples[0][1], self.last.samples[-1][1]
        if last < first:
            raise FallingTotal(device=self.device.hex(), first=first, last=last)
        return last - first

    def fall(self) -> int:
        """Give how far the value fell from the first sample to the last; it must not rise."""
        first, last = self.first.samples[0][1], self.last.samples[-1][1]
        if last > first:
            raise FallingTotal(device=self.device.hex(), first=first, last=last)
        return first - last


def registered_kind(reader: Reader, key: PublicKey) -> Instrument:
    """Give what a registered device measures; raise `UnknownDevice` if it is none."""
    device = DEVICES.get(reader, key)
    if device is None:
        raise UnknownDevice(device=key.hex())
    return device.instrument


def check_device(reader: Reader, key: PublicKey, kind: Instrument, span: EvidenceScope) -> Device:
    """Raise unless the device may serve here: registered, right, calibrated past the end."""
    device = DEVICES.get(reader, key)
    if device is None:
        raise UnknownDevice(device=key.hex())
    if device.revoked:
        raise RevokedDevice(device=key.hex())
    if device.instrument is not kind:
        raise WrongInstrument(device=key.hex(), registered=device.instrument, wanted=kind)
    if device.plant != span.plant:
        raise ForeignDevice(device=key.hex(), registered=device.plant, plant=span.plant)
    if device.operator != span.operator:
        raise ForeignOperator(device=key.hex(), expected=span.operator.hex())
    if device.calibrated_until_ms <= span.ended_ms:
        raise CalibrationShort(
            device=key.hex(), until_ms=device.calibrated_until_ms, ended_ms=span.ended_ms
        )
    return device


def check_evidence(
    overlay: Overlay, evidence: DeviceEvidence, kind: Instrument, span: EvidenceScope
) -> Shown:
    """Check one device's evidence whole, and use its readings up."""
    device = check_device(overlay, evidence.device, kind, span)
    first, worst, last = (
        _check_reading(evidence, envelope, kind, span)
        for envelope in (evidence.first, evidence.worst, evidence.last)
    )
    if len({(reading.stream, reading.unit) for reading in (first, worst, last)}) != 1:
        raise WrongUnit(device=evidence.device.hex(), stream=last.stream, unit=last.unit)
    _check_order(evidence, first, worst, last)
    if first.t0_ms < device.calibrated_from_ms:
        raise CalibrationGap(
            device=evidence.device.hex(),
            from_ms=device.calibrated_from_ms,
            first_ms=first.t0_ms,
        )
    consume(overlay, evidence.device, first, last)
    return Shown(evidence.device, first, worst, last, device.flow_max_l_per_h)


def _check_reading(
    evidence: DeviceEvidence, envelope: Envelope, kind: Instrument, span: EvidenceScope
) -> Reading:
    name = evidence.device.hex()
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise BadEnvelope(device=name, why=str(fault)) from fault
    if reading.device != evidence.device or reading.boot != evidence.boot:
        raise ForeignEnvelope(device=name, boot=evidence.boot)
    if reading.tamper:
        raise Tampered(device=name, seq=reading.seq)
    units = {stream.value: units for stream, units in STREAMS[kind].items()}.get(reading.stream)
    if units is None:
        raise WrongStream(device=name, stream=repr(reading.stream), kind=kind)
    if reading.unit not in {unit.value for unit in units}:
        raise WrongUnit(device=name, stream=reading.stream, unit=repr(reading.unit))
    offsets = [offset for offset, _ in reading.samples]
    if offsets != sorted(offsets):
        raise BadEnvelope(device=name, why="its samples are not in order of time")
    from_ms, to_ms = reading.t0_ms + offsets[0], reading.last_ms
    if reading.t0_ms < span.started_ms or to_ms > span.ended_ms:
        raise OutsideRun(
            device=name,
            from_ms=from_ms,
            to_ms=to_ms,
            started_ms=span.started_ms,
            ended_ms=span.ended_ms,
        )
    return reading


def _check_order(evidence: DeviceEvidence, first: Reading, worst: Reading, last: Reading) -> None:
    """Each reading ends before the next begins, and equal numbers mean equal readings.

    Otherwise the device signed two for one number, or its time ran backwards.
    """
    named = first.seq == evidence.first_seq and last.seq == evidence.last_seq
    pairs = ((first, worst), (worst, last), (first, last))
    if not named or not all(a == b or _ends_before(a, b) for a, b in pairs):
        raise UnorderedEnvelopes(
            device=evidence.device.hex(),
            first=first.seq,
            worst=worst.seq,
            last=last.seq,
            first_seq=evidence.first_seq,
            last_seq=evidence.last_seq,
        )


def _ends_before(one: Reading, other: Reading) -> bool:
    return one.seq < other.seq and one.last_ms <= other.t0_ms + other.samples[0][0]


def consume(overlay: Overlay, device: PublicKey, first: Reading, last: Reading) -> None:
    """Use a device's readings up; raise if they are not after all that were used before.

    A later reading has a later number and a later time: a device that starts again counts from
    zero, but its time goes on. Within a boot its total can't have fallen.
    """
    used = CONSUMED.get(overlay, device)
    offset_ms, value = first.samples[0]
    if used is not None:
        after = (first.boot, first.seq) > (used.boot, used.seq)
        if not after or first.t0_ms + offset_ms < used.last_ms:
            raise UsedReadings(device=device.hex(), boot=first.boot, first=first.seq, last=last.seq)
        if first.boot == used.boot and first.stream in _TOTALS and value < used.value:
            raise FallingTotal(device=device.hex(), first=used.value, last=value)
    through = Consumed(last.boot, last.seq, last.last_ms, last.samples[-1][1])
    CONSUMED.put(overlay, through, device)
