"""Say a run in plain words: a line at a time where there is no terminal, a table at the end."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulator.testnet.board import Scene
from simulator.testnet.figures import format_litres, format_ms, format_people, format_price


def draw_line(scene: Scene) -> str:
    """Write the run in one plain line, for a terminal that is none."""
    figures = scene.figures
    finality = figures.finality()
    ahead_ms = figures.clock_ahead_ms
    down = [s.name for s in (*scene.validators, *scene.others) if s.phase != "ready"]
    return (
        f"{scene.uptime_ms // 1000:>5} s  height {figures.height}"
        f"  final p50 {format_ms(finality['p50'])} p95 {format_ms(finality['p95'])}"
        f"  minted {format_litres(figures.minted_units)} L"
        f"  validated {figures.validate.count}"
        f"  {format_people(figures)}"
        f"  milk {format_price(figures.litre_micro_myr)}"
        f"  supply {'ok' if figures.supply_ok else 'not known' if not figures.nodes else 'BROKEN'}"
        f"{f'  CHAIN CLOCK {ahead_ms // 1000} s AHEAD' if ahead_ms else ''}"
        f"  {'not ready: ' + ', '.join(down) if down else 'all ready'}"
    )


def draw_end(scene: Scene) -> RenderableType:
    """Draw what stays on the terminal when the board is gone."""
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for name, value in scene.figures.summary().items():
        shown = value
        if isinstance(value, dict):
            shown = "  ".join(f"{k} {'–' if v is None else v}" for k, v in value.items())
        table.add_row(name.replace("_", " "), str(shown))
    return Group(Text(f"The network rests in {scene.directory}; `up` goes on from here."), table)
