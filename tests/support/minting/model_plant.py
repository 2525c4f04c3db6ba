"""A plant before a chain that takes everything: real judge, archive, shelf and core in between.

The chain here is a model: it moves lines, tips and meters on as claims and collections say, and
keeps no books but `counted` and `collected`. What is under test is the gateway's half.
"""

from msgspec.structs import replace

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.collecting import FarmMeter, MeterCollection, Stretch
from iot_minting.gateway.cutting import WindowRules
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.facts import ChainFacts
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.minting import Claim, MinterCore, ReportTampering, Waits
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.shelf import PieceShelf
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.topics import readings_topic
from ledger.evidence import check_window
from ledger.params import HOUR_MS
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.milk import tank_id
from tests.support.evidence.rig import CHAIN, MEASURES, MMU, START_MS, DeviceRig, LineRig
from tests.support.ledger.dairy import key

MEASURES.setdefault(Instrument.MILK_METER, MEASURES[Instrument.FLOW_METER])
PLANT = "plant"
ALWAYS = [(0, 2**53)]


class ModelPlant:
    """A line and one farm's meter. `deliver` brings envelopes, `step` lets the gateway act."""

    def __init__(self, path, *, window_ms=20_000, collect_ms=5_000, tank_units=10**12):
        self.rig = LineRig()
        self.rig.line = replace(self.rig.line, tank=tank_id(MMU, PLANT, "tank"))
        self.meter = DeviceRig(key("model meter"), Instrument.MILK_METER)
        self.cut = WindowRules(MilkKind.WHOLE, window_ms, 600_000, 600_000, 10_000)
        self.collect_ms = collect_ms
        self.tank = [TankMilk(START_MS - HOUR_MS, START_MS, tank_units)]
        self.used = (-1, -1)
        self.counted = self.collected = self.reported = 0
        self.refuse = lambda action: False
        self.waits = []
        self.path = path
        self.restart()

    @property
    def devices(self):
        return [*self.rig.devices, self.meter]

    def close(self):
        """Close the archive that the latest restart opened."""
        self.archive.close()

    def restart(self):
        """Kill the gateway and start it again over the same file."""
        if hasattr(self, "archive"):
            self.close()
        self.archive = Archive(self.path)
        registry = Registry(
            RegisteredDevice(each.public, each.instrument, PLANT, MMU) for each in self.devices
        )
        self.judge = LinkJudge(CHAIN, registry, self.archive, self.archive.ends())
        self.shelf = PieceShelf(self.archive)
        self.core = MinterCore(self.cut, self.collect_ms, START_MS)

    def deliver(self, envelope):
        device = envelope.reading().device
        topic = readings_topic(PLANT, "line", device)
        self.archive.record(self.judge.judge(topic, encode(envelope), START_MS))

    def facts(self, now_ms):
        line = self.rig.facts
        meter = FarmMeter(
            self.meter.public,
            address_of(key("farm").public),
            PLANT,
            "tank",
            0,
            ALWAYS,
            ALWAYS,
            frozenset(),
            (Stretch(self.used, None),),
        )
        tanks = {line.line.tank: tuple(self.tank)}
        return ChainFacts(
            MMU, 1, now_ms, self.rig.rules, {line.line_id: line}, tanks, {meter.key: meter}, ()
        )

    def step(self, now_ms):
        """Decide once, and make final what was decided; give the actions."""
        actions = self.core.step(
            now_ms,
            self.facts(now_ms),
            self.shelf.after,
            self.archive.last_arrival_ms,
            frozenset(),
        )
        for action in actions:
            if not isinstance(action, Waits) and self.refuse(action):
                continue
            self._apply(action)
        return actions

    def settle(self, now_ms, steps=100):
        """Go on until nothing is left to decide."""
        for _ in range(steps):
            now_ms += 60_000
            if all(isinstance(each, Waits) for each in self.step(now_ms)):
                return now_ms
        raise AssertionError("the gateway finds no end")

    def _apply(self, action):
        match action:
            case MeterCollection(last=last, units=units):
                reading = last.reading()
                self.used = (reading.boot, reading.seq)
                self.collected += units
            case Claim(cut=cut):
                check_window(self.rig.facts, cut.claim, cut.bundle)
                self.rig.accept(cut.claim)
                self.counted += cut.claim.counted_steps
            case ReportTampering():
                self.reported += 1
            case Waits():
                self.waits.append(action)
