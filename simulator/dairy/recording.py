"""Recordings of milkings: CSV in, exact integers out, and every row that can't be used named.

Pure. An amount is read as a decimal and kept as an integer of a unit that holds it without loss:
pounds in hundredths (clb), kilograms in grams or milligrams, litres in millilitres or
microlitres. Nothing is ever a float.

A row is used whole or not at all: one whose cells are not as many as the header's is named and
skipped, as an unquoted decimal comma would else make 12 of 12,5. An amount is ASCII digits with at
most one decimal sign, the point if the map (`simulator.dairy.columns`) does not say comma.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Final

from ledger.types.reading import Unit
from simulator.dairy.columns import (
    DECIMALS,
    DELIMITERS,
    STEPS,
    ColumnMap,
    choose_columns,
    parse_map,
)
from simulator.dairy.errors import BadMap, BadRecording

if TYPE_CHECKING:
    from _csv import Reader

ROWS_MAX: Final = 1_000_000
FILE_BYTES_MAX: Final = 256 * 1024 * 1024
METERS_MAX: Final = 64
AMOUNT_CHARS_MAX: Final = 60
AMOUNT_MAX: Final = 1_000
"""The largest amount of one milking, in whatever unit: a litre weighs about a kilogram."""

DATE_FORMATS: Final = tuple(
    f"{date}{time}"
    for date in ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d")
    for time in (" %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M", "")
) + tuple(
    f"%Y-%m-%d{between}%H:%M{rest}"
    for between in "T "
    for rest in (":%S%z", "%z", ":%S.%f", ":%S.%f%z")
)


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
    """Read a file's bytes as text: UTF-8, or UTF-16 with the byte order mark that tells it."""
    if len(raw) > FILE_BYTES_MAX:
        raise BadRecording(f"{len(raw)} bytes, at most {FILE_BYTES_MAX} are read: split the file")
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Never UTF-8: no guess.
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRecording(
            f"byte {error.start} is not {'UTF-16' if wide else 'UTF-8'}: convert the file first, "
            f"as with `iconv -f latin1 -t utf-8`"
        ) from error


def read_recording(text: str, mapping: str = "") -> Recording:
    """Read a recording; raise `BadRecording` or `BadMap` if no row could be used."""
    given = parse_map(mapping)
    delimiter = DELIMITERS[given.get("delimiter", "comma")]
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(rows, [])]
        columns = choose_columns(header, given)
        usable, skipped = _read_rows(rows, header, columns, given.get("decimal", "point"))
    except csv.Error as error:
        raise BadRecording(f"line {rows.line_num}: not CSV: {error}") from error
    unit, places = _choose_unit(columns, usable, skipped)
    _check_date(columns.date)
    date = columns.date or _guess_date([row.begin for row in usable if columns.begin])
    milkings = []
    for row in usable:
        try:
            begin = _read_time(row.begin, date) if columns.begin else None
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


def _read_rows(
    rows: "Reader", header: Sequence[str], columns: ColumnMap, decimal: str
) -> tuple[list[_Row], list[Skipped]]:
    """Read each row as far as it goes by itself."""
    usable: list[_Row] = []
    skipped: list[Skipped] = []
    for cells in islice(rows, ROWS_MAX):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            usable.append(_read_row(rows.line_num, header, cells, columns, decimal))
        except _UnusableRow as why:
            skipped.append(Skipped(rows.line_num, str(why)))
    if next(rows, None) is not None:
        raise BadRecording(f"more than {ROWS_MAX} rows: split the file")
    return usable, skipped


class _UnusableRow(Exception):
    """Why a row can't be used."""


def _read_row(
    line: int, header: Sequence[str], cells: list[str], columns: ColumnMap, decimal: str
) -> _Row:
    """Read a row that has a cell for each column; raise `_UnusableRow` for any other."""
    if len(cells) != len(header):
        more = len(cells) > len(header)
        raise _UnusableRow(
            f"{len(cells)} cells where the header names {len(header)}"
            + (": put what holds a delimiter, as a decimal comma, between quotes" if more else "")
        )
    by_name = dict(zip(header, (cell.strip(" \t") for cell in cells), strict=True))
    amount = _read_amount(by_name[columns.amount], decimal)
    for name in (columns.device, columns.begin):
        if name and not by_name[name]:
            raise _UnusableRow(f"{name} is empty")
    device = by_name[columns.device] if columns.device else "meter"
    return _Row(line, device, by_name[columns.begin] if columns.begin else "", amount)


def _read_amount(text: str, decimal: str) -> Decimal:
    """Read a plain decimal number; raise `_UnusableRow` if it is none."""
    if not text:
        raise _UnusableRow("no amount")
    shown = repr(text[:AMOUNT_CHARS_MAX])
    if text.startswith("-"):
        raise _UnusableRow(f"{shown} is negative, or no number")
    if len(text) <= AMOUNT_CHARS_MAX:
        for word, sign in DECIMALS.items():
            if re.fullmatch(rf"[0-9]+(?:[{sign}][0-9]+)?", text) is None:
                continue
            if word == decimal or sign not in text:
                return Decimal(text.replace(sign, "."))
            raise _UnusableRow(f"{shown}: is its {word} a decimal sign? Say --map decimal={word}")
    raise _UnusableRow(f"{shown} is not a plain number")


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


def _check_date(form: str) -> None:
    """Refuse a format that no time could be written in."""
    try:
        datetime.strptime("", form)
    except re.error as error:
        raise BadMap(f"date={form}: a directive stands in it twice") from error
    except ValueError as error:
        if "in format" in str(error):
            raise BadMap(f"date={form}: {error}") from error


def _read_time(text: str, form: str) -> datetime:
    """Read a time; raise `ValueError` if it is none, also for digits that are not ASCII."""
    if any(sign.isdecimal() and not sign.isascii() for sign in text):
        raise ValueError("its digits are not ASCII")
    return datetime.strptime(text, form)


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
                times.append(_read_time(text, form))
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
