"""From accepted readings to runs: what one line pasteurized, and of whose milk.

Pure and deterministic: readings go in by `observe`, time by `step(now_ms)`, decisions come out.
A line is a (plant, line) pair: milk meters fill its tank, a flow meter empties it, and hold and
outlet thermometers and the diversion valve say whether what flowed was pasteurized.

- Flow counts while every instrument is heard and right: hold at or above the limit with the
  probe's uncertainty, outlet at or below the cooling limit, valve forward. Other flow is diverted
  and never counts.
- A run is flow without a break. It is cut when the valve leaves forward, when flow stops, or
  when it is long or large enough.
- A run takes milk from the tank first in, first out: what was metered before the run began.
  It waits for milk that is not metered yet; after a grace it gets by with what is there, and
  with none at all it is lost: no milk, no mint.
- Flow meter and tank gauge must agree, or the run is lost.
- Minted is floor(min(flow, milk, tank drop)), once per lot.

Invariant: an envelope is decided on once. Will not: trust a topic or an arrival time for volume.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Final

from iot_minting.gateway.types import Stored
from ledger.params import BASIS_POINTS, WATCH_GAP_MS, Parameters
from ledger.primitives.keys import PublicKey
from ledger.rules.measure import exact_volume
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import Unit

COLLECTIONS_MAX: Final = 16
EVIDENCE_BYTES_MAX: Final = 40_000
"""Room in one transaction for the meters' envelopes; instruments and signatures need the rest."""
IDLE_MS: Final = 3_000
"""A run whose flow meter is silent for so long is over."""
LINE_PIECES_MAX: Final = 20_000
"""Undecided envelopes of one device; beyond, the oldest are given up."""

WATCHES: Final = (
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
)
"""Instruments that must see all of a run. A tank gauge must, if the line has one."""


@dataclass(frozen=True, slots=True)
class CutRules:
    """When a run is cut, and by whose numbers."""

    law: Parameters
    milk_kind: MilkKind
    run_ms_max: int
    run_units_max: int
    grace_ms: int

    def allows(self, kind: Instrument, value: int) -> bool:
        """Tell whether an instrument's value lets milk count as pasteurized."""
        match kind:
            case Instrument.HOLD_THERMOMETER:
                return value >= self.law.hold_mdegc(self.milk_kind)
            case Instrument.OUTLET_THERMOMETER:
                return value <= self.law.cooling_mdegc
            case Instrument.DIVERSION_VALVE:
                return value == 1
            case _:
                return True

    def volume(self, pieces: Sequence[Stored]) -> Fraction:
        """Give what an unbroken range of a total counts, exactly, in units."""
        rise = pieces[-1].last_value - pieces[0].first_value
        unit = Unit(pieces[0].reading.unit)
        return exact_volume(unit, rise, self.law.density_mg_per_l)


@dataclass(frozen=True, slots=True)
class CutRun:
    """One run: its flow, the meters' ranges that fed it, and every instrument's range."""

    plant: str
    line: str
    milk_kind: MilkKind
    flow: tuple[Stored, ...]
    collections: tuple[tuple[Stored, ...], ...]
    instruments: tuple[tuple[Stored, ...], ...]

    def pieces(self) -> Iterator[Stored]:
        """List every envelope of the run: collections, flow, instruments; the Merkle order."""
        for pieces in (*self.collections, self.flow, *self.instruments):
            yield from pieces


@dataclass(frozen=True, slots=True)
class Dropped:
    """Envelopes that will never be evidence, and why."""

    pieces: tuple[Stored, ...]
    reason: str


Decision = CutRun | Dropped


class _Seen(Enum):
    GOOD = 1
    BAD = 2
    PENDING = 3


@dataclass(slots=True)
class _Line:
    """What is undecided on one line."""

    tank: list[Stored] = field(default_factory=list)
    flow: list[Stored] = field(default_factory=list)
    watch: dict[tuple[Instrument, PublicKey], list[Stored]] = field(default_factory=dict)
    gauged: bool = False


