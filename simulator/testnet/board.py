"""Draw a run as a live board on a terminal (`plain` does anywhere else). Draws what it is given.

The board is drawn to fit 100 columns and 30 lines with four validators; a smaller terminal loses
the newest lots and purchases first, then the other processes, never the validators.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.box import ROUNDED
from rich.console import RenderableType
from rich.layout import Layout as Grid
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulator.testnet.figures import UNITS_PER_LITRE, Figures, format_ms, format_price
from simulator.testnet.layout import ProcessState

MILK: Final = "bright_white"
QUIET: Final = "grey58"
GOOD: Final = "green3"
WARN: Final = "yellow3"
BAD: Final = "red3"
FRAME: Final = "steel_blue"

PHASE_COLOURS: Final = {
    "waiting": QUIET,
    "starting": WARN,
    "ready": GOOD,
    "resting": BAD,
    "ending": WARN,
    "ended": QUIET,
}
VALIDATORS_SHOWN_MAX: Final = 12
WIDE: Final = 96
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
        Grid(_figures(scene.figures), size=7, name="figures"),
    ]
    spare = height - sum(row.size or 0 for row in rows)
    addresses = -(-len(scene.addresses) // (2 if width >= WIDE else 1)) + 2
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


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(
        content, title=f"[bold]{title}[/]", title_align="left", border_style=FRAME, box=ROUNDED
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
    return _panel(table, "Validators" + (f" (and {hidden} more)" if hidden > 0 else ""))


def _others(scene: Scene) -> Panel:
    line = Text(no_wrap=True, overflow="ellipsis")
    for state in scene.others:
        colour = PHASE_COLOURS.get(state.phase, QUIET)
        line.append("● ", style=colour).append(state.name, style=MILK)
        if state.restarts:
            why = scene.deaths.get(state.name, "")
            line.append(f" ({state.restarts}× {why})", style=WARN)
        line.append("   ")
    return _panel(line, "Processes")


def _pairs(rows: Iterable[tuple[str, Text | str]]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style=QUIET, no_wrap=True)
    table.add_column(justify="right", style=MILK, no_wrap=True, overflow="ellipsis")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _litres(units: int) -> str:
    return f"{units / UNITS_PER_LITRE:,.1f} L"


def _verdict(good: bool, yes: str, no: str) -> Text:
    return Text(yes, style=f"bold {GOOD}") if good else Text(no, style=f"bold {BAD}")


def _figures(figures: Figures) -> Grid:
    finality, validate = figures.finality(), figures.validate.percentiles()
    rate = figures.blocks_per_s
    best = figures.best
    blocks = _pairs(
        [
            ("final height", f"{figures.height:,}"),
            ("blocks/s", "–" if rate is None else f"{rate:.1f}"),
            ("finality p50", format_ms(finality["p50"])),
            ("finality p95", format_ms(finality["p95"])),
            ("finality p99", format_ms(finality["p99"])),
        ]
    )
    right = Text("–") if not figures.nodes else _verdict(figures.supply_ok, "holds", "BROKEN")
    forks = _verdict(figures.forks == 0, "none", str(figures.forks))
    milk = _pairs(
        [
            ("minted now", _litres(figures.minted_units)),
            ("supply", _litres(best.supply_units) if best else "–"),
            ("redeemed", _litres(best.redeemed_units) if best else "–"),
            ("supply law", right),
            ("forks", forks),
        ]
    )
    paid = _pairs(
        [
            ("validated", f"{figures.validate.count:,}"),
            ("paid→valid p50", format_ms(validate["p50"])),
            ("paid→valid p95", format_ms(validate["p95"])),
            ("paid→valid p99", format_ms(validate["p99"])),
            ("milk price", format_price(figures.litre_micro_myr)),
        ]
    )
    row = Grid()
    row.split_row(
        Grid(_panel(blocks, "Finality")),
        Grid(_panel(milk, "Milk")),
        Grid(_panel(paid, "Payments")),
    )
    return row


def _purchases(figures: Figures, rows: int) -> Panel:
    table = Table.grid(expand=True, padding=(0, 1))
    sides: tuple[Literal["left", "right"], ...] = ("left", "left", "right")
    for justify in sides:
        table.add_column(justify=justify, no_wrap=True, overflow="ellipsis")
    for purchase in list(figures.purchases)[: max(rows, 0)]:
        paid = Text("✓ Paid", style=f"bold {GOOD}")
        if purchase.latency_ms is not None:
            paid.append(f" {purchase.latency_ms:,.0f} ms", style=QUIET)
        table.add_row(Text(purchase.at, style=QUIET), purchase.what, paid)
    waiting = Text("waiting for the first purchase …", style=QUIET)
    return _panel(table if figures.purchases else waiting, "Purchases")


def _lots(figures: Figures, rows: int) -> Panel:
    table = _table(("lot", "left"), ("milk", "left"), ("litres", "right"), ("left", "right"))
    for lot in figures.lots[: max(rows, 0)]:
        table.add_row(
            Text(lot.name, style=QUIET),
            lot.kind,
            _litres(lot.units),
            _litres(lot.remaining_units),
        )
    waiting = Text("waiting for the first lot …", style=QUIET)
    return _panel(table if figures.lots else waiting, "Newest lots")


def _addresses(scene: Scene, columns: int) -> Panel:
    table = Table.grid(padding=(0, 2))
    for _ in range(columns):
        table.add_column(style=QUIET, no_wrap=True)
        table.add_column(style="cyan", no_wrap=True, overflow="ellipsis")
    pairs = list(scene.addresses.items())
    for start in range(0, len(pairs), columns):
        table.add_row(*(cell for pair in pairs[start : start + columns] for cell in pair))
    return _panel(table, "Open")
