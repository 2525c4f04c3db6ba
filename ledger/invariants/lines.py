"""What must hold between lines, the plants that they stand in, their devices, and permits.

Only the audit looks at this, since it needs the whole state.
"""

from collections.abc import Iterator
from itertools import pairwise

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.permits import ALL_METERS
from ledger.state.lines import Line, Permit
from ledger.state.names import permit_name
from ledger.state.records import Device
from ledger.state.tables import DEVICES, LINES, PERMITS, PLANTS
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import line_id, plant_id


class LineRelations:
    """Lines with their plants and devices, and permits with their meters."""

    def __init__(self) -> None:
        self._lines: dict[bytes, Line] = {}
        self._plants: dict[bytes, bytes] = {}
        self._devices: dict[bytes, Device] = {}
        self._permits: dict[bytes, Permit] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of lines."""
        if prefix == LINES.prefix:
            self._lines[name] = LINES.decode(raw)
        elif prefix == PLANTS.prefix:
            self._plants[name] = PLANTS.decode(raw)
        elif prefix == DEVICES.prefix:
            self._devices[name] = DEVICES.decode(raw)
        elif prefix == PERMITS.prefix:
            self._permits[name] = PERMITS.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        for name, line in self._lines.items():
            yield from (f"line {name.hex()}: {why}" for why in self._of_line(name, line))
        plants = {plant_id(line.plant): line.mmu for line in self._lines.values()}
        if plants != self._plants:
            yield "the plants that have an owner are not those of the lines"
        for name, device in self._devices.items():
            watched = self._lines.get(device.line)
            entries = () if watched is None else watched.devices
            listed = any(entry.device == name for entry in entries)
            if device.line != ZERO_HASH and not listed:
                yield f"device {name.hex()} watches a line that does not list it"
        for name, permit in self._permits.items():
            yield from (f"permit {name.hex()}: {why}" for why in self._of_permit(name, permit))

    def _of_line(self, name: bytes, line: Line) -> Iterator[str]:
        if name != line_id(line.plant, line.name):
            yield "it stands under another name"
        keys = [entry.device for entry in line.devices]
        if keys != sorted(set(keys)):
            yield "its devices are not in order"
        for entry in line.devices:
            device = self._devices.get(entry.device)
            if device is None or (device.plant, device.operator) != (line.plant, line.mmu):
                yield f"device {entry.device.hex()} is no device of its MMU at its plant"
                continue
            gauges = device.instrument is Instrument.TANK_GAUGE
            stands = (ZERO_HASH, line.tank) if gauges else (name, ZERO_HASH)
            if (device.line, device.tank) != stands:
                yield f"device {entry.device.hex()} stands elsewhere"
            if not entry.from_ms <= entry.until_ms or entry.until_ms <= line.through_ms:
                yield f"device {entry.device.hex()} left before the claims begin"
        if line.vat is None:
            return
        if line.process is not HeatProcess.BATCH:
            yield "it keeps a vat's hold and has no vat"
        if max(line.vat.still_ms, line.vat.hot_ms) > line.through_ms:
            yield "its vat's hold is of a time that nobody claimed yet"

    def _of_permit(self, name: bytes, permit: Permit) -> Iterator[str]:
        terms = (*permit.before, permit.terms)
        if any(one.until_ms > other.from_ms for one, other in pairwise(terms)):
            yield "its terms overlap"
        if any(each.from_ms > each.until_ms for each in terms):
            yield "its terms end before they begin"
        days = [day for day, _ in permit.days]
        if days != sorted(set(days)):
            yield "its days are not in order"
        farm, meter = Address(name[:32]), PublicKey(name[32:])
        assert name == permit_name(farm, meter)
        device = self._devices.get(meter)
        if meter != ALL_METERS and (device is None or device.operator != farm):
            yield "its meter is not the farm's"
