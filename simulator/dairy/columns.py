"""Which column of a recording is what, and how its cells are written: what `--map` tells.

A map is `yield=Yield:lb,device=Device Name,begin=Begin Time,date=%m/%d/%Y %I:%M %p`, and where a
file is written otherwise `delimiter=semicolon,decimal=comma`. Columns that it leaves out are
guessed from the header; a unit only where the column's name tells it, as in `Yield (kg)`: a wrong
unit would be wrong money. How numbers are written is never guessed, for the same reason.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.types.reading import Unit
from simulator.dairy.errors import BadMap, BadRecording

STEPS: Final = {
    "lb": ((2, Unit.CENTIPOUND),),
    "kg": ((3, Unit.GRAM), (6, Unit.MILLIGRAM)),
    "g": ((0, Unit.GRAM), (3, Unit.MILLIGRAM)),
    "l": ((3, Unit.MILLILITRE), (6, Unit.MICROLITRE)),
    "ml": ((0, Unit.MILLILITRE), (3, Unit.MICROLITRE)),
}
"""By a column's unit: the meter's units that can hold it, with the decimals each takes."""

DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS: Final = {"point": ".", "comma": ","}
_KEYS: Final = ("yield", "device", "begin", "date", "delimiter", "decimal")

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


def choose_columns(header: Sequence[str], given: Mapping[str, str]) -> ColumnMap:
    """Find the columns by a parsed map, and by the header what the map leaves out."""
    _check_header(header)
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
        if name and header.count(name) > 1:
            raise BadRecording(f"two columns are named {name!r}: rename the one that is not meant")
    return columns


def _check_header(header: Sequence[str]) -> None:
    """Refuse a first line that names no columns, or only looks like one column."""
    if not any(header):
        raise BadRecording("the file is empty: its first line must name the columns")
    if header[0].lower().startswith("sep="):
        raise BadRecording(
            f"its first line is {header[0]!r}, not the columns' names: delete that line, and say "
            "--map delimiter=semicolon if it was one (comma, semicolon, tab)"
        )
    for word, sign in DELIMITERS.items():
        if len(header) == 1 and sign in header[0]:
            raise BadMap(f"its columns seem to lie between {word}s: say --map delimiter={word}")


def _unit_in_name(column: str) -> str:
    """Read a unit that the column's own name tells, as in `Yield (kg)` or `milk_lb`."""
    match = re.search(r"[ _(\[](lb|kg|g|l|ml)[)\]]?$", column, re.IGNORECASE)
    return match[1] if match else ""


def parse_map(mapping: str) -> dict[str, str]:
    """Read a map's words; raise `BadMap` for one that is none."""
    given: dict[str, str] = {}
    for part in mapping.split(",") if mapping.strip() else ():
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals and "date" in given:
            given["date"] += f",{part}"  # A date's format may hold a comma itself.
            continue
        if name not in _KEYS or not value.strip():
            raise BadMap(
                f"{part!r}: write yield=COLUMN:UNIT, device=, begin=, date=, delimiter= or "
                "decimal=, by commas"
            )
        if name in given:
            raise BadMap(f"{name} is told twice")
        given[name] = value.strip()
    for name, known in (("delimiter", DELIMITERS), ("decimal", DECIMALS)):
        if name in given and given[name] not in known:
            raise BadMap(f"{name}={given[name]}: it is one of {', '.join(known)}")
    return given


def _guess(header: Sequence[str], what: str) -> str:
    by_lower = {_bare(name): name for name in reversed(header)}
    return next((by_lower[g] for g in _GUESSES[what] if g in by_lower), "")


def _bare(name: str) -> str:
    """Give a column's name without a unit, as people compare it."""
    unit = _unit_in_name(name)
    return (
        (name[: name.rindex(unit) - 1] if unit else name)
        .replace("_", " ")
        .replace("\u00a0", " ")
        .strip()
        .lower()
    )


def _has(header: Sequence[str]) -> str:
    return f"the file has: {', '.join(header)[:400]}"
