"""What must hold between tanks, their portions and the meters that counted them.

Only the audit looks at this, since it needs the whole state.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ledger.params import HOUR_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.records import Device
from ledger.state.tables import DEVICES, METER_USE, MILK_TANKS, TANK_HOURS
from ledger.state.tanks import MeterUse, MilkTank, Portion
from ledger.types.evidence import Instrument
from ledger.types.milk import tank_id

_NAME_BYTES: Final = len(ZERO_HASH)


class RawMilkRelations:
    """Tanks, their hours, and the meters that were used."""

    def __init__(self) -> None:
        self._tanks: dict[bytes, MilkTank] = {}
        self._hours: defaultdict[bytes, dict[int, tuple[Portion, ...]]] = defaultdict(dict)
        self._uses: dict[bytes, MeterUse] = {}
        self._devices: dict[bytes, Device] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of raw milk."""
        if prefix == MILK_TANKS.prefix:
            self._tanks[name] = MILK_TANKS.decode(raw)
        elif prefix == TANK_HOURS.prefix:
            hour = int.from_bytes(name[_NAME_BYTES:], "big")
            self._hours[name[:_NAME_BYTES]][hour] = TANK_HOURS.decode(raw).portions
        elif prefix == METER_USE.prefix:
            self._uses[name] = METER_USE.decode(raw)
        elif prefix == DEVICES.prefix:
            self._devices[name] = DEVICES.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        for name, tank in self._tanks.items():
            yield from self._tank(name, tank)
        for name in set(self._hours) - set(self._tanks):
            yield f"milk stands in tank {name.hex()}, which is not there"
        for name, hours in self._hours.items():
            for hour, portions in hours.items():
                yield from self._portions(f"tank {name.hex()}, hour {hour}", hour, portions)
        for name in self._uses:
            device = self._devices.get(name)
            if device is None or device.instrument is not Instrument.MILK_METER:
                yield f"device {name.hex()} was collected from and is no meter"
        yield from self._moved()

    def _tank(self, name: bytes, tank: MilkTank) -> Iterator[str]:
        where, hours = f"tank {name.hex()}", self._hours.get(name, {})
        held = sum(portion.units for portions in hours.values() for portion in portions)
        if held != tank.held_units or sorted(hours) != list(tank.hours):
            yield f"{where} holds {tank.held_units} units, its portions {held}"
        if tank.name and name != tank_id(tank.mmu, tank.plant, tank.name):
            yield f"{where} is not under its own name"
        if not tank.name and tank.collected_units + tank.arrived_units:
            yield f"{where} has milk and no name"

    def _portions(self, where: str, hour: int, portions: tuple[Portion, ...]) -> Iterator[str]:
        for portion in portions:
            if portion.last_ms // HOUR_MS != hour:
                yield f"{where}: a portion of another hour"
            device = self._devices.get(portion.device)
            if device is None or device.operator != portion.farm:
                yield f"{where}: a portion of farm {portion.farm.hex()}, whose meter it is not"
            if portion.device not in self._uses:
                yield f"{where}: a portion of a meter that was not collected from"

    def _moved(self) -> Iterator[str]:
        """Say where more arrived than was moved: milk moves within an MMU's plant."""
        balance: defaultdict[tuple[bytes, str], int] = defaultdict(int)
        for tank in self._tanks.values():
            balance[tank.mmu, tank.plant] += tank.arrived_units - tank.moved_units
        for (_, plant), units in balance.items():
            if units:
                yield f"plant {plant}: {units} more units arrived in tanks than were moved"
