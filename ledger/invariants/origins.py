"""What must hold from a lot back to its farms: sealed runs, tanks, meters whose readings went in.

Only the audit looks at this, since it needs the whole state. Whose milk stands where can't be
counted anew without the blocks; but every farm that is named must have a meter that was read.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.dairy import Origin, SealedRun, Source, Tank
from ledger.state.records import NOBODY, Device, Lot
from ledger.state.tables import (
    CONSUMED,
    DEVICES,
    ORIGINS,
    PROVEN,
    SEALED,
    TANKS,
    run_name,
)
from ledger.types.evidence import Instrument
from ledger.types.milk import tank_id


class OriginRelations:
    """Tanks, sealed runs, origins and devices of a whole state. `lots` fills as the walk goes."""

    def __init__(self, lots: Mapping[bytes, Lot]) -> None:
        self._lots = lots
        self._tanks: dict[bytes, Tank] = {}
        self._sealed: dict[bytes, SealedRun] = {}
        self._origins: dict[bytes, Origin] = {}
        self._devices: dict[bytes, Device] = {}
        self._used: set[bytes] = set()
        self._proven: set[bytes] = set()

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of milk's way."""
        if prefix == TANKS.prefix:
            self._tanks[name] = TANKS.decode(raw)
        elif prefix == SEALED.prefix:
            self._sealed[name] = SEALED.decode(raw)
        elif prefix == ORIGINS.prefix:
            self._origins[name] = ORIGINS.decode(raw)
        elif prefix == DEVICES.prefix:
            self._devices[name] = DEVICES.decode(raw)
        elif prefix == CONSUMED.prefix:
            self._used.add(name)
        elif prefix == PROVEN.prefix:
            self._proven.add(name)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        yield from self._tanks_and_runs()
        for name, lot in self._lots.items():
            if lot.height == 0 and lot.mmu == NOBODY and lot.run == name:
                continue  # Stock of the genesis stands for its own run.
            if name not in self._proven:  # What windows proved is told of in `windows`.
                yield from self._origin(name, lot)
        for name in self._origins:
            if name not in self._lots:
                yield f"lot {name.hex()} has an origin and is not there"
        yield from self._meters()

    def _tanks_and_runs(self) -> Iterator[str]:
        drawn: defaultdict[bytes, int] = defaultdict(int)
        for name, run in self._sealed.items():
            drawn[run.tank] += run.units
            tank = self._tanks.get(run.tank)
            owned = name[len(ZERO_HASH) :] == run.mmu
            if tank is not None and (not owned or (tank.mmu, tank.plant) != (run.mmu, run.plant)):
                yield f"run {name.hex()} was drawn from another's tank"
        for name, tank in self._tanks.items():
            if tank.sealed_units != drawn.pop(name, 0):
                yield f"tank {name.hex()}: its runs do not sum to {tank.sealed_units} sealed units"
            if name != tank_id(tank.mmu, tank.plant, tank.name):
                yield f"tank {name.hex()} is not under its own name"
        for name in drawn:
            yield f"tank {name.hex()} was drawn from and is not there"

    def _origin(self, name: bytes, lot: Lot) -> Iterator[str]:
        origin, where = self._origins.get(name), f"lot {name.hex()}"
        run = self._sealed.get(run_name(lot.run, lot.mmu))
        if origin is None or not origin.sources:
            yield f"{where} leads to no farm"
        elif run is None:
            brought = sum(units for _, units in origin.sources)
            if origin.tank != ZERO_HASH:
                yield f"{where} leads to no tank"
            # Each farm's part is floored by itself, the lot once: a unit a farm may lie between.
            elif lot.units > brought + len(origin.sources):
                yield f"{where} has more milk than its farms brought"
        elif run.tank != origin.tank or run.tank not in self._tanks:
            yield f"{where} leads to no tank"
        elif run.sources != origin.sources:
            yield f"{where} names other farms than its sealed run"
        elif lot.units > run.units:
            yield f"{where}: {lot.units} units of a run of {run.units}"

    def _meters(self) -> Iterator[str]:
        """Say which farms and MMUs are named though none of their meters was read."""
        for name in self._used - set(self._devices):
            yield f"device {name.hex()} was read and is not there"
        read = [device for name, device in self._devices.items() if name in self._used]
        milked = {d.operator for d in read if d.instrument is Instrument.MILK_METER}
        minting = {d.operator for d in read if d.instrument is Instrument.FLOW_METER}
        for where, sources in self._sources():
            for farm, _ in sources:
                if farm not in milked:
                    yield f"{where} names farm {farm.hex()}, no meter of which was read"
        for name, lot in self._lots.items():
            if lot.mmu != NOBODY and name not in self._proven and lot.mmu not in minting:
                yield f"lot {name.hex()} is of an MMU of which no flow meter was read"

    def _sources(self) -> Iterator[tuple[str, Iterable[Source]]]:
        for name, tank in self._tanks.items():
            yield f"tank {name.hex()}", tank.sources
        for name, run in self._sealed.items():
            yield f"run {name.hex()}", run.sources
        for name, origin in self._origins.items():
            if name not in self._proven:
                yield f"lot {name.hex()}", origin.sources
