"""A dairy's line on a state: its devices measure, its windows are claimed, attested and minted.

`WindowLine` has a line with any devices, their signed and linked envelopes, and claims that hold;
a test breaks what it is about. Times of samples are milliseconds after the dairy's first run.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ledger.evidence import LineFacts, claim_window, evidence_root, reach, trim_bundle
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, address_of
from ledger.rules.portions import put, tank_of
from ledger.state.lines import Line, LineDevice, TankLines, Tip
from ledger.state.names import tip_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Device
from ledger.state.tables import DEVICES, LINES, METER_USE, PLANTS, TANK_LINES, TIPS, parameters
from ledger.state.tanks import MeterPoint, MeterUse, Portion
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from ledger.types.line import line_id, plant_id
from ledger.types.milk import tank_id
from ledger.types.reading import Envelope, sign_reading
from ledger.types.window import Interval, MintWindow, WindowAttestation, WindowClaim
from tests.support.evidence.rig import DeviceRig, good_value
from tests.support.ledger.dairy import (
    GENESIS_MS,
    PLANT,
    RUN_STARTED_MS,
    Dairy,
    bill,
    key,
)
from tests.support.ledger.town import Town

PLACES: Final = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)
TANK: Final = "tank-2"
"""Not the tank of the line that the dairy begins with: levels wait for all lines of a tank."""
START_MS: Final = RUN_STARTED_MS
"""When the line was registered, and the first sample of all its devices may be."""
FOREVER_MS: Final = GENESIS_MS * 2

Bundle = Mapping[PublicKey, Sequence[Envelope]]


class WindowLine:
    """A line of a dairy, its devices, and what they signed."""

    def __init__(
        self,
        dairy: Dairy,
        kinds: Sequence[Instrument] = PLACES,
        *,
        name: str = "line-2",
        process: HeatProcess = HeatProcess.CONTINUOUS,
        flow_max_l_per_h: int = 10_000,
        vat_units: int = 0,
    ) -> None:
        self.dairy, self.mmu = dairy, address_of(dairy.mmu.public)
        self.line_id = line_id(PLANT, name)
        self.tank_id = tank_id(self.mmu, PLANT, TANK)
        self.devices = [
            DeviceRig(
                key(f"{name} {number} {kind.value}"),
                kind,
                chain_id=dairy.chain_id,
                start_ms=START_MS,
            )
            for number, kind in enumerate(kinds)
        ]
        entries = (LineDevice(device.public, START_MS) for device in self.devices)
        self.line = Line(
            mmu=self.mmu,
            plant=PLANT,
            name=name,
            process=process,
            flow_max_l_per_h=flow_max_l_per_h,
            vat_units=Units(vat_units),
            tank=self.tank_id,
            devices=tuple(sorted(entries, key=lambda entry: entry.device)),
            through_ms=START_MS,
            height=1,
            flow_device=PublicKey(bytes(32)),
        )

    def register(self, overlay: Overlay) -> None:
        """Write line and devices, as if a regulator had admitted them at the line's start."""
        for device in self.devices:
            record = Device(device.instrument, PLANT, self.mmu, FOREVER_MS, START_MS)
            gauges = device.instrument is Instrument.TANK_GAUGE
            stands = {"tank": self.tank_id} if gauges else {"line": self.line_id}
            DEVICES.put(overlay, replace(record, **stands), device.public)
        LINES.put(overlay, self.line, self.line_id)
        listed = TANK_LINES.get(overlay, self.tank_id) or TankLines(())
        TANK_LINES.put(overlay, TankLines((*listed.lines, self.line_id)), self.tank_id)
        PLANTS.put(overlay, self.mmu, plant_id(PLANT))

    def fill(
        self, overlay: Overlay, *units: int, first_ms: int = START_MS - 7_200_000, last_ms: int = 0
    ) -> None:
        """Let each farm's milk stand in the line's tank, metered two hours before the line began.

        It ended within an hour, or at `last_ms`.
        """
        last_ms = last_ms or first_ms + 3_600_000
        for farm, meter, part in zip(
            self.dairy.farm_keys, self.dairy.meter_keys, units, strict=False
        ):
            tank = replace(tank_of(overlay, self.tank_id), mmu=self.mmu, plant=PLANT, name=TANK)
            tank = replace(tank, collected_units=Units(tank.collected_units + part))
            address = address_of(farm.public)
            portion = Portion(address, meter.public, first_ms, last_ms, Units(part))
            put(overlay, self.tank_id, tank, [portion])
            METER_USE.put(overlay, MeterUse(MeterPoint(1, 1, last_ms, 0)), meter.public)

    def of(self, kind: Instrument) -> DeviceRig:
        """Give the first device of a kind."""
        return next(each for each in self.devices if each.instrument is kind)

    def run(
        self, seconds: int, begin: int = 0, size: int = 10, **values: Mapping[int, int] | None
    ) -> None:
        """Let every device measure once a second from `begin` on, good milk at 3,600 L/h.

        `values` say by an instrument's name what it shows at which second instead.
        """
        for device in self.devices:
            other = values.get(device.instrument.value) or {}
            device.measure(
                [
                    (at * 1_000, other.get(at, good_value(device.instrument, at * 1_000)))
                    for at in range(begin, begin + seconds + 1)
                ],
                size,
            )

    def tip(self, reader: Reader, device: PublicKey) -> Tip | None:
        """Give where a device's chain stands in the line's windows."""
        return TIPS.get(reader, tip_name(self.line_id, device))

    def facts(self, reader: Reader) -> LineFacts:
        """Give what a state says of the line."""
        line = LINES.get(reader, self.line_id)
        assert line is not None
        devices = {each.device: DEVICES.get(reader, each.device) for each in line.devices}
        tips = {each.device: self.tip(reader, each.device) for each in line.devices}
        return LineFacts(
            self.line_id,
            line,
            {name: device for name, device in devices.items() if device},
            {name: tip for name, tip in tips.items() if tip},
            parameters(reader),
            self.dairy.chain_id,
        )

    def bundle(self, reader: Reader) -> Bundle:
        """Give every device's envelopes after its tip."""
        bundle = {}
        for device in self.devices:
            tip = self.tip(reader, device.public)
            number = (tip.boot, tip.seq - tip.again) if tip else (-1, -1)
            bundle[device.public] = [
                each
                for each in device.envelopes
                if (each.reading().boot, each.reading().seq) > number
            ]
        return bundle

    def claim(
        self,
        reader: Reader,
        until: int | None = None,
        kind: MilkKind = MilkKind.WHOLE,
        silent: Sequence[PublicKey] = (),
        **changes: object,
    ) -> WindowClaim:
        """Claim all that counts up to a second, or as far as can be; `changes` replace fields."""
        facts, bundle = self.facts(reader), self.bundle(reader)
        still = frozenset(silent)
        to_ms = START_MS + round(until * 1_000) if until else reach(facts, bundle, still)
        return replace(claim_window(facts, bundle, kind, to_ms, silent=still), **changes)

    def mint(self, reader: Reader, claim: WindowClaim, signers: int | None = None) -> MintWindow:
        """Attest a claim, by all attestors or the first few, whatever is in it."""
        envelopes = [
            envelope
            for shown in trim_bundle(self.facts(reader), self.bundle(reader), claim).values()
            for envelope in shown
        ]
        keys = self.dairy.attestor_keys[: self.dairy.attestors if signers is None else signers]
        given = []
        for attestor in keys:
            root: Hash = evidence_root(attestor.public, envelopes)
            signature = attestor.sign(claim.signing_bytes(self.dairy.chain_id, root))
            given.append(WindowAttestation(attestor.public, root, signature))
        return MintWindow(claim, tuple(given))


