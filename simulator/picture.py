"""The picture of one seed: a page of its own, no other file needed, dark or light.

Validators are lanes, time runs to the right. A lane shows the views that its node was in, what it
signed, which certificates it held, and when it was down; the lane on top shows the network's
faults. Below it, every view is told in a line: how it ended and what stood in its way. A click on
a line lights up the view.
"""

from collections.abc import Iterator
from html import escape
from string import Template
from typing import Final

from simulator.simulation import Outcome, Simulation
from simulator.story import Span, ViewStory, find_spans, tell_views
from simulator.trace import WORLD, Entry, name_spot

LANE: Final = 44
LEFT: Final = 168
TOP: Final = 62
PER_SECOND: Final = 220
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


def draw(simulation: Simulation, outcome: Outcome) -> str:
    """Draw a recorded simulation as an HTML page."""
    stories, spans = tell_views(simulation), find_spans(simulation)
    lanes = len(simulation.processes)
    end_ms = max(1, simulation.world.now_ms)
    width, height = LEFT + _x(end_ms) + 40, TOP + LANE * (lanes + 1) + 10
    drawing = [
        *_axis(end_ms, height),
        *_network(simulation, spans),
        *_lanes(simulation, stories, spans, width),
        *_marks(simulation),
    ]
    return _PAGE.substitute(
        title=escape(f"seed {outcome.seed} of {outcome.scenario}"),
        verdict=_verdict(outcome, simulation.note),
        summary=escape(simulation.scenario.summary),
        facts=escape(_facts(simulation, outcome)),
        width=width,
        height=height,
        drawing="\n".join(drawing),
        labels="\n".join(_labels(simulation)),
        left=LEFT,
        rows="\n".join(_row(story) for story in stories),
    )


def _x(time_ms: int) -> int:
    return time_ms * PER_SECOND // 1000


def _verdict(outcome: Outcome, note: str) -> str:
    if note and not outcome.breach:
        return f'<p class="breach"><b>A fork, as expected.</b> {escape(note)}.</p>'
    if outcome.breach:
        return f'<p class="breach"><b>Failed.</b> {escape(outcome.breach)}</p>'
    return '<p class="held"><b>Every invariant held.</b></p>'


