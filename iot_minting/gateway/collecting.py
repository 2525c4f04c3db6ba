"""Collecting: which of a farm's meter's readings are brought into the tank next (spec §8).

Pure. A collection is a stretch of one boot in which the total never falls, at most an hour long, of
at least a litre, wholly in force and permitted. What can't be collected (a tampered reading, one
from before the permit) parts two stretches; it is passed over and harms none of its neighbours.

The chain lets milk flow only after all of its collection was metered. So a collection ends where a
line begins to draw from the tank, and none is planned before the line's flow meter was heard.

Will not: decide what counts. The chain judges each collection anew; what it refuses is tried again
from the same readings, since nothing is used up here.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from iot_minting.gateway.pieces import Piece
from ledger.evidence.spans import Spans, covers
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.instruments import STREAMS
from ledger.rules.measure import exact_volume
from ledger.types.evidence import Instrument
from ledger.types.reading import READING_VERSION, Envelope, Reading, Unit

LEAST_UNITS: Final = UNITS_PER_BILL
"""What the law takes at least in one collection."""
LONGEST_MS: Final = HOUR_MS
METER_L_PER_H_MAX: Final = 60_000
"""What a meter without a limit of its own may count."""
VALUE_MAX: Final = 2**53
STILL_MS: Final = 500
"""A line that drew nothing for so long begins anew."""


@dataclass(frozen=True, slots=True)
class FarmMeter:
    """A farm's meter as final blocks have it.

    - `force`, `consent`: when it is calibrated and not stopped, when its farm lets its milk go to
      this MMU. `day_left` says what of a day (since 1970) may come yet; a day without entry is full
      or not permitted at all.
    - `open`: what is not collected yet, between envelopes' numbers; the last has no end.
    """

    key: PublicKey
    farm: Address
    plant: str
    tank: str
    limit_l_per_h: int
    force: Spans
    consent: Spans
    day_full: frozenset[int]
    open: tuple["Stretch", ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Envelopes after one number and before another; None has no end."""

    after: tuple[int, int]
    before: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class CollectRules:
    """What the law says of all meters at a time.

    `starts` are the times at which lines begin to draw from the meter's tank, ascending.
    """

    density_mg_per_l: int
    earliest_ms: int
    latest_ms: int
    starts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class MeterCollection:
    """What is brought next of a meter."""

    meter: FarmMeter
    first: Envelope
    last: Envelope
    units: int


def plan_collection(
    meter: FarmMeter, pieces: Sequence[Piece], rules: CollectRules, *, due: bool
) -> MeterCollection | None:
    """Give what to bring of a meter now, from its envelopes after all that is collected, in order.

    A stretch that may grow yet waits until it is `due`.
    """
    for stretch in meter.open:
        inside = [
            piece
            for piece in pieces
            if piece.number > stretch.after
            and (stretch.before is None or piece.number < stretch.before)
        ]
        for run, closed in _runs(meter, inside, rules):
            units = _worth(meter, run, rules)
            ended = closed or stretch.before is not None
            if units is not None and (due or ended):
                return MeterCollection(meter, run[0].envelope, run[-1].envelope, units)
    return None


def why_not(meter: FarmMeter, pieces: Sequence[Piece]) -> str:
    """Say why a meter's latest reading can't be collected; empty if it can."""
    if not pieces:
        return ""
    last = pieces[-1]
    if not covers(meter.consent, last.first_ms, last.last_ms):
        return "its farm has no permit for this MMU"
    if last.last_ms // DAY_MS in meter.day_full:
        return "its farm's day is full"
    if not covers(meter.force, last.first_ms, last.last_ms):
        return "it is stopped, or its calibration is over"
    return "it reports tampering" if last.reading.tamper else ""


