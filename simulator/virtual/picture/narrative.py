"""What became of each view of a recorded simulation, and why: the words beside the picture."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.virtual.oracle.ballots import FINALIZE, NOTARIZE, NULLIFY
from simulator.virtual.simulation import Simulation
from simulator.virtual.trace import EPOCH_STEP, WORLD, Entry


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted: a crash until the restart, a cut until it was mended."""

    place: int
    kind: str
    begin_ms: int
    end_ms: int
    text: str


@dataclass(slots=True)
class ViewSummary:
    """One view: who led it, what was signed, how it ended, and why it was not better."""

    view: int
    leader: int
    outcome: str
    begin_ms: int
    proposed_ms: int | None = None
    final_ms: int | None = None
    shares: dict[str, int] = field(default_factory=dict)
    """Per cent of stake that signed each kind; for notarize, of the block that got most."""
    blocks: int = 0
    blocks_final: int = 0
    why: list[str] = field(default_factory=list)
    entered_ms: dict[int, int] = field(default_factory=dict)
    """When each place came to this view."""
    signed_ms: dict[str, dict[int, int]] = field(default_factory=dict)
    """When each place signed each kind, the first time."""


def find_spans(simulation: Simulation) -> list[Span]:
    """Pair beginnings and ends: down, paused, cut, clogged."""
    end_ms = simulation.world.now_ms
    spans: list[Span] = []
    down: dict[int, Entry] = {}
    cuts: dict[str, Entry] = {}
    for entry in simulation.trace.entries:
        match entry.kind:
            case "crash":
                down[entry.place] = entry
            case "up":
                if (crash := down.pop(entry.place, None)) is not None:
                    spans.append(
                        Span(entry.place, "down", crash.time_ms, entry.time_ms, crash.text)
                    )
            case "pause":
                wait_ms = int(entry.text.split()[0])
                spans.append(
                    Span(
                        entry.place,
                        "paused",
                        entry.time_ms,
                        entry.time_ms + wait_ms,
                        f"paused {wait_ms} ms",
                    )
                )
            case "fault":
                _note_fault(entry, cuts, spans)
    spans += [Span(p, "down", e.time_ms, end_ms, e.text) for p, e in down.items()]
    spans += [Span(WORLD, "cut", e.time_ms, end_ms, e.text) for e in cuts.values()]
    return sorted(spans, key=lambda span: (span.begin_ms, span.place, span.kind))


def _note_fault(entry: Entry, cuts: dict[str, Entry], spans: list[Span]) -> None:
    if entry.text.startswith("cut, "):
        cuts[entry.text.removeprefix("cut, ").rsplit(", for", 1)[0]] = entry
    elif entry.text.startswith("mended, "):
        begun = cuts.pop(entry.text.removeprefix("mended, "), None)
        if begun is not None:
            spans.append(Span(WORLD, "cut", begun.time_ms, entry.time_ms, begun.text))
    elif "until" in entry.text:
        until_ms = int(float(entry.text.rsplit("until ", 1)[1].split()[0]) * 1000)
        spans.append(Span(WORLD, "clog", entry.time_ms, until_ms, entry.text))


def summarize_views(simulation: Simulation) -> list[ViewSummary]:
    """Tell every view that anyone entered."""
    summaries: dict[int, ViewSummary] = {}
    for entry in simulation.trace.entries:
        if entry.view < 1:
            continue
        if entry.kind == "enter" and entry.view not in summaries:
            leader = simulation.oracle.who_leads(entry.view)
            assert leader is not None, "an epoch that was entered is settled"
            summaries[entry.view] = ViewSummary(entry.view, leader, "open", entry.time_ms)
        summary = summaries.get(entry.view)
        if summary is None:
            continue
        if (
            entry.kind == "propose"
            and entry.place == summary.leader
            and summary.proposed_ms is None
        ):
            summary.proposed_ms = entry.time_ms
        if entry.kind == "final" and summary.final_ms is None:
            summary.final_ms = entry.time_ms
        if entry.kind == "enter":
            summary.entered_ms.setdefault(entry.place, entry.time_ms)
        if entry.kind in ("notarize", "nullify", "finalize"):
            summary.signed_ms.setdefault(entry.kind, {}).setdefault(entry.place, entry.time_ms)
    spans = find_spans(simulation)
    told = [summaries[view] for view in sorted(summaries)]
    for summary, following in zip(told, [*told[1:], None], strict=True):
        end_ms = following.begin_ms if following else simulation.world.now_ms
        _count(simulation, summary)
        _explain(simulation, summary, end_ms, spans)
    return told


