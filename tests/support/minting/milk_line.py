"""Sensors without a broker: signed, chained readings of the test dairy, judged by a gateway.

`MilkLine` gives what a test of the mint starts from: devices that sign, a gateway that judges,
and pieces for the policy. Times begin at `START_MS`; nothing is random.
"""

from dataclasses import dataclass, field
from random import Random

from iot_minting.gateway.judgement import Gateway
from iot_minting.gateway.policy import CutRules, MintingPolicy
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.types import RegisteredDevice, Stored
from iot_minting.gateway.verdicts import Accepted
from iot_minting.wire.topics import readings_topic
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import SigningKey
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from simulator.dairy.line import LineTick, run_readings
from tests.support.ledger.dairy import LINE, PLANT, RUN_STARTED_MS, Dairy

START_MS = RUN_STARTED_MS
MEASURES = {
    Instrument.MILK_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE),
    Instrument.FLOW_METER: (Stream.VOLUME_TOTAL, Unit.MICROLITRE),
    Instrument.TANK_GAUGE: (Stream.TANK_VOLUME, Unit.MICROLITRE),
    Instrument.HOLD_THERMOMETER: (Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.OUTLET_THERMOMETER: (Stream.OUTLET_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.DIVERSION_VALVE: (Stream.VALVE_FORWARD, Unit.FLAG),
}


@dataclass
class Sensor:
    """A device that signs and chains; fields may be bent before a reading."""

    key: SigningKey
    kind: Instrument
    chain_id: Hash
    boot: int = 1
    seq: int = 0
    previous: Hash = ZERO_HASH
    value: int = 0
    unit: Unit | None = None

    def read(self, samples, /, *, tamper=False, signer=None, **changes) -> Envelope:
        """Sign the next reading of the chain; samples are (time in ms, value)."""
        stream, unit = MEASURES[self.kind]
        unit = self.unit or unit
        if self.unit in (Unit.CENTIPOUND, Unit.GRAM, Unit.MILLIGRAM):
            stream = Stream.MASS_TOTAL
        t0_ms = samples[0][0]
        fields = {
            "version": READING_VERSION,
            "device": self.key.public,
            "boot": self.boot,
            "seq": self.seq,
            "t0_ms": t0_ms,
            "stream": stream,
            "unit": unit,
            "samples": tuple((at - t0_ms, value) for at, value in samples),
            "calibration": "cal",
            "firmware": "1",
            "tamper": tamper,
            "previous": self.previous,
        }
        envelope = sign_reading(Reading(**{**fields, **changes}), self.chain_id, signer or self.key)
        self.seq, self.previous = self.seq + 1, envelope.digest()
        self.value = samples[-1][1]
        return envelope

    def reboot(self) -> None:
        """Begin a new boot; a totalizer goes on where it stood."""
        self.boot, self.seq, self.previous = self.boot + 1, 0, ZERO_HASH


@dataclass
class MilkLine:
    """The test dairy's meters and line, in front of a gateway and a policy."""

    dairy: Dairy = field(default_factory=lambda: Dairy(attestors=1))
    meter_unit: Unit = Unit.MILLILITRE
    run_ms_max: int = 60_000
    run_litres_max: int = 20_000
    grace_ms: int = 20_000

    def __post_init__(self) -> None:
        chain_id = self.dairy.chain_id
        self.meters = [
            Sensor(key, Instrument.MILK_METER, chain_id, unit=self.meter_unit)
            for key in self.dairy.meter_keys
        ]
        self.line = {
            kind: Sensor(key, kind, chain_id) for kind, key in self.dairy.line_keys.items()
        }
        devices = [
            RegisteredDevice(
                d.key,
                d.instrument,
                d.plant,
                d.operator,
                d.calibrated_until_ms,
                d.flow_max_l_per_h,
            )
            for d in self.dairy.genesis.devices
        ]
        self.registry = Registry(devices)
        self.archive: dict[tuple, Hash] = {}
        self.gateway = Gateway(chain_id, self.registry, lambda *name: self.archive.get(name))
        self.rules = CutRules(
            self.dairy.genesis.parameters,
            MilkKind.WHOLE,
            self.run_ms_max,
            self.run_litres_max * 1_000_000,
            self.grace_ms,
        )
        self.policy = MintingPolicy(self.rules, START_MS)
        self.random = Random(7)
        self.now_ms = START_MS

    def send(self, sensor, samples, *, arrival_ms=None, topic=None, **changes):
        """Sign and judge one reading; give the verdicts."""
        return self.deliver(
            sensor, sensor.read(samples, **changes), arrival_ms=arrival_ms, topic=topic
        )

    def deliver(self, sensor, envelope, *, arrival_ms=None, topic=None):
        """Judge an envelope that is there already."""
        topic = topic or readings_topic(PLANT, LINE, sensor.key.public)
        raw = envelope if isinstance(envelope, bytes) else encode(envelope)
        verdicts = self.gateway.judge(topic, raw, self.now_ms if arrival_ms is None else arrival_ms)
        for verdict in verdicts:
            if isinstance(verdict, Accepted):
                stored = verdict.stored
                self.archive[stored.device, stored.boot, stored.seq] = stored.digest
        return verdicts

    def accept(self, sensor, samples, **changes) -> Stored:
        """Sign, judge, and give the accepted piece to the policy as well."""
        self.now_ms = max(self.now_ms, samples[-1][0])
        (verdict,) = self.send(sensor, samples, **changes)
        assert isinstance(verdict, Accepted), verdict
        self.policy.observe(verdict.stored)
        return verdict.stored

    def milk(self, farm: int, amount: int) -> Stored:
        """Meter one milking of `amount` steps on a farm's meter."""
        meter, end_ms = self.meters[farm], self.now_ms + 100
        before = meter.value
        return self.accept(meter, [(end_ms - 50, before), (end_ms, before + amount)])

    def ticks(self, units: int, duration_ms: int = 2_000) -> list[LineTick]:
        """Make the readings of a run that begins now."""
        total = self.line[Instrument.FLOW_METER].value
        ticks = run_readings(units, total, self.now_ms + 20, duration_ms, self.random)
        for tick in ticks:
            flow = tick.readings[Instrument.FLOW_METER]
            tick.readings[Instrument.TANK_GAUGE] = [(at, units - v + total) for at, v in flow]
        return ticks

    def play(self, ticks: list[LineTick], *, close: bool = True) -> None:
        """Let the line's instruments report a run, and the valve close after it."""
        for tick in ticks:
            for kind, samples in tick.readings.items():
                self.accept(self.line[kind], samples)
        if close:
            end_ms = ticks[-1].end_ms + 20
            self.accept(self.line[Instrument.DIVERSION_VALVE], [(end_ms, 0)])

    def pasteurize(self, units: int, duration_ms: int = 2_000) -> None:
        """Report a whole run of exactly so many units."""
        self.play(self.ticks(units, duration_ms))

    def step(self, later_ms: int = 0):
        """Let the policy decide, some time from now."""
        self.now_ms += later_ms
        return self.policy.step(self.now_ms)