def _runs(
    meter: FarmMeter, pieces: Sequence[Piece], rules: CollectRules
) -> Iterator[tuple[list[Piece], bool]]:
    """Part pieces into the longest runs that one collection may show; tell which can't grow."""
    run: list[Piece] = []
    for piece in pieces:
        if piece.last_ms > rules.latest_ms:
            break  # Its time has not come: as if it had not arrived yet.
        parted = run and _draws_between(run[-1], piece, rules) and _worth(meter, run, rules)
        if run and not parted and _joins(run, piece) and _fits(meter, piece, rules):
            run.append(piece)
            continue
        if run:
            yield run, True
        run = [piece] if _fits(meter, piece, rules) else []
    if run:
        yield run, False


def _draws_between(before: Piece, piece: Piece, rules: CollectRules) -> bool:
    """Tell whether a line begins to draw after one piece, and before the next has ended."""
    place = bisect_left(rules.starts, before.last_ms)
    return place < len(rules.starts) and rules.starts[place] < piece.last_ms


def flow_starts(pieces: Sequence[Piece]) -> list[int]:
    """List when a flow meter's total begins to rise, after it stood still for `STILL_MS`."""
    starts: list[int] = []
    still_ms = 0
    at_ms, total = None, 0
    for piece in pieces:
        for offset_ms, value in piece.reading.samples:
            next_ms = piece.reading.t0_ms + offset_ms
            if at_ms is not None and value > total:
                if at_ms - still_ms >= STILL_MS:
                    starts.append(at_ms)
                still_ms = next_ms
            at_ms, total = next_ms, value
    return starts


def _fits(meter: FarmMeter, piece: Piece, rules: CollectRules) -> bool:
    start_ms, _ = piece.start()
    return (
        _is_total(piece.reading)
        and start_ms >= rules.earliest_ms
        and piece.last_ms - start_ms <= LONGEST_MS
        and piece.last_ms // DAY_MS not in meter.day_full
        and covers(meter.force, start_ms, piece.last_ms)
        and covers(meter.consent, start_ms, piece.last_ms)
    )


def _is_total(reading: Reading) -> bool:
    units = {s.value: units for s, units in STREAMS[Instrument.MILK_METER].items()}
    offsets = [offset for offset, _ in reading.samples]
    return (
        reading.version == READING_VERSION
        and not reading.tamper
        and reading.unit in {unit.value for unit in units.get(reading.stream, frozenset())}
        and offsets == sorted(offsets)
        and all(0 <= value <= VALUE_MAX for _, value in reading.samples)
    )


def _joins(run: Sequence[Piece], piece: Piece) -> bool:
    """Tell whether a piece may stand in one collection with those before it."""
    before, one, other = run[-1], run[-1].reading, piece.reading
    values = [before.last_value, *(value for _, value in other.samples)]
    return (
        (one.boot, one.seq + 1) == (other.boot, other.seq)
        and (one.stream, one.unit) == (other.stream, other.unit)
        and values == sorted(values)
        and before.last_ms <= piece.first_ms
        and piece.last_ms - run[0].start()[0] <= LONGEST_MS
        and before.last_ms // DAY_MS == piece.last_ms // DAY_MS
    )


def _worth(meter: FarmMeter, run: Sequence[Piece], rules: CollectRules) -> int | None:
    """Give what a run brings, None for what the law would not take (yet)."""
    unit, (start_ms, value) = Unit(run[0].reading.unit), run[0].start()
    counted = exact_volume(unit, run[-1].last_value - value, rules.density_mg_per_l)
    step = exact_volume(unit, 1, rules.density_mg_per_l)
    limit = (meter.limit_l_per_h or METER_L_PER_H_MAX) * UNITS_PER_BILL
    most = step + Fraction(limit * (run[-1].last_ms - start_ms), HOUR_MS)
    return None if counted < LEAST_UNITS or counted > most else floor(counted)


def consent_spans(terms: Sequence[tuple[int, int, bool]]) -> Spans:
    """Join the times of a permit's terms, (from, until, ours) ascending, that are for this MMU."""
    spans: Spans = []
    for from_ms, until_ms, ours in terms:
        if not ours or until_ms <= from_ms:
            continue
        if spans and spans[-1][1] == from_ms:
            spans[-1] = (spans[-1][0], until_ms)
        else:
            spans.append((from_ms, until_ms))
    return spans
