"""A line's instruments that sign what a test makes them measure, and the facts about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from ledger.evidence import LineFacts, tip_after
from ledger.params import Parameters, default_parameters
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, Seed, SigningKey, address_of
from ledger.state.lines import Line, LineDevice, Tip
from ledger.state.records import Device
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import line_id
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.window import WindowClaim

CHAIN: Final = Hash(b"c" * 32)
MMU_KEY: Final = SigningKey(Seed(b"m" * 32))
MMU: Final = address_of(MMU_KEY.public)
START_MS: Final = 1_000_000_000_000
"""When the line of a rig was registered."""

MEASURES: Final = {
    Instrument.MILK_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE),
    Instrument.FLOW_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE),
    Instrument.HOLD_THERMOMETER: (Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.OUTLET_THERMOMETER: (Stream.OUTLET_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.DIVERSION_VALVE: (Stream.VALVE_FORWARD, Unit.FLAG),
    Instrument.TANK_GAUGE: (Stream.TANK_VOLUME, Unit.MILLILITRE),
}

Samples = Sequence[tuple[int, int]]
"""Times after the rig's start in milliseconds, and values."""


@dataclass(slots=True)
class DeviceRig:
    """A device that signs its samples as firmware of version 2 does."""

    key: SigningKey
    instrument: Instrument
    boot: int = 0
    seq: int = 0
    previous: Hash = ZERO_HASH
    carried: tuple[int, int] | None = None
    envelopes: list[Envelope] = field(default_factory=list)
    chain_id: Hash = CHAIN
    start_ms: int = START_MS
    unit: Unit | None = None
    """What it is set to, None as it came."""

    @property
    def public(self) -> PublicKey:
        """Give the device's key."""
        return self.key.public

    def sign(self, samples: Samples, *, tamper: bool = False) -> Envelope:
        """Sign one envelope of samples, after the one that it carries."""
        absolute = [(self.start_ms + at, value) for at, value in samples]
        if self.carried is not None:
            absolute.insert(0, self.carried)
        t0_ms = absolute[0][0]
        stream, unit = MEASURES[self.instrument]
        reading = Reading(
            READING_VERSION,
            self.public,
            self.boot,
            self.seq,
            t0_ms,
            stream,
            self.unit or unit,
            tuple((at - t0_ms, value) for at, value in absolute),
            "cal-1",
            "fw-2",
            tamper,
            self.previous,
        )
        envelope = sign_reading(reading, self.chain_id, self.key)
        self.envelopes.append(envelope)
        self.seq += 1
        self.previous, self.carried = envelope.digest(), absolute[-1]
        return envelope

    def measure(self, samples: Samples, size: int = 10) -> None:
        """Sign many samples, so many an envelope."""
        for begin in range(0, len(samples), size):
            self.sign(samples[begin : begin + size])

    def restart(self, *, lost: bool = False) -> None:
        """Begin a new boot; `lost`: without a journal, so as a new chain."""
        self.boot, self.seq = self.boot + 1, 0
        if lost:
            self.previous, self.carried = ZERO_HASH, None


