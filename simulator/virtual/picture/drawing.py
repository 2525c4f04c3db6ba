"""The picture of one seed: a page of its own, no other file needed, dark or light.

Validators are lanes, time runs to the right. A lane shows the views that its node was in, what it
signed, which certificates it held, and when it was down; the lane on top shows the network's
faults, the one below why views failed. In the table every view has a line: how it ended and what
stood in its way. A click on a view or its line lights it up.
"""

from collections.abc import Iterator
from html import escape
from typing import Final

from simulator.virtual.picture.narrative import Span, ViewSummary, find_spans, summarize_views
from simulator.virtual.picture.page import PAGE
from simulator.virtual.simulation import SeedOutcome, Simulation
from simulator.virtual.trace import WORLD, Entry, name_spot

LANE: Final = 44
LEFT: Final = 168
TOP: Final = 62
PER_SECOND: Final = 220
REASONS: Final = 64
"""The height of the lane that says why views failed."""
MARKS_MAX: Final = 60_000
ROW_OF: Final = {"propose": 9, "notarize": 17, "nullify": 17, "finalize": 17, "holds": 27}
"""How far below a lane's top each kind of mark stands."""
OUTCOMES: Final = {
    "final": "final",
    "final through a later view": "final",
    "notarized": "notarized",
    "notarized and nullified": "nullified",
    "nullified": "nullified",
    "forked": "forked",
    "open": "open",
}


def draw(simulation: Simulation, outcome: SeedOutcome) -> str:
    """Draw a recorded simulation as an HTML page."""
    summaries, spans = summarize_views(simulation), find_spans(simulation)
    lanes = len(simulation.processes)
    end_ms = max(1, simulation.world.now_ms)
    width, height = LEFT + _x(end_ms) + 40, TOP + LANE * lanes + REASONS
    drawing = [
        *_axis(end_ms, height),
        *_network(simulation, spans),
        *_lanes(simulation, summaries, spans, width),
        *_marks(simulation),
        *_reasons(summaries, end_ms, TOP + LANE * lanes),
    ]
    return PAGE.substitute(
        title=escape(f"seed {outcome.seed} of {outcome.scenario}"),
        verdict=_verdict(outcome, simulation.note),
        summary=escape(simulation.scenario.summary),
        facts=escape(_facts(simulation, outcome)),
        width=width,
        height=height,
        drawing="\n".join(drawing),
        labels="\n".join(_labels(simulation)),
        left=LEFT,
        failed="".join(_button(summary) for summary in summaries if _has_failed(summary)) or "none",
        rows="\n".join(_row(summary) for summary in summaries),
    )


def _x(time_ms: int) -> int:
    return time_ms * PER_SECOND // 1000


def _verdict(outcome: SeedOutcome, note: str) -> str:
    if note and not outcome.breach:
        return f'<p class="breach"><b>A fork, as expected.</b> {escape(note)}.</p>'
    if outcome.breach:
        return f'<p class="breach"><b>Failed.</b> {escape(outcome.breach)}</p>'
    return '<p class="held"><b>Every invariant held.</b></p>'


def _facts(simulation: Simulation, outcome: SeedOutcome) -> str:
    conditions = simulation.network.conditions
    recovery = f"recovered in {outcome.recovery_ms} ms, " if outcome.recovery_ms >= 0 else ""
    return (
        f"{outcome.members} validators, height {outcome.height}, {outcome.views} views, "
        f"{outcome.virtual_ms / 1000:.1f} s of virtual time, {outcome.messages} messages; "
        f"{recovery}mean delay {conditions.delay_ms} ms, loss {conditions.loss:.0%}, "
        f"replay {conditions.replay:.0%}; trace {outcome.digest}"
    )


