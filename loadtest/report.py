"""What was measured, as figures: kept as JSON with the machine beside them, shown as a table.

A figure is never without its spread, its sample size and, where it is known, the CPU that an
operation cost: on a machine that others use as well, time alone says little.
"""

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from loadtest.statistics import Summary, summarize

PACKAGES: Final = ("billcoin", "msgspec", "PyNaCl", "plyvel", "plyvel-next", "numpy", "blake3",
                   "trio", "libp2p", "uvicorn", "httptools", "starlette", "asyncpg",
                   "paho-mqtt")  # fmt: skip
BUSY_SHARE: Final = 0.5
"""With more of the cores wanted by others than this at the start, the table says so."""


class Figure(Struct, frozen=True):
    """One measured quantity. `cpu_us` is the CPU of one operation, by whom it was spent."""

    name: str
    unit: str
    summary: Summary
    cpu_us: dict[str, float] = {}
    goal: str = ""
    note: str = ""


class Computer(Struct, frozen=True):
    """Where and on what something was measured."""

    processor: str
    cores: int
    memory_mib: int
    system: str
    python: str
    packages: dict[str, str]
    commit: str
    began_ms: int
    load_before: tuple[float, float, float]


class Report(Struct):
    """Figures of one suite. `series` are the points that plots are drawn from."""

    suite: str
    machine: Computer
    figures: list[Figure]
    series: dict[str, list[dict[str, float]]] = {}
    load_after: tuple[float, float, float] | None = None


def look_at_machine() -> Computer:
    """Describe this machine, the versions that run here, and how busy it is now."""
    return Computer(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=_versions(),
        commit=_commit(),
        began_ms=time.time_ns() // 1_000_000,
        load_before=os.getloadavg(),
    )


def _versions() -> dict[str, str]:
    """Read the versions of what is here; of plyvel and plyvel-next one is."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    """Name the commit of the source, with a plus if files of it were changed since."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        named = subprocess.run(  # noqa: S603 - our own words
            [*git, "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return named.stdout.strip()


def figure(
    name: str,
    unit: str,
    samples: Iterable[float],
    *,
    cpu_us: dict[str, float] | None = None,
    goal: str = "",
    note: str = "",
) -> Figure:
    """Make a figure of samples."""
    return Figure(name, unit, summarize(samples), cpu_us or {}, goal, note)


def save(report: Report, folder: Path) -> Path:
    """Write FOLDER/SUITE.json."""
    report.load_after = os.getloadavg()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.suite}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    return path


def load(path: Path) -> Report:
    """Read a report back; raise `msgspec.DecodeError` if it is none."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def short(value: float) -> str:
    """Write a number with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def table(report: Report) -> str:
    """Draw the figures for a terminal."""
    head = ("figure", "median", "p5 .. p95", "n", "CPU us/op", "goal")
    rows = [head, *(_row(one) for one in report.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    machine = report.machine
    loads = f"load {_loads(machine.load_before)} before"
    if report.load_after is not None:
        loads += f", {_loads(report.load_after)} after"
    busy = machine.load_before[0] > BUSY_SHARE * machine.cores
    return "\n".join(
        [
            f"{report.suite}: {machine.processor}, {machine.cores} cores, commit {machine.commit}",
            f"{loads}{' (others were using this machine)' if busy else ''}",
            "",
            lines[0],
            "-" * len(lines[0]),
            *lines[1:],
        ]
    )


def _row(one: Figure) -> tuple[str, ...]:
    summary = one.summary
    spread = f"{short(summary.p5)} .. {short(summary.p95)}"
    cpu = " ".join(f"{who} {short(cost)}" for who, cost in one.cpu_us.items())
    return (one.name, f"{short(summary.median)} {one.unit}", spread, str(summary.n), cpu, one.goal)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column == 0 or column >= 4 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _loads(loads: Sequence[float]) -> str:
    return "/".join(f"{load:.1f}" for load in loads)


def print_table(report: Report, *, as_json: bool = False) -> None:
    """Show a report on stdout."""
    text = json.dumps(msgspec.to_builtins(report)) if as_json else table(report) + "\n"
    print(text, flush=True)  # noqa: T201 - the table is what was asked for
