"""The board's panels of figures: finality, milk, payments, and what was done for people."""

from collections.abc import Iterable
from typing import Final

from rich.box import ROUNDED
from rich.console import RenderableType
from rich.layout import Layout as Grid
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulator.testnet.figures import (
    UNITS_PER_LITRE,
    Figures,
    format_ms,
    format_people,
    format_price,
)

MILK: Final = "bright_white"
QUIET: Final = "grey58"
GOOD: Final = "green3"
BAD: Final = "red3"
FRAME: Final = "steel_blue"
COLUMNS: Final = {"Finality": 23, "Milk": 29, "Payments": 26, "People": 18}
"""What each panel of figures needs to show a million; more is shared out by the same measure."""


def draw_panel(content: RenderableType, title: str) -> Panel:
    """Frame a part of the board."""
    return Panel(
        content, title=f"[bold]{title}[/]", title_align="left", border_style=FRAME, box=ROUNDED
    )


def draw_figures(figures: Figures, *, wide: bool) -> Grid:
    """Draw the panels side by side; a narrow terminal has no room for people's."""
    panels = {
        "Finality": _finality(figures),
        "Milk": _milk(figures),
        "Payments": _payments(figures),
    }
    if wide:
        panels["People"] = _people(figures)
    row = Grid()
    row.split_row(
        *(
            Grid(draw_panel(pairs, name), ratio=COLUMNS[name], minimum_size=COLUMNS[name])
            for name, pairs in panels.items()
        )
    )
    return row


def draw_people_line(figures: Figures) -> Text:
    """Draw what was done for people in one line."""
    return Text(f"  {format_people(figures)}", style=MILK, no_wrap=True, overflow="ellipsis")


def show_litres(units: int) -> str:
    """Write units as litres, to a tenth."""
    return f"{units / UNITS_PER_LITRE:,.1f} L"


def _finality(figures: Figures) -> Table:
    finality, rate = figures.finality(), figures.blocks_per_s
    return _pairs(
        [
            ("height", f"{figures.height:,}"),
            ("blocks/s", "–" if rate is None else f"{rate:.1f}"),
            ("p50", format_ms(finality["p50"])),
            ("p95", format_ms(finality["p95"])),
            ("p99", format_ms(finality["p99"])),
        ]
    )


def _milk(figures: Figures) -> Table:
    best = figures.best
    right = Text("–") if not figures.nodes else _verdict(figures.supply_ok, "holds", "BROKEN")
    return _pairs(
        [
            ("minted now", show_litres(figures.minted_units)),
            ("supply", show_litres(best.supply_units) if best else "–"),
            ("redeemed", show_litres(best.redeemed_units) if best else "–"),
            ("supply law", right),
            ("forks", _verdict(figures.forks == 0, "none", str(figures.forks))),
        ]
    )


def _payments(figures: Figures) -> Table:
    validate = figures.validate.percentiles()
    return _pairs(
        [
            ("validated", f"{figures.validate.count:,}"),
            ("valid p50", format_ms(validate["p50"])),
            ("valid p95", format_ms(validate["p95"])),
            ("valid p99", format_ms(validate["p99"])),
            ("price", format_price(figures.litre_micro_myr)),
        ]
    )


def _people(figures: Figures) -> Table:
    return _pairs(
        (name.replace("_", "-"), f"{count:,}") for name, count in figures.people().items()
    )


def _pairs(rows: Iterable[tuple[str, Text | str]]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style=QUIET, no_wrap=True)
    table.add_column(justify="right", style=MILK, no_wrap=True, overflow="ellipsis")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _verdict(good: bool, yes: str, no: str) -> Text:
    return Text(yes, style=f"bold {GOOD}") if good else Text(no, style=f"bold {BAD}")