class LineRig:
    """A line with one device of each kind that is asked for, and what the chain says of it."""

    def __init__(
        self,
        *kinds: Instrument,
        process: HeatProcess = HeatProcess.CONTINUOUS,
        flow_max_l_per_h: int = 10_000,
        vat_units: int = 0,
        rules: Parameters | None = None,
        first_seed: int = 60,
    ) -> None:
        found = kinds or (
            Instrument.FLOW_METER,
            Instrument.HOLD_THERMOMETER,
            Instrument.OUTLET_THERMOMETER,
            Instrument.DIVERSION_VALVE,
        )
        self.devices = [
            DeviceRig(SigningKey(Seed(bytes([first_seed + number] * 32))), kind)
            for number, kind in enumerate(found)
        ]
        self.rules = rules or default_parameters(development=True)
        self.line = self._line(process, flow_max_l_per_h, vat_units)
        self.records = {
            device.public: Device(
                device.instrument, "plant", MMU, START_MS + 10**10, calibrated_from_ms=START_MS
            )
            for device in self.devices
        }
        self.tips: dict[PublicKey, Tip] = {}

    def _line(self, process: HeatProcess, flow_max_l_per_h: int, vat_units: int) -> Line:
        """The line of all devices, as its regulator registered it."""
        return Line(
            MMU,
            "plant",
            "line",
            process,
            flow_max_l_per_h,
            vat_units,  # type: ignore[arg-type]
            Hash(b"t" * 32),
            tuple(
                sorted(
                    (LineDevice(device.public, START_MS) for device in self.devices),
                    key=lambda each: each.device,
                )
            ),
            START_MS,
            1,
            PublicKey(bytes(32)),
        )

    def of(self, kind: Instrument) -> DeviceRig:
        """Give the first device of a kind."""
        return next(each for each in self.devices if each.instrument is kind)

    @property
    def facts(self) -> LineFacts:
        """Give what the chain says now."""
        name = line_id(self.line.plant, self.line.name)
        return LineFacts(name, self.line, self.records, self.tips, self.rules, CHAIN)

    def bundle(self) -> dict[PublicKey, list[Envelope]]:
        """Give every device's envelopes after its tip."""
        return {each.public: self._after_tip(each) for each in self.devices}

    def _after_tip(self, device: DeviceRig) -> list[Envelope]:
        tip = self.tips.get(device.public)
        if tip is None:
            return list(device.envelopes)
        after = (tip.boot, tip.seq) if not tip.again else (tip.boot, tip.seq - 1)
        numbers = [(r.boot, r.seq) for r in (e.reading() for e in device.envelopes)]
        return [
            envelope
            for number, envelope in zip(numbers, device.envelopes, strict=True)
            if number > after
        ]

    def accept(self, claim: WindowClaim) -> None:
        """Do what the chain does with a claim that holds: move the line and the tips on."""
        for shown in claim.devices:
            if shown.last is not None:
                self.tips[shown.device] = tip_after(shown.last, claim.to_ms)
        flow = self.of(Instrument.FLOW_METER).public
        [end] = [each.end for each in claim.devices if each.device == flow]
        if end is not None:
            value, unit = _total_by(end, claim.to_ms), Unit(end.reading().unit)
            self.line = replace(self.line, flow_device=flow, flow_value=value, flow_unit=unit)
        self.line = replace(self.line, through_ms=claim.to_ms, vat=claim.vat)

    def run(
        self,
        seconds: float,
        *,
        every_ms: int = 1_000,
        value: Callable[[Instrument, int], int] | None = None,
        begin_ms: int = 0,
        skew_ms: int = 0,
        size: int = 10,
    ) -> None:
        """Let all devices measure; each a little later than the one before if skewed."""
        of = value or good_value
        for number, device in enumerate(self.devices):
            shift = skew_ms * number
            times = range(begin_ms + shift, begin_ms + int(seconds * 1_000) + 1, every_ms)
            device.measure([(at, of(device.instrument, at)) for at in times], size)


def _total_by(end: Envelope, to_ms: int) -> int:
    """Give what a total was at a time, by the envelope that reaches it."""
    reading = end.reading()
    samples = [(reading.t0_ms + offset, value) for offset, value in reading.samples]
    return max(0, ([value for at_ms, value in samples if at_ms <= to_ms] or [samples[-1][1]])[-1])


def good_value(instrument: Instrument, at_ms: int) -> int:
    """Give what an instrument shows of good milk at 3,600 L an hour: a litre a second."""
    match instrument:
        case Instrument.FLOW_METER:
            return at_ms
        case Instrument.HOLD_THERMOMETER:
            return 74_500
        case Instrument.OUTLET_THERMOMETER:
            return 3_000
        case Instrument.DIVERSION_VALVE:
            return 1
        case _:
            return 10_000_000 - at_ms
