"""Windows: what is shown of a line's window holds, or the claim is refused (spec §20.1).

A claim shows three envelopes of each device that watched the line. Every validator checks whose
they are, that they follow what the chain has seen of the device, and that they reach the window's
end; `intervals` checks what the counted litres rest on. What only all readings can tell is
the attestors' word: nothing that they may sign is refused here.

What a device signed can't be unsigned: an envelope that is no measurement (tampered with, of
another unit) is no fault of the claim. It is a gap, in which nothing may count.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors.window import (
    BadReading,
    UnlinkedReading,
    Unreached,
    WrongDevices,
    WrongRoot,
    WrongSilence,
    WrongTip,
)
from ledger.params import MARGIN_MS
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey
from ledger.rules.instruments import measured_unit
from ledger.state.lines import Line, LineDevice, Tip, line_devices_within
from ledger.state.names import tip_name
from ledger.state.overlay import Reader
from ledger.state.records import Device
from ledger.state.tables import DEVICES, TIPS
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, Reading, Unit
from ledger.types.window import DeviceWindow, WindowClaim


@dataclass(frozen=True, slots=True)
class ShownReading:
    """An envelope that a claim shows, and its reading."""

    envelope: Envelope
    reading: Reading

    @property
    def number(self) -> tuple[int, int]:
        """Give boot and number."""
        return self.reading.boot, self.reading.seq

    @property
    def first_ms(self) -> int:
        """Give the time of the first sample."""
        return self.reading.t0_ms + self.reading.samples[0][0]

    def samples(self) -> list[tuple[int, int]]:
        """List the samples, by their times."""
        return [(self.reading.t0_ms + offset, value) for offset, value in self.reading.samples]


@dataclass(frozen=True, slots=True)
class DevicePart:
    """A device's part in a window: when it stands on the line, its chain so far, what it shows.

    `unit` is the one that it is read in, None if nobody can say it.
    """

    entry: LineDevice
    device: Device
    unit: Unit | None
    tip: Tip | None
    claimed: DeviceWindow
    last: ShownReading | None
    end: ShownReading | None
    worst: ShownReading | None

    @property
    def key(self) -> PublicKey:
        """Give the device's key."""
        return PublicKey(self.entry.device)

    @property
    def is_linked(self) -> bool:
        """Tell whether an earlier window was done with something that the device said."""
        return self.tip is not None and not self.tip.again

    @property
    def instrument(self) -> Instrument:
        """Give what the device measures."""
        return self.device.instrument

    @property
    def heard_ms(self) -> int:
        """Give until when it is shown to have been heard in this window, 0 if it was not."""
        return self.end.reading.last_ms if self.end else 0

    def shown(self) -> list[ShownReading]:
        """List what is shown, in order of number, each once."""
        found = {each.number: each for each in (self.last, self.worst, self.end) if each}
        return [found[number] for number in sorted(found)]

    def samples_by(self, time_ms: int) -> list[tuple[int, int]]:
        """List the samples up to a time of the last envelope that is shown."""
        samples = self.end.samples() if self.end else []
        return [sample for sample in samples if sample[0] <= time_ms]

    def is_measurement(self, shown: ShownReading) -> bool:
        """Tell whether an envelope measures what its instrument is there for, as it is read."""
        return self.unit in {None, shown.reading.unit} and self.measures(shown)

    def measures(self, shown: ShownReading) -> bool:
        """Tell whether an envelope measures what its instrument is there for, in any unit."""
        return measured_unit(self.instrument, shown.reading) is not None


def read_parts(reader: Reader, line: Line, claim: WindowClaim) -> list[DevicePart]:
    """Raise unless what a claim shows of each device follows and reaches; give it, read."""
    watching = line_devices_within(line, claim.from_ms, claim.to_ms)
    shown = [each.device for each in claim.devices]
    if shown != sorted(entry.device for entry in watching):
        raise WrongDevices(got=len(shown), needed=len(watching))
    if (count := sum(each.count for each in claim.devices)) != claim.readings_count:
        raise WrongRoot(got=claim.readings_count, needed=count)
    entries = {entry.device: entry for entry in watching}
    parts = [_read_part(reader, line, claim, entries[each.device], each) for each in claim.devices]
    for part in parts:
        _check_chain(part)
        _check_reach(part, claim.to_ms)
    return parts


def _read_part(
    reader: Reader, line: Line, claim: WindowClaim, entry: LineDevice, claimed: DeviceWindow
) -> DevicePart:
    device = DEVICES.get(reader, entry.device)
    assert device is not None, "a line's devices are registered"
    tip = TIPS.get(reader, tip_name(Hash(claim.line), PublicKey(entry.device)))
    return read_part(line, entry, device, tip, claimed)


def read_part(
    line: Line, entry: LineDevice, device: Device, tip: Tip | None, claimed: DeviceWindow
) -> DevicePart:
    """Read what a claim shows of a device; raise `BadReading` if it is none of its readings."""
    last, end, worst = (
        None if envelope is None else _read(entry.device, envelope)
        for envelope in (claimed.last, claimed.end, claimed.worst)
    )
    unit = line.unit_of(PublicKey(entry.device))
    if unit is None and end:
        unit = measured_unit(device.instrument, end.reading)
    return DevicePart(entry, device, unit, tip, claimed, last, end, worst)


