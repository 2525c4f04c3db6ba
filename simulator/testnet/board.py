"""Draw a run as a live board on a terminal (`plain` does anywhere else). Draws what it is given.

The board is drawn to fit 100 columns and 30 lines with four validators; a smaller terminal loses
the newest lots and purchases first, then the other processes and some addresses, never the
validators, nor the counts of what was done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import RenderableType
from rich.layout import Layout as Grid
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulator.testnet.figures import Figures
from simulator.testnet.layout import ProcessState
from simulator.testnet.panels import (
    BAD,
    COLUMNS,
    FRAME,
    GOOD,
    MILK,
    QUIET,
    draw_figures,
    draw_panel,
    draw_people_line,
    show_litres,
)

WARN: Final = "yellow3"

PHASE_COLOURS: Final = {
    "waiting": QUIET,
    "starting": WARN,
    "ready": GOOD,
    "resting": BAD,
    "ending": WARN,
    "ended": QUIET,
}
VALIDATORS_SHOWN_MAX: Final = 12
ADDRESSES_LEAST: Final = 6
"""In so many lines, frame included, the addresses that one needs are shown."""
WIDE: Final = sum(COLUMNS.values())
"""From this many columns on, everything is shown."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that one drawing of the board shows."""

    chain: str
    uptime_ms: int
    validators: Sequence[ProcessState]
    others: Sequence[ProcessState]
    deaths: Mapping[str, str]
    """Why each process that died last time died."""
    figures: Figures
    addresses: Mapping[str, str]
    directory: str