class MintingPolicy:
    """Cuts runs out of accepted readings."""

    def __init__(self, rules: CutRules, started_ms: int) -> None:
        self._rules = rules
        self._started_ms = started_ms  # No grace runs out while nobody could listen.
        self._lines: dict[tuple[str, str], _Line] = {}

    def observe(self, piece: Stored) -> list[Decision]:
        """Take in an accepted envelope; envelopes of one device come in order."""
        line = self._lines.setdefault((piece.plant, piece.line), _Line())
        match piece.kind:
            case Instrument.MILK_METER if piece.last_value == piece.first_value:
                return [Dropped((piece,), "idle")]
            case Instrument.MILK_METER:
                held = line.tank
            case Instrument.FLOW_METER:
                held = line.flow
            case _:
                line.gauged = line.gauged or piece.kind is Instrument.TANK_GAUGE
                held = line.watch.setdefault((piece.kind, piece.device), [])
        held.append(piece)
        if len(held) > LINE_PIECES_MAX:
            return [Dropped((held.pop(0),), "too_many")]
        return []

    def step(self, now_ms: int) -> list[Decision]:
        """Decide everything that can be decided by now."""
        decisions: list[Decision] = []
        for (plant, name), line in sorted(self._lines.items()):
            step = _LineStep(self._rules, plant, name, line, now_ms, self._started_ms)
            while (found := step.decide()) is not None:
                decisions += found
        return decisions

    def tank_units(self) -> dict[tuple[str, str], int]:
        """Give what stands in each line's tank by the meters, floored."""
        return {
            place: floor(sum(_volumes(self._rules, line.tank), Fraction(0)))
            for place, line in self._lines.items()
        }