def _count(simulation: Simulation, summary: ViewSummary) -> None:
    """Sum what was signed about a view, and say how it ended."""
    ballots = simulation.oracle.ballots
    epoch, view = divmod(summary.view, EPOCH_STEP)
    total = simulation.oracle.committees.of(epoch).total
    reached = {int(s.kind) for s in ballots.reached.get((epoch, view), ())}
    signed: dict[int, int] = {}
    for subject, stake in ballots.stakes.items():
        if (subject.epoch, subject.view) == (epoch, view):
            kind = int(subject.kind)
            signed[kind] = max(stake, signed.get(kind, 0))
            summary.blocks += kind == NOTARIZE
            summary.blocks_final += kind == FINALIZE and ballots.has_quorum(subject)
    names = {NOTARIZE: "notarize", NULLIFY: "nullify", FINALIZE: "finalize"}
    summary.shares = {names[kind]: 100 * stake // total for kind, stake in signed.items()}
    if FINALIZE in reached and (NULLIFY in reached or summary.blocks_final > 1):
        summary.outcome = "forked"
    elif summary.final_ms is not None:
        summary.outcome = "final" if FINALIZE in reached else "final through a later view"
    elif NOTARIZE in reached:
        summary.outcome = "notarized and nullified" if NULLIFY in reached else "notarized"
    elif NULLIFY in reached:
        summary.outcome = "nullified"


def _explain(simulation: Simulation, summary: ViewSummary, end_ms: int, spans: list[Span]) -> None:
    """Collect what stood in the way of a view."""
    if summary.outcome == "forked":
        summary.why.append("quorums signed what excludes each other")
    if summary.outcome in ("final", "forked"):
        return
    how = simulation.roles.liars.get(summary.leader)
    if how is not None:
        summary.why.append(f"its leader v{summary.leader} lies ({how})")
    for span in spans:
        if not _overlap(span, summary.begin_ms, end_ms):
            continue
        if span.place == summary.leader:
            summary.why.append(f"its leader v{summary.leader} was {span.kind}: {span.text}")
        elif span.kind in ("cut", "clog"):
            summary.why.append(span.text)
    if summary.outcome == "open":
        summary.why.append("the simulation ended before it did")
    else:
        summary.why += _why_not_final(simulation, summary, end_ms, spans)


def _why_not_final(
    simulation: Simulation, summary: ViewSummary, end_ms: int, spans: list[Span]
) -> Iterator[str]:
    """Say how far a view came that ended without finality of its own."""
    if summary.proposed_ms is None:
        yield _why_not_proposed(summary)
    elif summary.outcome == "nullified":
        share = summary.shares.get("notarize", 0)
        yield f"a block was proposed, and {share} % of stake notarized it in time"
        yield from _why_not_notarized(simulation, summary, end_ms, spans)
    if summary.blocks > 1:
        yield f"votes went to {summary.blocks} blocks"
    if summary.outcome.startswith("notarized") or summary.outcome.startswith("final through"):
        yield f"{summary.shares.get('finalize', 0)} % of stake signed it final"


def _why_not_proposed(summary: ViewSummary) -> str:
    """Say what kept the leader from proposing, as far as it shows."""
    entered_ms = summary.entered_ms.get(summary.leader)
    gave_up_ms = min(summary.signed_ms.get("nullify", {}).values(), default=None)
    if entered_ms is None:
        return f"its leader v{summary.leader} never came to it"
    if gave_up_ms is not None and entered_ms > gave_up_ms:
        late_ms = entered_ms - gave_up_ms
        return f"its leader v{summary.leader} came {late_ms} ms after the first gave up"
    return f"its leader v{summary.leader} was there and proposed nothing"


def _why_not_notarized(
    simulation: Simulation, summary: ViewSummary, end_ms: int, spans: list[Span]
) -> Iterator[str]:
    """Say what those did instead who did not notarize the block."""
    assert summary.proposed_ms is not None
    groups: dict[str, list[int]] = {}
    nullified_ms = summary.signed_ms.get("nullify", {})
    for process in simulation.processes:
        place = process.place
        if place in summary.signed_ms.get("notarize", {}):
            continue
        gone = [s for s in spans if s.place == place and _overlap(s, summary.begin_ms, end_ms)]
        if place in simulation.roles.liars:
            what = "lies"
        elif place in nullified_ms:
            early = nullified_ms[place] < summary.proposed_ms
            what = f"gave up {'before it was sent' if early else 'waiting for it'}"
        elif gone:
            what = f"was {gone[0].kind}"
        else:
            what = "said nothing"
        groups.setdefault(what, []).append(place)
    for what, places in groups.items():
        stake = simulation.topology.stake({simulation.processes[place].member for place in places})
        names = ", ".join(f"v{place}" for place in places)
        yield f"{names} ({100 * stake // simulation.topology.total} %) {what}"


def _overlap(span: Span, begin_ms: int, end_ms: int) -> bool:
    return span.begin_ms < end_ms and span.end_ms > begin_ms
