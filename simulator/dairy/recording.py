"""Recordings of milkings: CSV in, exact integers out, and every row that can't be used named.

Pure. An amount is read as a decimal and kept as an integer of a unit that holds it without loss:
pounds in hundredths (clb), kilograms in grams or milligrams, litres in millilitres or
microlitres. Nothing is ever a float.

A map says which column is what: `yield=Yield:lb,device=Device Name,begin=Begin Time,date=%m/%d/%Y
%I:%M %p`. What it leaves out is guessed from the header; a unit only where the column's name tells
it, as in `Yield (kg)`: a wrong unit would be wrong money.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Final

from iot_minting.plausibility import METER_RISE_LITRES_MAX
from ledger.types.reading import Unit
from simulator.dairy.errors import BadMap, BadRecording

if TYPE_CHECKING:
    from _csv import Reader

ROWS_MAX: Final = 1_000_000
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
METERS_MAX: Final = 64
AMOUNT_MAX: Final = METER_RISE_LITRES_MAX
"""The largest amount of one milking, in whatever unit: a litre weighs about a kilogram."""

STEPS: Final = {
    "lb": ((2, Unit.CENTIPOUND),),
    "kg": ((3, Unit.GRAM), (6, Unit.MILLIGRAM)),
    "g": ((0, Unit.GRAM), (3, Unit.MILLIGRAM)),
    "l": ((3, Unit.MILLILITRE), (6, Unit.MICROLITRE)),
    "ml": ((0, Unit.MILLILITRE), (3, Unit.MICROLITRE)),
}
"""By a column's unit: the meter's units that can hold it, with the decimals each takes."""

DATE_FORMATS: Final = tuple(
    f"{date}{time}"
    for date in ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d")
    for time in (" %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M", "")
)

_GUESSES: Final = {
    "yield": ("yield", "milk yield", "total yield", "milk", "amount", "volume", "weight"),
    "device": ("device name", "device", "meter", "robot", "stall", "milking device"),
    "begin": ("begin time", "begin", "start time", "start", "timestamp", "time", "date time"),
}


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column is what. Empty means: none, or guess the date's format."""

    amount: str
    unit: str
    device: str = ""
    begin: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Milking:
    """One usable row: who metered how many steps, and when; `line` is its place in the file."""

    line: int
    device: str
    begin: datetime | None
    steps: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that can't be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that was read: milkings in order of time, in one unit, and what was left out."""

    unit: Unit
    milkings: tuple[Milking, ...]
    skipped: tuple[Skipped, ...]
    columns: ColumnMap

    @property
    def meters(self) -> list[str]:
        """List the devices that metered something, in order of name."""
        return sorted({milking.device for milking in self.milkings})

    @property
    def steps(self) -> int:
        """Give the whole recording's total, in the unit."""
        return sum(milking.steps for milking in self.milkings)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    device: str
    begin: str
    amount: Decimal


def decode_text(raw: bytes) -> str:
    """Read a file's bytes as text; a byte order mark is passed over."""
    if len(raw) > FILE_BYTES_MAX:
        raise BadRecording(f"{len(raw)} bytes, at most {FILE_BYTES_MAX} are read: split the file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRecording(
            f"byte {error.start} is not UTF-8: convert the file first, as with "
            f"`iconv -f latin1 -t utf-8`"
        ) from error


def read_recording(text: str, mapping: str = "") -> Recording:
    """Read a recording; raise `BadRecording` or `BadMap` if no row could be used."""
    rows = csv.reader(StringIO(text, newline=""))
    try:
        header = [name.strip() for name in next(rows, [])]
        columns = choose_columns(header, mapping)
        usable, skipped = _read_rows(rows, header, columns)
    except csv.Error as error:
        raise BadRecording(f"line {rows.line_num}: not CSV: {error}") from error
    unit, places = _choose_unit(columns, usable, skipped)
    date = columns.date or _guess_date([row.begin for row in usable if columns.begin])
    milkings = []
    for row in usable:
        try:
            begin = datetime.strptime(row.begin, date) if columns.begin else None
        except ValueError:
            skipped.append(Skipped(row.line, f"{row.begin!r} is not a time as {date}"))
            continue
        steps = int(row.amount.scaleb(places))
        milkings.append(Milking(row.line, row.device, begin, steps))
    if not milkings:
        first = f"; the first: line {skipped[0].line}: {skipped[0].reason}" if skipped else ""
        raise BadRecording(f"no row can be used{first}")
    if columns.begin:
        milkings.sort(key=lambda m: (m.begin or datetime.min, m.line))
    if len({m.device for m in milkings}) > METERS_MAX:
        raise BadRecording(f"more than {METERS_MAX} devices: is {columns.device!r} the right one?")
    skipped.sort(key=lambda each: each.line)
    return Recording(
        unit,
        tuple(milkings),
        tuple(skipped),
        ColumnMap(columns.amount, columns.unit, columns.device, columns.begin, date),
    )


def choose_columns(header: Sequence[str], mapping: str) -> ColumnMap:
    """Find the columns by the map, and by the header what the map leaves out."""
    if not any(header):
        raise BadRecording("the file is empty: its first line must name the columns")
    given = _parse_map(mapping)
    amount, _, unit = given.get("yield", "").rpartition(":")
    if not amount:
        amount, unit = unit, ""
    amount = amount or _guess(header, "yield")
    if not amount:
        raise BadMap(f"no column looks like the milk: say --map yield=COLUMN:UNIT; {_has(header)}")
    unit = (unit or _unit_in_name(amount)).lower()
    if unit not in STEPS:
        what = f"{unit!r} is no unit" if unit else "its unit is not told"
        raise BadMap(f"column {amount!r}: {what}; say --map 'yield={amount}:lb' (lb, kg, g, L, mL)")
    columns = ColumnMap(
        amount,
        unit,
        given.get("device", _guess(header, "device")),
        given.get("begin", _guess(header, "begin")),
        given.get("date", ""),
    )
    for name in (columns.amount, columns.device, columns.begin):
        if name and name not in header:
            raise BadMap(f"there is no column {name!r}; {_has(header)}")
    return columns