def draw(scene: Scene, width: int = 100, height: int = 30) -> RenderableType:
    """Draw the board for a terminal of that many columns and lines."""
    shown = min(len(scene.validators), VALIDATORS_SHOWN_MAX)
    rows = [
        Grid(_title(scene), size=1, name="title"),
        Grid(_validators(scene, wide=width >= WIDE), size=shown + 3, name="validators"),
        Grid(draw_figures(scene.figures, wide=width >= WIDE), size=7, name="figures"),
    ]
    if width < WIDE:
        rows.append(Grid(draw_people_line(scene.figures), size=1, name="people"))
    spare = height - sum(row.size or 0 for row in rows)
    addresses = -(-len(scene.addresses) // (2 if width >= WIDE else 1)) + 2
    addresses = min(addresses, max(spare, ADDRESSES_LEAST))
    if spare >= addresses:
        rows.append(
            Grid(_addresses(scene, 2 if width >= WIDE else 1), size=addresses, name="addresses")
        )
        spare -= addresses
    if spare >= 3:
        rows.insert(2, Grid(_others(scene), size=3, name="others"))
        spare -= 3
    if spare >= 4:
        lists = Grid(name="lists", size=min(spare, 10))
        lists.split_row(
            Grid(_purchases(scene.figures, min(spare, 10) - 3)),
            Grid(_lots(scene.figures, min(spare, 10) - 3)),
        )
        rows.insert(4, lists)
        spare -= min(spare, 10)
    rows.append(Grid(Text(" "), name="rest"))
    board = Grid()
    board.split_column(*rows)
    return board


def _title(scene: Scene) -> Text:
    minutes, seconds = divmod(scene.uptime_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    first = scene.figures.first_block_ms
    ahead_ms = scene.figures.clock_ahead_ms
    return Text.assemble(
        (" BillCoin ", f"bold {MILK} on {FRAME}"),
        (f"  chain {scene.chain[:12]}  ", QUIET),
        (f"{hours}:{minutes:02d}:{seconds:02d}", MILK),
        (f"  chain clock {ahead_ms // 1000:,} s ahead" if ahead_ms else "", WARN),
        (f"  first block after {first / 1000:.1f} s" if first else "  starting …", QUIET),
        ("   Ctrl-C ends everything", QUIET),
        no_wrap=True,
        overflow="ellipsis",
    )


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style=QUIET, show_edge=False)
    for name, justify in columns:
        table.add_column(
            name,
            justify="right" if justify == "right" else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


def _phase(state: ProcessState) -> Text:
    return Text(f"● {state.phase}", style=PHASE_COLOURS.get(state.phase, QUIET))


def _validators(scene: Scene, *, wide: bool) -> Panel:
    table = _table(
        ("name", "left"),
        ("state", "left"),
        ("height", "right"),
        ("view", "right"),
        ("peers", "right"),
        ("final", "right"),
        ("starts", "right"),
        *([("pool", "right"), ("pid", "right"), ("last end", "left")] if wide else []),
    )
    for state in scene.validators[:VALIDATORS_SHOWN_MAX]:
        report = scene.figures.nodes.get(state.name)
        silent = state.name in scene.figures.silent
        colour = QUIET if report is None or silent else MILK
        cells = ["–"] * 4
        if report is not None:
            finality = report.finality
            cells = [
                f"{report.height:,}",
                f"{report.view:,}",
                str(report.peers),
                f"{finality.p50_ms:.0f} ms" if finality else "–",
            ]
        rest = (
            str(report.pending) if report else "–",
            str(state.pid or "–"),
            Text(scene.deaths.get(state.name, ""), style=QUIET),
        )
        table.add_row(
            Text(state.name, style=f"bold {colour}"),
            _phase(state),
            *(Text(cell, style=colour) for cell in cells),
            Text(str(state.restarts + 1), style=WARN if state.restarts else QUIET),
            *(rest if wide else ()),
        )
    hidden = len(scene.validators) - VALIDATORS_SHOWN_MAX
    return draw_panel(table, "Validators" + (f" (and {hidden} more)" if hidden > 0 else ""))


def _others(scene: Scene) -> Panel:
    line = Text(no_wrap=True, overflow="ellipsis")
    for state in scene.others:
        colour = PHASE_COLOURS.get(state.phase, QUIET)
        line.append("● ", style=colour).append(state.name, style=MILK)
        if state.restarts:
            why = scene.deaths.get(state.name, "")
            line.append(f" ({state.restarts}× {why})", style=WARN)
        line.append("   ")
    return draw_panel(line, "Processes")


def _purchases(figures: Figures, rows: int) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    sides: tuple[Literal["left", "right"], ...] = ("left", "left", "right")
    for justify in sides:
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    for purchase in list(figures.purchases)[: max(rows, 0)]:
        paid = Text(f"✓ {purchase.outcome}", style=f"bold {GOOD}")
        if purchase.latency_ms is not None:
            paid.append(f" {purchase.latency_ms:,.0f} ms", style=QUIET)
        table.add_row(Text(purchase.at, style=QUIET), purchase.what, paid)
    waiting = Text("waiting for the first purchase …", style=QUIET)
    return draw_panel(table if figures.purchases else waiting, "Purchases")


def _lots(figures: Figures, rows: int) -> Panel:
    table = _table(("lot", "left"), ("milk", "left"), ("litres", "right"), ("left", "right"))
    for lot in figures.lots[: max(rows, 0)]:
        table.add_row(
            Text(lot.name, style=QUIET),
            lot.kind,
            show_litres(lot.units),
            show_litres(lot.remaining_units),
        )
    waiting = Text("waiting for the first lot …", style=QUIET)
    return draw_panel(table if figures.lots else waiting, "Newest lots")


def _addresses(scene: Scene, columns: int) -> Panel:
    table = Table.grid(padding=(0, 2))
    for _ in range(columns):
        table.add_column(style=QUIET, no_wrap=True)
        table.add_column(style="cyan", no_wrap=True, overflow="ellipsis")
    pairs = list(scene.addresses.items())
    for start in range(0, len(pairs), columns):
        table.add_row(*(cell for pair in pairs[start : start + columns] for cell in pair))
    return draw_panel(table, "Open")