@dataclass(frozen=True, slots=True)
class _LineStep:
    """One line at one time."""

    rules: CutRules
    plant: str
    name: str
    line: _Line
    now_ms: int
    started_ms: int

    def _waited_ms(self, piece: Stored) -> int:
        """Tell how long others had time to report since a piece came."""
        return self.now_ms - max(piece.arrival_ms, self.started_ms)

    def decide(self) -> list[Decision] | None:
        """Decide the next run or loss; None if nothing can be decided now."""
        if not self.line.flow:
            return None
        first = self.line.flow[0]
        if self._see(first) is _Seen.BAD:
            stood = first.last_value == first.first_value
            return self._drop([first], "idle" if stood else "diverted")
        run = self._find_run()
        if not run:
            return None
        old = [p for p in self.line.tank if self._too_old(p, run[0])]
        if old:
            self.line.tank = [p for p in self.line.tank if not self._too_old(p, run[0])]
            return [Dropped(tuple(old), "too_old")]
        return self._match(run)

    def _find_run(self) -> list[Stored]:
        """Give the flow of the next run if it is over, else nothing."""
        run: list[Stored] = []
        for piece in self.line.flow:
            seen = self._see(piece)
            if seen is _Seen.PENDING:
                break
            if seen is _Seen.BAD or (run and not _continues(run[-1], piece)):
                return run
            if run and not self._watched([*run, piece]):
                return run
            run.append(piece)
            if self._is_full(run):
                return run
        return run if run and self._is_over(run[-1]) else []

    def _see(self, piece: Stored) -> _Seen:
        """Tell whether the line's instruments say that this flow was pasteurized."""
        kinds = (*WATCHES, Instrument.TANK_GAUGE) if self.line.gauged else WATCHES
        seen = _Seen.GOOD
        for kind in kinds:
            match self._see_by(kind, piece):
                case _Seen.BAD:
                    return _Seen.BAD
                case _Seen.PENDING:
                    seen = _Seen.PENDING
        return seen

    def _see_by(self, kind: Instrument, piece: Stored) -> _Seen:
        """One device of the kind must watch the whole piece, and none may object."""
        watched = False
        for watch in self._devices(kind):
            over = _overlapping(watch, piece.first_ms, piece.last_ms)
            values = [value for p in over for _, value in p.reading.samples]
            if not all(self.rules.allows(kind, value) for value in values):
                return _Seen.BAD
            watched = watched or _covers(over, piece.first_ms, piece.last_ms)
        if watched:
            return _Seen.GOOD
        waiting = self._waited_ms(piece) < self.rules.grace_ms
        return _Seen.PENDING if waiting else _Seen.BAD

    def _devices(self, kind: Instrument) -> list[list[Stored]]:
        return [pieces for (k, _), pieces in sorted(self.line.watch.items()) if k is kind]

    def _is_full(self, run: list[Stored]) -> bool:
        duration_ms = run[-1].last_ms - run[0].first_ms
        units = self.rules.volume(run)
        return duration_ms >= self.rules.run_ms_max or units >= self.rules.run_units_max

    def _is_over(self, last: Stored) -> bool:
        """Tell whether the valve has left forward since, or the flow meter fell silent."""
        for valve in self._devices(Instrument.DIVERSION_VALVE):
            later = [p for p in valve if p.last_ms >= last.last_ms]
            if any(value != 1 for p in later for _, value in p.reading.samples):
                return True
        return self._waited_ms(last) >= IDLE_MS

    def _watched(self, run: list[Stored]) -> list[tuple[Stored, ...]]:
        """Give every instrument's range over the run; nothing if a range is broken."""
        start_ms, end_ms = run[0].first_ms, run[-1].last_ms
        ranges = []
        for (kind, _), watch in sorted(self.line.watch.items()):
            over = _overlapping(watch, start_ms, end_ms)
            if not all(_adjoin(a, b) for a, b in pairwise(over)):
                return []
            if over and (kind is not Instrument.TANK_GAUGE or _covers(over, start_ms, end_ms)):
                ranges.append(tuple(over))
        return ranges

    def _too_old(self, piece: Stored, first: Stored) -> bool:
        return piece.first_ms < first.first_ms - self.rules.law.collection_age_ms_max

    def _match(self, run: list[Stored]) -> list[Decision] | None:
        """Find the milk of a run: the oldest in the tank, as much as flowed."""
        metered = [p for p in self.line.tank if p.last_ms <= run[0].first_ms]
        flowed = self.rules.volume(run)
        milk, full = _take(self.rules, metered, flowed)
        brought = sum((self.rules.volume(pieces) for pieces in milk), Fraction(0))
        if full:  # The transaction is full before the run is: the rest becomes another lot.
            run = self._shorten(run, brought)
            flowed = self.rules.volume(run)
        lacking = floor(brought) < floor(flowed) and not full
        if lacking and self._waited_ms(run[-1]) < self.rules.grace_ms:
            return None
        watched = self._watched(run)
        reason = self._why_held(run, flowed, brought, watched)
        if reason:
            return self._drop(run, reason)
        return self._cut(run, milk, watched)

    def _shorten(self, run: list[Stored], brought: Fraction) -> list[Stored]:
        """Give the first part of a run that this much milk suffices for; one piece at least."""
        count = 1
        while count < len(run) and self.rules.volume(run[: count + 1]) <= brought:
            count += 1
        return run[:count]

    @staticmethod
    def _is_watched(run: list[Stored], watched: list[tuple[Stored, ...]]) -> bool:
        """Tell whether instruments of each kind, together, saw all of a run."""
        return all(
            _covers(
                [p for pieces in watched for p in pieces if p.kind is kind],
                run[0].first_ms,
                run[-1].last_ms,
            )
            for kind in WATCHES
        )

    def _why_held(
        self,
        run: list[Stored],
        flowed: Fraction,
        brought: Fraction,
        watched: list[tuple[Stored, ...]],
    ) -> str:
        """Say why a run can't be minted, or give an empty text."""
        if floor(flowed) == 0:
            return "idle"
        if floor(brought) == 0:
            return "flow_without_milk"
        if not self._is_watched(run, watched):
            return "unwatched"
        allowed = self.rules.law.agreement_bp * flowed
        for pieces in watched:
            if pieces[0].kind is Instrument.TANK_GAUGE:
                drained = -self.rules.volume(pieces)
                if abs(flowed - drained) * BASIS_POINTS > allowed or floor(drained) == 0:
                    return "flow_against_tank"
        return ""

    def _cut(
        self,
        run: list[Stored],
        milk: list[list[Stored]],
        watched: list[tuple[Stored, ...]],
    ) -> list[Decision]:
        taken = {id(p) for pieces in milk for p in pieces}
        self.line.tank = [p for p in self.line.tank if id(p) not in taken]
        # A meter whose range holds less than a unit brings nothing that a lot could count.
        weighed = [(pieces, self.rules.volume(pieces) >= 1) for pieces in milk]
        empty = [p for pieces, counts in weighed if not counts for p in pieces]
        cut = CutRun(
            self.plant,
            self.name,
            self.rules.milk_kind,
            tuple(run),
            tuple(tuple(pieces) for pieces, counts in weighed if counts),
            tuple(watched),
        )
        used = {id(p) for pieces in watched for p in pieces}
        decisions: list[Decision] = [cut, *self._forget(run, used)]
        return [*decisions, Dropped(tuple(empty), "empty")] if empty else decisions

    def _drop(self, run: list[Stored], reason: str) -> list[Decision]:
        return [Dropped(tuple(run), reason), *self._forget(run, set())]

    def _forget(self, run: list[Stored], used: set[int]) -> list[Decision]:
        """Take decided flow away, and what watched it or watched nothing before it."""
        del self.line.flow[: len(run)]
        end_ms, idle = run[-1].last_ms, []
        for key, pieces in self.line.watch.items():
            gone = [p for p in pieces if p.last_ms <= end_ms or id(p) in used]
            idle += [p for p in gone if id(p) not in used]
            kept = {id(p) for p in gone}
            self.line.watch[key] = [p for p in pieces if id(p) not in kept]
        return [Dropped(tuple(idle), "idle")] if idle else []