def _unit_in_name(column: str) -> str:
    """Read a unit that the column's own name tells, as in `Yield (kg)` or `milk_lb`."""
    match = re.search(r"[ _(\[](lb|kg|g|l|ml)[)\]]?$", column, re.IGNORECASE)
    return match[1] if match else ""


def _parse_map(mapping: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in mapping.split(",") if mapping.strip() else ():
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals and "date" in given:
            given["date"] += f",{part}"  # A date's format may hold a comma itself.
            continue
        if name not in ("yield", "device", "begin", "date") or not value.strip():
            raise BadMap(f"{part!r}: write yield=COLUMN:UNIT, device=, begin= or date=, by commas")
        if name in given:
            raise BadMap(f"{name} is told twice")
        given[name] = value.strip()
    return given


def _guess(header: Sequence[str], what: str) -> str:
    by_lower = {_bare(name): name for name in reversed(header)}
    return next((by_lower[g] for g in _GUESSES[what] if g in by_lower), "")


def _bare(name: str) -> str:
    """Give a column's name without a unit, as people compare it."""
    unit = _unit_in_name(name)
    return (name[: name.rindex(unit) - 1] if unit else name).replace("_", " ").strip().lower()


def _has(header: Sequence[str]) -> str:
    return f"the file has: {', '.join(header)[:400]}"


def _read_rows(
    rows: "Reader", header: Sequence[str], columns: ColumnMap
) -> tuple[list[_Row], list[Skipped]]:
    """Read each row as far as it goes by itself."""
    place = {name: index for index, name in reversed(list(enumerate(header)))}
    usable: list[_Row] = []
    skipped: list[Skipped] = []
    for cells in islice(rows, ROWS_MAX):
        line = rows.line_num
        if not any(cell.strip() for cell in cells):
            continue

        def cell(name: str, cells: list[str] = cells) -> str:
            return cells[place[name]].strip() if name and place[name] < len(cells) else ""

        amount, reason = _read_amount(cell(columns.amount))
        if columns.device and not cell(columns.device):
            reason = reason or f"{columns.device} is empty"
        if columns.begin and not cell(columns.begin):
            reason = reason or f"{columns.begin} is empty"
        if reason or amount is None:
            skipped.append(Skipped(line, reason))
        else:
            usable.append(_Row(line, cell(columns.device) or "meter", cell(columns.begin), amount))
    if next(rows, None) is not None:
        raise BadRecording(f"more than {ROWS_MAX} rows: split the file")
    return usable, skipped


def _read_amount(text: str) -> tuple[Decimal | None, str]:
    """Read a plain decimal number; give the reason if it is none."""
    if not text:
        return None, "no amount"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None, f"{text[:40]!r} is not a number"
    if not amount.is_finite() or "e" in text.lower():
        return None, f"{text[:40]!r} is not a plain number"
    if amount < 0:
        return None, f"{text[:40]} is negative"
    return amount, ""


def _choose_unit(
    columns: ColumnMap, usable: list[_Row], skipped: list[Skipped]
) -> tuple[Unit, int]:
    """Choose the coarsest unit that holds every amount; skip what none holds or no meter counts."""
    finest = STEPS[columns.unit][-1][0]
    large = AMOUNT_MAX * (1_000 if columns.unit in ("g", "ml") else 1)
    fitting = []
    for row in usable:
        decimals = _decimals(row.amount)
        if decimals > finest:
            why = f"{row.amount} has more than the {finest} decimals of {columns.unit}"
            skipped.append(Skipped(row.line, why))
        elif row.amount > large:
            skipped.append(Skipped(row.line, f"{row.amount} {columns.unit} in one milking"))
        else:
            fitting.append(row)
    usable[:] = fitting
    deepest = max((_decimals(row.amount) for row in usable), default=0)
    for places, unit in STEPS[columns.unit]:
        if deepest <= places:
            return unit, places
    raise AssertionError("an amount that no unit holds was skipped above")


def _decimals(amount: Decimal) -> int:
    """Count decimals without trailing zeros, exactly: no context rounds here."""
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)
    count = -exponent
    for digit in reversed(digits):
        if digit or count <= 0:
            break
        count -= 1
    return max(0, count) if any(digits) else 0


def _guess_date(texts: Sequence[str]) -> str:
    """Find the format that reads most rows; of several, the one that makes the shortest span.

    4/12 and 12/4 both read as dates; a recording is of days that lie together.
    """
    best: tuple[int, float, int] | None = None
    found = ""
    for rank, form in enumerate(DATE_FORMATS):
        times = []
        for text in texts:
            try:
                times.append(datetime.strptime(text, form))
            except ValueError:
                continue
        if not times:
            continue
        score = (-len(times), (max(times) - min(times)).total_seconds(), rank)
        if best is None or score < best:
            best, found = score, form
    if texts and not found:
        raise BadMap(f"{texts[0]!r} is a time of unknown form: say --map 'date=%d/%m/%Y %H:%M'")
    return found
