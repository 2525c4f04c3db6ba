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
class ViewStory:
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


def tell_views(simulation: Simulation) -> list[ViewStory]:
    """Tell every view that anyone entered."""
    stories: dict[int, ViewStory] = {}
    for entry in simulation.trace.entries:
        if entry.view < 1:
            continue
        if entry.kind == "enter" and entry.view not in stories:
            leader = simulation.oracle.who_leads(entry.view)
            assert leader is not None, "an epoch that was entered is settled"
            stories[entry.view] = ViewStory(entry.view, leader, "open", entry.time_ms)
        story = stories.get(entry.view)
        if story is None:
            continue
        if entry.kind == "propose" and entry.place == story.leader and story.proposed_ms is None:
            story.proposed_ms = entry.time_ms
        if entry.kind == "final" and story.final_ms is None:
            story.final_ms = entry.time_ms
        if entry.kind == "enter":
            story.entered_ms.setdefault(entry.place, entry.time_ms)
        if entry.kind in ("notarize", "nullify", "finalize"):
            story.signed_ms.setdefault(entry.kind, {}).setdefault(entry.place, entry.time_ms)
    spans = find_spans(simulation)
    told = [stories[view] for view in sorted(stories)]
    for story, following in zip(told, [*told[1:], None], strict=True):
        end_ms = following.begin_ms if following else simulation.world.now_ms
        _count(simulation, story)
        _explain(simulation, story, end_ms, spans)
    return told


def _count(simulation: Simulation, story: ViewStory) -> None:
    """Sum what was signed about a view, and say how it ended."""
    ballots = simulation.oracle.ballots
    epoch, view = divmod(story.view, EPOCH_STEP)
    total = simulation.oracle.rolls.roll(epoch).total
    reached = {int(s.kind) for s in ballots.reached.get((epoch, view), ())}
    signed: dict[int, int] = {}
    for subject, stake in ballots.stakes.items():
        if (subject.epoch, subject.view) == (epoch, view):
            kind = int(subject.kind)
            signed[kind] = max(stake, signed.get(kind, 0))
            story.blocks += kind == NOTARIZE
            story.blocks_final += kind == FINALIZE and ballots.has_quorum(subject)
    names = {NOTARIZE: "notarize", NULLIFY: "nullify", FINALIZE: "finalize"}
    story.shares = {names[kind]: 100 * stake // total for kind, stake in signed.items()}
    if FINALIZE in reached and (NULLIFY in reached or story.blocks_final > 1):
        story.outcome = "forked"
    elif story.final_ms is not None:
        story.outcome = "final" if FINALIZE in reached else "final through a later view"
    elif NOTARIZE in reached:
        story.outcome = "notarized and nullified" if NULLIFY in reached else "notarized"
    elif NULLIFY in reached:
        story.outcome = "nullified"


def _explain(simulation: Simulation, story: ViewStory, end_ms: int, spans: list[Span]) -> None:
    """Collect what stood in the way of a view."""
    if story.outcome == "forked":
        story.why.append("quorums signed what excludes each other")
    if story.outcome in ("final", "forked"):
        return
    how = simulation.casting.liars.get(story.leader)
    if how is not None:
        story.why.append(f"its leader v{story.leader} lies ({how})")
    for span in spans:
        if not _overlap(span, story.begin_ms, end_ms):
            continue
        if span.place == story.leader:
            story.why.append(f"its leader v{story.leader} was {span.kind}: {span.text}")
        elif span.kind in ("cut", "clog"):
            story.why.append(span.text)
    if story.outcome == "open":
        story.why.append("the simulation ended before it did")
    else:
        story.why += _why_not_final(simulation, story, end_ms, spans)


def _why_not_final(
    simulation: Simulation, story: ViewStory, end_ms: int, spans: list[Span]
) -> Iterator[str]:
    """Say how far a view came that ended without finality of its own."""
    if story.proposed_ms is None:
        yield _why_not_proposed(story)
    elif story.outcome == "nullified":
        share = story.shares.get("notarize", 0)
        yield f"a block was proposed, and {share} % of stake notarized it in time"
        yield from _why_not_notarized(simulation, story, end_ms, spans)
    if story.blocks > 1:
        yield f"votes went to {story.blocks} blocks"
    if story.outcome.startswith("notarized") or story.outcome.startswith("final through"):
        yield f"{story.shares.get('finalize', 0)} % of stake signed it final"


def _why_not_proposed(story: ViewStory) -> str:
    """Say what kept the leader from proposing, as far as it shows."""
    entered_ms = story.entered_ms.get(story.leader)
    gave_up_ms = min(story.signed_ms.get("nullify", {}).values(), default=None)
    if entered_ms is None:
        return f"its leader v{story.leader} never came to it"
    if gave_up_ms is not None and entered_ms > gave_up_ms:
        return (
            f"its leader v{story.leader} came {entered_ms - gave_up_ms} ms after the first gave up"
        )
    return f"its leader v{story.leader} was there and proposed nothing"


def _why_not_notarized(
    simulation: Simulation, story: ViewStory, end_ms: int, spans: list[Span]
) -> Iterator[str]:
    """Say what those did instead who did not notarize the block."""
    assert story.proposed_ms is not None
    groups: dict[str, list[int]] = {}
    nullified_ms = story.signed_ms.get("nullify", {})
    for process in simulation.processes:
        place = process.place
        if place in story.signed_ms.get("notarize", {}):
            continue
        gone = [s for s in spans if s.place == place and _overlap(s, story.begin_ms, end_ms)]
        if place in simulation.casting.liars:
            what = "lies"
        elif place in nullified_ms:
            early = nullified_ms[place] < story.proposed_ms
            what = f"gave up {'before it was sent' if early else 'waiting for it'}"
        elif gone:
            what = f"was {gone[0].kind}"
        else:
            what = "said nothing"
        groups.setdefault(what, []).append(place)
    for what, places in groups.items():
        stake = simulation.cast.stake({simulation.processes[place].member for place in places})
        names = ", ".join(f"v{place}" for place in places)
        yield f"{names} ({100 * stake // simulation.cast.total} %) {what}"


def _overlap(span: Span, begin_ms: int, end_ms: int) -> bool:
    return span.begin_ms < end_ms and span.end_ms > begin_ms
