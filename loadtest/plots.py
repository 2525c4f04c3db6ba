"""Plots as SVG, written by hand from the reports: no library, readable in either colour scheme.

Only two kinds: lines over a logarithmic or linear axis. Axes begin at zero where they are linear.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from loadtest.report import load, short

WIDTH: Final = 640
HEIGHT: Final = 360
LEFT: Final = 64
RIGHT: Final = 96
TOP: Final = 40
BOTTOM: Final = 52
COLOURS: Final = ("#1f6f8b", "#c8553d", "#5b8c5a", "#7d5ba6")
STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:14px}"
    ".g{stroke:#8886;stroke-width:.5}.m{fill:#777}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.m{fill:#aaa}}"
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over one x axis; `log_x` for axes of powers of ten."""

    title: str
    x_name: str
    y_name: str
    lines: dict[str, Points]
    log_x: bool = False
    labels: tuple[str, ...] = ()
    """Beside each point of the first line."""


def nice_steps(most: float) -> list[float]:
    """Give ticks from zero to a little above the largest value, four to seven of them."""
    raw = max(most, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def draw(plot: Plot) -> str:
    """Write the SVG."""
    xs = [x for line in plot.lines.values() for x, _ in line]
    ys = nice_steps(max(y for line in plot.lines.values() for _, y in line))
    if plot.log_x:
        low, high = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
        ticks = [10.0**power for power in range(low, high + 1)]
    else:
        ticks = nice_steps(max(xs))

    def at_x(x: float) -> float:
        if plot.log_x:
            share = math.log10(x / ticks[0]) / math.log10(ticks[-1] / ticks[0])
        else:
            share = x / ticks[-1]
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def at_y(y: float) -> float:
        return HEIGHT - BOTTOM - y / ys[-1] * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(plot.title)}</title><style>{STYLE}</style>",
        f'<text class="t" x="{LEFT}" y="20">{escape(plot.title)}</text>',
        f'<text class="m" x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">'
        f"{escape(plot.x_name)}</text>",
        f'<text class="m" x="8" y="{TOP - 8}">{escape(plot.y_name)}</text>',
    ]
    for y in ys:
        parts.append(_grid(LEFT, at_y(y), WIDTH - RIGHT, at_y(y)))
        parts.append(_text(LEFT - 8, at_y(y) + 4, short(y), "end"))
    for x in ticks:
        parts.append(_grid(at_x(x), TOP, at_x(x), HEIGHT - BOTTOM))
        parts.append(_text(at_x(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}", "middle"))
    for number, (name, line) in enumerate(plot.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(at_x(x), at_y(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        end_x, end_y = places[-1]
        parts.append(
            f'<text x="{end_x + 8:.1f}" y="{end_y + 4:.1f}" style="fill:{colour}">'
            f"{escape(name)}</text>"
        )
        if number == 0:
            marks = zip(places, plot.labels, strict=False)
            parts += [_text(x, y + 18, label, "middle") for (x, y), label in marks]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="g" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def draw_all(results: Path, folder: Path) -> list[Path]:
    """Draw what the reports of a folder hold; give the files."""
    plots: dict[str, Plot] = {}
    if (results / "system.json").exists():
        points = load(results / "system.json").series.get("ladder", [])
        if points:
            plots["throughput-latency.svg"] = Plot(
                "Finalized transfers against latency, clients in a closed loop",
                "transfers a second",
                "ms",
                {
                    name: [(point["per_s"], point[f"{name}_ms"]) for point in points]
                    for name in ("p50", "p95")
                },
                labels=tuple(f"{point['clients']:.0f}" for point in points),
            )
    if (results / "growth.json").exists():
        points = load(results / "growth.json").series.get("growth", [])
        if points:
            plots["growth.svg"] = Plot(
                "What a block of 1,000 transfers costs, by accounts held",
                "accounts",
                "",
                {
                    "apply, us each": [(p["accounts"], p["apply_us"]) for p in points],
                    "commit, ms": [(p["accounts"], p["commit_ms"]) for p in points],
                },
                log_x=True,
            )
    if (results / "network.json").exists():
        sizes = json.loads((results / "network.json").read_text("utf-8"))["sizes"]
        plots["network.svg"] = _draw_network(sizes)
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in plots.items():
        (folder / name).write_text(draw(plot), "utf-8")
    return [folder / name for name in plots]


def _draw_network(sizes: list[dict[str, Any]]) -> Plot:
    """Plot what `billcoin sim growth` wrote: a validator's share of a block."""

    def each(one: dict[str, Any], what: str) -> float:
        return float(sum(one[what].values()) / one["validators"])

    return Plot(
        "What a validator sends and computes for a block",
        "validators",
        "",
        {
            "messages": [(one["validators"], each(one, "messages")) for one in sizes],
            "kB": [(one["validators"], each(one, "bytes") / 1000) for one in sizes],
            "CPU, ms": [(one["validators"], one["core_cpu_ms"]) for one in sizes],
        },
    )