def _read(device: bytes, envelope: Envelope) -> ShownReading:
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise BadReading(device=device.hex(), why=str(fault)) from fault
    if reading.device != device:
        raise BadReading(device=device.hex(), why="it is another device's")
    return ShownReading(envelope, reading)


def _check_chain(part: DevicePart) -> None:
    """Raise unless what is shown follows the tip, and one another, as far as can be seen."""
    name, shown = part.key.hex(), part.shown()
    for each in (part.last, part.worst):
        if each and (part.end is None or each.number > part.end.number):
            raise BadReading(device=name, why="it comes after the last that is shown")
    numbers = {each.number: each for each in shown}
    for each in (part.last, part.worst, part.end):
        if each and each.envelope != numbers[each.number].envelope:
            raise BadReading(device=name, why="another is shown under the same number")
    _check_count(part)
    for place, each in enumerate(shown):
        begins = place == 0 and (not part.is_linked or part.claimed.broken)
        if each.reading.previous == ZERO_HASH and not begins:
            raise _unlinked(part, each, "it begins a chain of its own")
    if shown:
        _check_first(part, shown[0])
    for before, after in itertools.pairwise(shown):
        follows = after.number == (before.number[0], before.number[1] + 1)
        if follows and after.reading.previous != before.envelope.digest():
            raise _unlinked(part, after, "it names another before it")


def _check_first(part: DevicePart, first: ShownReading) -> None:
    """Raise unless the earliest that is shown can follow the device's tip."""
    tip, broken = part.tip, part.claimed.broken
    if broken and (tip is None or first.number[0] <= tip.boot):
        raise _unlinked(part, first, "no boot after the last begins a chain")
    if tip is None:
        return
    boot, seq = first.number
    next_seq = tip.seq if tip.again else tip.seq + 1
    if (boot, seq) < (tip.boot, next_seq):
        raise _unlinked(part, first, "a window was done with it before")
    follows = not broken and (boot, seq) == (tip.boot, next_seq)
    if follows and first.reading.previous != tip.digest:
        raise _unlinked(part, first, "it names another than the last")


def _check_count(part: DevicePart) -> None:
    """Raise unless as many are counted as the numbers of those shown tell of."""
    end, tip, count = part.end, part.tip, part.claimed.count
    if end is None:
        least, most = 0, 0
    else:
        boot, seq = end.number
        since = tip.seq - tip.again if tip is not None and tip.boot == boot else -1
        least, most = (seq - since if tip is not None else 1), count
    if not least <= count <= most:
        raise WrongRoot(got=count, needed=least)


def _check_reach(part: DevicePart, to_ms: int) -> None:
    """Raise unless the device is shown up to the window's end, or up to where it left, or silent.

    One that was never heard owes nothing yet. The first that a new device shows is linked, however
    late it is.
    """
    name, claimed, end = part.key.hex(), part.claimed, part.end
    latest_ms = to_ms - MARGIN_MS
    if part.last and part.is_linked and part.last.reading.last_ms > latest_ms:
        raise WrongTip(device=name, last_ms=part.last.reading.last_ms, latest_ms=latest_ms)
    if claimed.silent:
        if end and end.reading.last_ms >= to_ms + MARGIN_MS:
            raise WrongSilence(device=name, last_ms=end.reading.last_ms)
        return
    if end is None:
        if part.tip is not None:
            raise Unreached(device=name, to_ms=to_ms)
        return
    if end.reading.last_ms < min(to_ms, part.entry.until_ms + MARGIN_MS):
        raise Unreached(device=name, to_ms=to_ms)


def _unlinked(part: DevicePart, shown: ShownReading, why: str) -> UnlinkedReading:
    boot, seq = shown.number
    return UnlinkedReading(device=part.key.hex(), boot=boot, seq=seq, why=why)


def flow_part(parts: Sequence[DevicePart]) -> DevicePart | None:
    """Give the flow meter of a window: the one that stood on the line when it began, or next."""
    meters = [part for part in parts if part.instrument is Instrument.FLOW_METER]
    return min(meters, key=lambda part: part.entry.from_ms, default=None)


def flow_unit(flow: DevicePart) -> Unit | None:
    """Give the unit that a window reads its flow meter in, None where nobody can say it."""
    units = {Unit(each.reading.unit) for each in flow.shown() if flow.measures(each)}
    return flow.unit or (units.pop() if len(units) == 1 else None)


def flow_unit_after(flow: DevicePart) -> Unit | None:
    """Give the unit that a flow meter's total stands in where a window ends."""
    if flow.end and flow.measures(flow.end):
        return Unit(flow.end.reading.unit)
    return flow_unit(flow)


def flow_value(line: Line, part: DevicePart, to_ms: int) -> int:
    """Give the total of a window's flow meter at the window's end, or where it fell silent.

    One of which nothing new is shown up to then stands where the line's last window left it.

    Raises `Unreached` if the end is not the time of a sample, nor when the meter left.
    """
    before = part.samples_by(to_ms)
    ends = bool(before) and before[-1][0] == to_ms
    excused = part.end is None or part.claimed.silent or to_ms == part.entry.until_ms
    if not ends and not excused and part.end and part.is_measurement(part.end):
        raise Unreached(device=part.key.hex(), to_ms=to_ms)
    if before:
        return before[-1][1]
    return line.flow_value if part.key == line.flow_device else 0
