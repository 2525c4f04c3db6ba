"""What must hold between lots, the windows that proved them, and the tanks that fed their lines.

Only the audit looks at this, since it needs the whole state.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ledger.state.lines import Line
from ledger.state.proven import Proven
from ledger.state.records import NOBODY, Lot
from ledger.state.tables import DEVICES, LINES, METER_USE, MILK_TANKS, PROVEN, TANK_LINES


class WindowRelations:
    """Proofs of lots, lines and their tanks. `lots` fills as the walk goes."""

    def __init__(self, lots: Mapping[bytes, Lot]) -> None:
        self._lots = lots
        self._proven: dict[bytes, Proven] = {}
        self._lines: dict[bytes, Line] = {}
        self._drawn: dict[bytes, int] = {}
        self._fed: dict[bytes, tuple[bytes, ...]] = {}
        self._used: set[bytes] = set()
        self._operators: dict[bytes, bytes] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of windows."""
        if prefix == PROVEN.prefix:
            self._proven[name] = PROVEN.decode(raw)
        elif prefix == LINES.prefix:
            self._lines[name] = LINES.decode(raw)
        elif prefix == MILK_TANKS.prefix:
            self._drawn[name] = MILK_TANKS.decode(raw).drawn_units
        elif prefix == TANK_LINES.prefix:
            self._fed[name] = TANK_LINES.decode(raw).lines
        elif prefix == METER_USE.prefix:
            self._used.add(name)
        elif prefix == DEVICES.prefix:
            self._operators[name] = DEVICES.decode(raw).operator

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        minted: defaultdict[bytes, int] = defaultdict(int)
        windows: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for name, proven in self._proven.items():
            yield from self._proof(f"lot {name.hex()}", name, proven)
            minted[proven.tank] += sum(source.units for source in proven.sources)
            windows[proven.line].append((proven.from_ms, proven.to_ms))
        for tank, units in self._drawn.items():
            if units != minted.pop(tank, 0):
                yield f"tank {tank.hex()}: {units} units drawn, its lots are of others"
        for tank in minted:
            yield f"tank {tank.hex()} was drawn from and is not there"
        fed = {name: line.tank for name, line in self._lines.items()}
        if fed != {line: tank for tank, lines in self._fed.items() for line in lines}:
            yield "the lines that tanks feed are not those that say so"
        for line, spans in windows.items():
            yield from self._tiles(line, spans)
        for name, lot in self._lots.items():
            if lot.mmu != NOBODY and name not in self._proven:
                yield f"lot {name.hex()} leads to no window"

    def _proof(self, where: str, name: bytes, proven: Proven) -> Iterator[str]:
        lot = self._lots.get(name)
        if lot is None:
            yield f"{where} is proven and is not there"
            return
        if sum(source.units for source in proven.sources) != lot.units or lot.mmu != proven.mmu:
            yield f"{where} has {lot.units} units, its proof others"
        unused = {source.device for source in proven.sources} - self._used
        for device in sorted(unused):
            yield f"{where} rests on device {device.hex()}, of which nothing was read"
        for source in proven.sources:
            if self._operators.get(source.device) != source.farm:
                yield f"{where} names farm {source.farm.hex()}, whose meter it is not"
        # A tip may be gone: who joins a line again begins there anew.
        for device in sorted({span.device for span in proven.spans} - set(self._operators)):
            yield f"{where} rests on device {device.hex()}, which nobody registered"

    def _tiles(self, name: bytes, spans: list[tuple[int, int]]) -> Iterator[str]:
        """Say where two windows of a line overlap, or lie beyond what it has claimed."""
        line, until_ms = self._lines.get(name), 0
        for from_ms, to_ms in sorted(spans):
            if from_ms < until_ms:
                yield f"line {name.hex()}: two windows at {from_ms} ms"
            until_ms = to_ms
        if line is None or line.through_ms < until_ms:
            yield f"line {name.hex()} has minted beyond its windows"