def _axis(end_ms: int, height: int) -> Iterator[str]:
    for second in range(end_ms // 1000 + 1):
        x = LEFT + _x(second * 1000)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="20" y2="{height}"/>'
        yield f'<text class="tick" x="{x + 3}" y="15">{second} s</text>'


def _network(simulation: Simulation, spans: list[Span]) -> Iterator[str]:
    """Draw cuts and clogs over the lanes, stacked so that they do not hide each other."""
    rows = [0, 0, 0]
    for span in spans:
        if span.place != WORLD:
            continue
        row = next((i for i, end_ms in enumerate(rows) if end_ms <= span.begin_ms), 0)
        rows[row] = span.end_ms
        x, w = LEFT + _x(span.begin_ms), max(3, _x(span.end_ms - span.begin_ms))
        y = 22 + 12 * row
        yield (
            f'<g class="{span.kind}"><title>{escape(span.text)}</title>'
            f'<rect x="{x}" y="{y}" width="{w}" height="10" rx="2"/>'
            f'<text x="{x + 4}" y="{y + 8}">{escape(_fit(span.text, w))}</text></g>'
        )
    for entry in simulation.trace.entries:
        if entry.kind in ("heal", "BREACH"):
            x = LEFT + _x(entry.time_ms)
            y = TOP + LANE * len(simulation.processes) + REASONS
            kind = entry.kind.lower()
            yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="18" y2="{y}"/>'
            yield f'<text class="{kind}" x="{x + 4}" y="{y - 6}">{escape(entry.text[:90])}</text>'


def _fit(text: str, width: int) -> str:
    room = max(0, (width - 8) // 5)
    return text if len(text) <= room else text[: max(0, room - 1)] + ("…" if room > 3 else "")


def _lanes(
    simulation: Simulation, summaries: list[ViewSummary], spans: list[Span], width: int
) -> Iterator[str]:
    """Draw each lane's ground: the line, the views, the times when it was down."""
    told = {summary.view: summary for summary in summaries}
    for process in simulation.processes:
        y = TOP + LANE * process.place
        yield f'<line class="lane" x1="{LEFT}" x2="{width}" y1="{y + LANE}" y2="{y + LANE}"/>'
        yield from _views(simulation, process.place, told, y)
    for span in spans:
        if span.place == WORLD:
            continue
        x, w = LEFT + _x(span.begin_ms), max(2, _x(span.end_ms - span.begin_ms))
        y = TOP + LANE * span.place
        yield (
            f'<g class="{span.kind}"><title>{span.kind}: {escape(span.text)}</title>'
            f'<rect x="{x}" y="{y + 2}" width="{w}" height="{LANE - 4}"/>'
            f'<text x="{x + 4}" y="{y + 13}">{escape(_fit(span.text, w))}</text></g>'
        )


def _views(
    simulation: Simulation, place: int, told: dict[int, ViewSummary], y: int
) -> Iterator[str]:
    """Draw the strip of views that a node was in, coloured by how each ended."""
    entries = simulation.trace.entries
    entered = [e for e in entries if e.place == place and e.kind in ("enter", "crash")]
    ends = [entry.time_ms for entry in entered[1:]] + [simulation.world.now_ms]
    for entry, end_ms in zip(entered, ends, strict=True):
        if entry.kind != "enter":
            continue
        x, w = LEFT + _x(entry.time_ms), max(1, _x(end_ms - entry.time_ms))
        summary = told[entry.view]
        kind, leads = OUTCOMES[summary.outcome], summary.leader == place
        what = f"{'leads' if leads else 'in'} view {name_spot(entry.view)}, which ended {kind}"
        why = f": {'; '.join(summary.why)}" if summary.why else ""
        yield (
            f'<rect class="view {kind}{" leads" * leads}" data-v="{entry.view}" x="{x}" '
            f'y="{y + 33}" width="{w}" height="9"><title>{escape(what + why)}</title></rect>'
        )
        if w > 14:
            yield f'<text class="number" x="{x + 2}" y="{y + 41}">{name_spot(entry.view)}</text>'


def _marks(simulation: Simulation) -> Iterator[str]:
    drawn = 0
    leader = simulation.oracle.who_leads
    for entry in simulation.trace.entries:
        if entry.kind == "propose":
            wanted = entry.place == leader(entry.view)
        else:
            wanted = entry.kind in ROW_OF or entry.kind == "final"
        if wanted and drawn < MARKS_MAX:
            drawn += 1
            yield _mark(entry)


def _mark(entry: Entry) -> str:
    x, top = LEFT + _x(entry.time_ms), TOP + LANE * entry.place
    title = f"<title>{escape(entry.line().strip())}</title>"
    about = f'data-v="{entry.view}"'
    if entry.kind == "final":
        return (
            f'<g class="commit" {about}>{title}<rect x="{x - 1}" y="{top + 3}" width="3" '
            f'height="29"/></g>'
        )
    y = top + ROW_OF[entry.kind]
    match entry.kind:
        case "propose":
            shape = f'<path d="M{x} {y - 6}l6 6-6 6-6-6z"/>'
        case "notarize":
            shape = f'<circle cx="{x}" cy="{y}" r="4"/>'
        case "nullify":
            shape = f'<path class="cross" d="M{x - 4} {y - 4}l8 8m0-8l-8 8"/>'
        case "finalize":
            shape = f'<rect x="{x - 4}" y="{y - 4}" width="8" height="8"/>'
        case _:
            kind = entry.text.split()[0]
            return f'<g class="holds {kind}" {about}>{title}<circle cx="{x}" cy="{y}" r="3.5"/></g>'
    return f'<g class="{entry.kind}" {about}>{title}{shape}</g>'


def _has_failed(summary: ViewSummary) -> bool:
    return summary.outcome not in ("final", "open")


def _button(summary: ViewSummary) -> str:
    return f'<button data-to="{summary.view}">{name_spot(summary.view)}</button>'


def _reasons(summaries: list[ViewSummary], end_ms: int, top: int) -> Iterator[str]:
    """Say under the lanes why views failed, on three lines in turn so that there is room."""
    failed = [summary for summary in summaries if _has_failed(summary)]
    for number, summary in enumerate(failed):
        next_ms = failed[number + 3].begin_ms if number + 3 < len(failed) else end_ms
        x, y = LEFT + _x(summary.begin_ms), top + 12 + 13 * (number % 3)
        why = "; ".join(dict.fromkeys(summary.why))
        text = f"{name_spot(summary.view)}: {why}"
        room = max(60, min(900, _x(next_ms - summary.begin_ms)))
        yield (
            f'<g class="reason" data-v="{summary.view}"><title>{escape(text)}</title>'
            f'<line x1="{x}" x2="{x}" y1="{top - 11}" y2="{y + 2}"/>'
            f'<text x="{x + 4}" y="{y}">{escape(_fit(text, room))}</text></g>'
        )


def _labels(simulation: Simulation) -> Iterator[str]:
    """Name the lanes: who, how much stake, and who lies."""
    total, members = simulation.topology.total, len(simulation.topology.keys)
    yield f'<div class="label" style="top:22px;height:{TOP - 26}px"><b>network</b></div>'
    below = TOP + LANE * len(simulation.processes)
    yield f'<div class="label" style="top:{below}px"><b>why views failed</b></div>'
    for process in simulation.processes:
        stake = 100 * simulation.topology.stake({process.member}) / total
        how = simulation.roles.liars.get(process.member, "")
        twin = f" (v{process.member} again)" if process.place >= members else ""
        liar = f"<i>{escape(how)}{twin}</i>" if how else ""
        top = TOP + LANE * process.place
        yield (
            f'<div class="label" style="top:{top}px;height:{LANE - 1}px"><b>v{process.place}</b> '
            f"{stake:.0f} %{liar}</div>"
        )


def _row(summary: ViewSummary) -> str:
    """Tell one view in a row."""
    shares = " ".join(
        f'<span class="share {name}" title="{name}: {summary.shares.get(name, 0)} % of stake">'
        f'<i style="width:{min(100, summary.shares.get(name, 0))}%"></i>'
        f"{summary.shares.get(name, 0)} %</span>"
        for name in ("notarize", "nullify", "finalize")
    )
    why = escape("; ".join(dict.fromkeys(summary.why)))
    return (
        f'<tr data-view="{summary.view}" data-x="{_x(summary.begin_ms)}" tabindex="0">'
        f"<td>{name_spot(summary.view)}</td><td>v{summary.leader}</td>"
        f"<td>{summary.begin_ms / 1000:.3f} s</td>"
        f'<td><span class="pill {OUTCOMES[summary.outcome]}">{summary.outcome}</span></td>'
        f"<td>{shares}</td><td>{why}</td></tr>"
    )