def _facts(simulation: Simulation, outcome: Outcome) -> str:
    weather = simulation.network.weather
    recovery = f"recovered in {outcome.recovery_ms} ms, " if outcome.recovery_ms >= 0 else ""
    return (
        f"{outcome.members} validators, height {outcome.height}, {outcome.views} views, "
        f"{outcome.virtual_ms / 1000:.1f} s of virtual time, {outcome.messages} messages; "
        f"{recovery}mean delay {weather.delay_ms} ms, loss {weather.loss:.0%}, "
        f"replay {weather.replay:.0%}; trace {outcome.digest}"
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
            y = TOP + LANE * len(simulation.processes)
            kind = entry.kind.lower()
            yield f'<line class="{kind}" x1="{x}" x2="{x}" y1="18" y2="{y}"/>'
            yield f'<text class="{kind}" x="{x + 4}" y="{y + 14}">{escape(entry.text[:90])}</text>'


def _fit(text: str, width: int) -> str:
    room = max(0, (width - 8) // 5)
    return text if len(text) <= room else text[: max(0, room - 1)] + ("…" if room > 3 else "")


def _lanes(
    simulation: Simulation, stories: list[ViewStory], spans: list[Span], width: int
) -> Iterator[str]:
    """Draw each lane's ground: the line, the views, the times when it was down."""
    outcomes = {story.view: OUTCOMES[story.outcome] for story in stories}
    for process in simulation.processes:
        y = TOP + LANE * process.place
        yield f'<line class="lane" x1="{LEFT}" x2="{width}" y1="{y + LANE}" y2="{y + LANE}"/>'
        yield from _views(simulation, process.place, outcomes, y)
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


def _views(simulation: Simulation, place: int, outcomes: dict[int, str], y: int) -> Iterator[str]:
    """Draw the strip of views that a node was in, coloured by how each ended."""
    entries = simulation.trace.entries
    entered = [e for e in entries if e.place == place and e.kind in ("enter", "crash")]
    ends = [entry.time_ms for entry in entered[1:]] + [simulation.world.now_ms]
    for entry, end_ms in zip(entered, ends, strict=True):
        if entry.kind != "enter":
            continue
        x, w = LEFT + _x(entry.time_ms), max(1, _x(end_ms - entry.time_ms))
        kind = outcomes.get(entry.view, "open")
        yield (
            f'<rect class="view {kind}" data-v="{entry.view}" x="{x}" y="{y + 33}" '
            f'width="{w}" height="9"><title>in view {name_spot(entry.view)}, which ended '
            f"{kind}</title></rect>"
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


def _labels(simulation: Simulation) -> Iterator[str]:
    """Name the lanes: who, how much stake, and who lies."""
    total, members = simulation.cast.total, len(simulation.cast.keys)
    yield f'<div class="label" style="top:22px;height:{TOP - 26}px"><b>network</b></div>'
    for process in simulation.processes:
        stake = 100 * simulation.cast.stake({process.member}) / total
        how = simulation.casting.liars.get(process.member, "")
        twin = f" (v{process.member} again)" if process.place >= members else ""
        liar = f"<i>{escape(how)}{twin}</i>" if how else ""
        top = TOP + LANE * process.place
        yield (
            f'<div class="label" style="top:{top}px;height:{LANE - 1}px"><b>v{process.place}</b> '
            f"{stake:.0f} %{liar}</div>"
        )


def _row(story: ViewStory) -> str:
    """Tell one view in a row."""
    shares = " ".join(
        f'<span class="share {name}" title="{name}: {story.shares.get(name, 0)} % of stake">'
        f'<i style="width:{min(100, story.shares.get(name, 0))}%"></i>'
        f"{story.shares.get(name, 0)} %</span>"
        for name in ("notarize", "nullify", "finalize")
    )
    why = escape("; ".join(dict.fromkeys(story.why)))
    return (
        f'<tr data-view="{story.view}" data-x="{_x(story.begin_ms)}" tabindex="0">'
        f"<td>{name_spot(story.view)}</td><td>v{story.leader}</td>"
        f"<td>{story.begin_ms / 1000:.3f} s</td>"
        f'<td><span class="pill {OUTCOMES[story.outcome]}">{story.outcome}</span></td>'
        f"<td>{shares}</td><td>{why}</td></tr>"
    )


_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root{color-scheme:light dark;--ground:#fff;--panel:#f6f7f9;--ink:#16202c;--soft:#5b6875;
--line:#dde2e8;--final:#1f8a4c;--note:#2a6fdb;--null:#d9730d;--lead:#7a3fd1;--bad:#c62828;
--down:#aeb6c0;--open:#9aa4af}
@media(prefers-color-scheme:dark){:root{--ground:#11161c;--panel:#1a212a;--ink:#e8edf2;
--soft:#9aa8b5;--line:#2b3540;--final:#4cc47f;--note:#6ea8ff;--null:#ffab5c;--lead:#b993ff;
--bad:#ff7b72;--down:#56616d;--open:#6b7783}}
*{box-sizing:border-box}
body{margin:0;padding:20px 24px 60px;background:var(--ground);color:var(--ink);
font:14px/1.5 system-ui,sans-serif}
h1{font-size:20px;margin:0 0 2px}p{margin:2px 0}.soft{color:var(--soft);max-width:110ch}
.breach{color:var(--bad);border-left:4px solid var(--bad);padding-left:10px;max-width:110ch}
.held{color:var(--final);border-left:4px solid var(--final);padding-left:10px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:12px 0;color:var(--soft);
align-items:center}
.legend svg{vertical-align:-3px;margin-right:4px}
.board{position:relative;border:1px solid var(--line);border-radius:8px;overflow:hidden;
background:var(--panel)}
.scroll{overflow-x:auto}.labels{position:absolute;left:0;top:0;bottom:0;width:${left}px;
background:var(--panel);border-right:1px solid var(--line);z-index:1}
.label{position:absolute;left:10px;right:6px;line-height:1.25;padding-top:5px;overflow:hidden}
.label i{display:block;font-size:12px;color:var(--bad);font-style:normal;white-space:nowrap}
svg text{font:11px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--line)}.lane{stroke:var(--line)}svg .tick{fill:var(--soft)}
.propose{fill:var(--lead)}.notarize{fill:var(--note)}.finalize{fill:var(--final)}
.cross{stroke:var(--null);stroke-width:2.4;fill:none}.commit{fill:var(--final)}
.holds{fill:none;stroke-width:1.8}.holds.notarization{stroke:var(--note)}
.holds.nullification{stroke:var(--null)}.holds.finalization{stroke:var(--final)}
.view{opacity:.55;stroke:var(--panel);stroke-width:1}.view.final{fill:var(--final)}
.view.notarized{fill:var(--note)}.view.nullified{fill:var(--null)}.view.open{fill:var(--open)}
.view.forked{fill:var(--bad)}.pill.forked{color:var(--bad)}
svg .number{font-size:9px;fill:var(--ground);font-weight:600}
.down rect{fill:var(--down);opacity:.55}.paused rect{fill:var(--lead);opacity:.22}
.cut rect{fill:var(--bad);opacity:.35}.clog rect{fill:var(--null);opacity:.35}
.cut text,.clog text{font-size:9px}
line.heal{stroke:var(--final);stroke-width:2;stroke-dasharray:5 4}svg text.heal{fill:var(--final)}
line.breach{stroke:var(--bad);stroke-width:2.5}svg text.breach{fill:var(--bad);font-weight:600}
.lit [data-v]{opacity:.12}.lit [data-v].on{opacity:1}
table{border-collapse:collapse;margin-top:18px;width:100%}th{text-align:left;color:var(--soft);
font-weight:500}td,th{padding:4px 10px 4px 0;border-bottom:1px solid var(--line);
vertical-align:top}tr[data-view]{cursor:pointer}tr[data-view]:hover,tr.on{background:var(--panel)}
td:nth-child(-n+3){white-space:nowrap}
.pill{border-radius:9px;padding:0 8px;white-space:nowrap;border:1px solid currentColor}
.pill.final{color:var(--final)}.pill.notarized{color:var(--note)}
.pill.nullified{color:var(--null)}.pill.open{color:var(--soft)}
.share{display:inline-block;position:relative;width:64px;padding:0 4px;margin-right:4px;
font-size:12px;border:1px solid var(--line);border-radius:3px;overflow:hidden;z-index:0}
.share i{position:absolute;left:0;top:0;bottom:0;opacity:.35;z-index:-1;background:var(--note)}
.share.nullify i{background:var(--null)}.share.finalize i{background:var(--final)}
</style></head><body>
<h1>$title</h1><p class="soft">$summary</p>$verdict<p class="soft">$facts</p>
<div class="legend">
<span><svg width="14" height="14" class="propose"><path d="M7 1l6 6-6 6-6-6z"/></svg>proposal</span>
<span><svg width="12" height="12" class="notarize"><circle cx="6" cy="6" r="4"/></svg>
notarize</span>
<span><svg width="12" height="12"><path class="cross" d="M2 2l8 8m0-8l-8 8"/></svg>nullify</span>
<span><svg width="12" height="12" class="finalize"><rect x="2" y="2" width="8" height="8"/></svg>
finalize</span>
<span><svg width="12" height="12" class="holds notarization"><circle cx="6" cy="6" r="4"/></svg>
<svg width="12" height="12" class="holds nullification"><circle cx="6" cy="6" r="4"/></svg>
<svg width="12" height="12" class="holds finalization"><circle cx="6" cy="6" r="4"/></svg>
holds a certificate</span>
<span><svg width="6" height="14" class="commit"><rect x="1" width="3" height="14"/></svg>
block final here</span>
<span><svg width="44" height="10"><rect class="view final" width="14" height="10"/>
<rect class="view notarized" x="15" width="14" height="10"/>
<rect class="view nullified" x="30" width="14" height="10"/></svg>
view that ended final, notarized, nullified</span>
<span><svg width="16" height="10" class="down"><rect width="16" height="10"/></svg>down</span>
<span><svg width="16" height="10" class="cut"><rect width="16" height="10"/></svg>cut</span>
<span><svg width="16" height="10" class="clog"><rect width="16" height="10"/></svg>clog</span>
</div>
<div class="board"><div class="scroll">
<svg id="s" width="$width" height="$height" role="img" aria-label="$title">$drawing</svg></div>
<div class="labels">$labels</div></div>
<table><thead><tr><th>view</th><th>leader</th><th>entered</th><th>ended</th>
<th>notarize, nullify, finalize (stake)</th><th>what stood in the way</th></tr></thead>
<tbody>$rows</tbody></table>
<script>
const svg=document.getElementById("s"),rows=document.querySelectorAll("tr[data-view]");
function light(row){const on=row.classList.contains("on");
rows.forEach(r=>r.classList.remove("on"));
svg.querySelectorAll(".on").forEach(e=>e.classList.remove("on"));
svg.classList.toggle("lit",!on);if(on)return;row.classList.add("on");
svg.querySelectorAll('[data-v="'+row.dataset.view+'"]').forEach(e=>e.classList.add("on"));
svg.parentElement.scrollTo({left:Math.max(0,row.dataset.x-80),behavior:"smooth"});
svg.scrollIntoView({block:"nearest"})}
rows.forEach(r=>{r.onclick=()=>light(r);
r.onkeydown=e=>{if(e.key==="Enter")light(r)}});
</script></body></html>
""")