class WindowTown(Town):
    """A town with a line, whose tank holds milk of each farm, metered before the line began."""

    def __init__(
        self,
        kinds: Sequence[Instrument] = PLACES,
        *,
        litres: Sequence[int] = (200, 150, 100),
        vat_units: int = 0,
        dairy: Dairy | None = None,
        **parts: dict[str, object],
    ) -> None:
        super().__init__(dairy, **parts)
        vat = {
            "process": HeatProcess.BATCH,
            "flow_max_l_per_h": 0,
            "vat_units": vat_units,
        }
        self.line = WindowLine(self.dairy, kinds, **(vat if vat_units else {}))
        self.line.register(self.state)
        self.line.fill(self.state, *(bill(whole) for whole in litres))

    def run(self, seconds: int, begin: int = 0, **values: Mapping[int, int] | None) -> None:
        """Let the line's devices measure, and the time pass."""
        self.line.run(seconds, begin, **values)
        self.time_ms = START_MS + (begin + seconds) * 1_000

    def claim(self, until: int | None = None, **changes: object) -> WindowClaim:
        """Claim all that counts, as the line's gateway would; `changes` replace fields."""
        return self.line.claim(self.state, until, **changes)

    def mint(
        self, claim: WindowClaim | None = None, signers: int | None = None, who: str = "mmu"
    ) -> str:
        """Send a window, attested whatever is in it; give the receipt's code."""
        whole = self.claim() if claim is None else claim
        return self.do(who, self.line.mint(self.state, whole, signers))

    def amend(self, **fields: object) -> None:
        """Change the line."""
        line = LINES.get(self.state, self.line.line_id)
        LINES.put(self.state, replace(line, **fields), self.line.line_id)


class Counted(WindowTown):
    """More than two minutes of good milk, and their claim."""

    def __init__(self, kinds: Sequence[Instrument] = PLACES) -> None:
        super().__init__(kinds)
        self.run(140)
        self.good = self.claim()

    def worst(self, kind: Instrument, place: int = 5, **changes: object) -> str:
        """Show another envelope of an instrument, one that it signed otherwise."""
        device = self.line.of(kind)
        reading = replace(device.envelopes[place].reading(), **changes)
        shown = sign_reading(reading, self.dairy.chain_id, device.key)
        return self.mint(with_device(self.good, device.public, worst=shown))

    def samples(self, kind: Instrument, *values: int, place: int = 5) -> str:
        """Show another envelope whose samples have other values from the second on."""
        before = self.line.of(kind).envelopes[place].reading().samples
        changed = tuple(
            (offset, value) for (offset, _), value in zip(before[1:], values, strict=False)
        )
        return self.worst(kind, place, samples=(before[0], *changed))

    def device(self, kind: Instrument, **fields: object) -> None:
        """Change what is registered of a device."""
        key = self.line.of(kind).public
        DEVICES.put(self.state, replace(DEVICES.get(self.state, key), **fields), key)

    def entry(self, kind: Instrument, **fields: object) -> None:
        """Change when a device stands on the line."""
        key = self.line.of(kind).public
        line = LINES.get(self.state, self.line.line_id)
        self.amend(
            devices=tuple(
                replace(each, **fields) if each.device == key else each for each in line.devices
            )
        )

    def counting(self, *intervals: Interval, **fields: object) -> str:
        """Claim other intervals; give the receipt's code."""
        return self.mint(replace(self.good, intervals=intervals, **fields))


def with_device(claim: WindowClaim, device: PublicKey, **fields: object) -> WindowClaim:
    """Give a claim with one device shown otherwise, and as many readings as that makes."""
    devices = tuple(
        replace(each, **fields) if each.device == device else each for each in claim.devices
    )
    return replace(claim, devices=devices, readings_count=sum(each.count for each in devices))