def _take(
    rules: CutRules, metered: list[Stored], flowed: Fraction
) -> tuple[list[list[Stored]], bool]:
    """Take the oldest milk until it makes `flowed`; tell whether the claim's room ended it."""
    ranges: list[list[Stored]] = []
    latest: dict[PublicKey, list[Stored]] = {}
    size = 0
    total = Fraction(0)
    for piece in sorted(metered, key=_age):
        if floor(total) >= floor(flowed):
            break
        pieces = latest.get(piece.device)
        if pieces is None or not _adjoin(pieces[-1], piece):
            room = 3 * (len(piece.envelope.body) + 128)
            if len(ranges) == COLLECTIONS_MAX or size + room > EVIDENCE_BYTES_MAX:
                return ranges, True
            size += room
            pieces = latest[piece.device] = []
            ranges.append(pieces)
        before = rules.volume(pieces) if pieces else Fraction(0)
        pieces.append(piece)
        total += rules.volume(pieces) - before
    return ranges, False


def _age(piece: Stored) -> tuple[int, PublicKey, int, int]:
    return piece.last_ms, piece.device, piece.boot, piece.seq


def _volumes(rules: CutRules, pieces: list[Stored]) -> Iterator[Fraction]:
    for piece in pieces:
        yield rules.volume([piece])


def _adjoin(before: Stored, after: Stored) -> bool:
    """Tell whether one envelope follows another in an unbroken chain."""
    return (
        before.device == after.device and before.boot == after.boot and before.seq + 1 == after.seq
    )


def _continues(before: Stored, after: Stored) -> bool:
    """Tell whether flow goes on from one envelope to the next without a break in time."""
    return _adjoin(before, after) and after.first_ms - before.last_ms <= WATCH_GAP_MS


def _overlapping(pieces: list[Stored], start_ms: int, end_ms: int) -> list[Stored]:
    return [p for p in pieces if p.last_ms >= start_ms and p.first_ms <= end_ms]


def _covers(pieces: list[Stored], start_ms: int, end_ms: int) -> bool:
    """Tell whether samples reach over a span without a silence of more than `WATCH_GAP_MS`."""
    times = sorted(p.reading.t0_ms + offset for p in pieces for offset, _ in p.reading.samples)
    if not times:
        return False
    steps = pairwise([start_ms, *times, end_ms])
    return all(b - a <= WATCH_GAP_MS for a, b in steps)
