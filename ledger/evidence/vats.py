"""Vats: milk that is heated where it stands, and then drains (spec evidence §4.5).

A vat is followed in order of time, from where the line's last window left it (`VatState`). What is
told of a time rests on no later sample than the next of each instrument. So windows may be cut
where one likes, in the hold or in the drain, and the same drains.

One hold serves one drain. From the hold's beginning until the vat is empty its level, with what
drained since added to it, never rises above the lowest that it was: so neither raw milk on top nor
what is poured in drop by drop drains as milk that was held.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ledger.evidence.draining import Draining
from ledger.evidence.flowing import Totals, near_pairs
from ledger.evidence.holding import Drain, HeldVat
from ledger.evidence.spans import Spans, clip, covers, intersect, merge, subtract
from ledger.evidence.terms import WindowTerms
from ledger.evidence.watching import Watch, all_see
from ledger.primitives.keys import PublicKey
from ledger.types.evidence import Instrument
from ledger.types.vat import VatState

_FLOWS, _READS, _ENDS, _BEGINS, _LATER = range(5)
"""What goes first of what happens at one time; last, what the next window has of the end."""

Event = tuple[int, int, Callable[[], None]]
"""When it happens, what goes first, and what it does to the vat."""


def keep_drains(
    terms: WindowTerms,
    places: Mapping[Instrument, list[Watch]],
    good: Mapping[Instrument, list[Spans]],
    flow: Watch,
) -> tuple[VatState | None, Sequence[Drain]]:
    """Let a vat's hold thermometers be good while what it held drains, and at no other time.

    Give what the next window must know of the vat, and its drains.
    """
    gauges, thermometers = places[Instrument.TANK_GAUGE], places[Instrument.HOLD_THERMOMETER]
    holds = good[Instrument.HOLD_THERMOMETER]
    sealed = subtract(all_see(gauges, good[Instrument.TANK_GAUGE]), _disbelieved(thermometers))
    hot = intersect(all_see(thermometers, holds), sealed)
    seen = _Seen({each.track.device: each for each in gauges}, flow, sealed, hot)
    scale = Draining(terms, flow, Totals.of(flow.track))
    vat = HeldVat(scale, seen.gauges, terms.from_ms, terms.known)
    before = terms.line.vat
    lost = any(each.track.broken for each in (flow, *gauges, *thermometers))
    if lost or terms.hidden is not None:
        # Nobody knows what was since its journal was lost, or as it measured nothing.
        before = None
    _begin(vat, terms, seen, before)
    state = _follow(vat, terms, seen)
    drained = sorted((each.from_ms, each.until_ms) for each in vat.drains)
    holds[:] = [merge(each for each in drained if each[0] < each[1]) for _ in holds]
    return state, vat.drains


def _disbelieved(devices: Sequence[Watch]) -> Spans:
    """Give when one of a place stands on duty and is not in force.

    It need not be heard while milk drains. But where it is stopped, nobody knows what its word of
    the hold was worth; and its own word of tampering refutes all that counts after it.
    """
    return merge(sorted(span for each in devices for span in subtract([each.duty()], each.force)))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen of a vat: when what stands in it is known (`sealed`), when it is hot too.

    Its level is seen then, and every hold thermometer is in force.
    """

    gauges: Mapping[PublicKey, Watch]
    flow: Watch
    sealed: Spans
    hot: Spans

    def still(self) -> Spans:
        """Give when it stands hot, and nothing could flow unseen."""
        times = self.flow.track.times
        return intersect(self.hot, clip(self.flow.serving(), times[0], times[-1]) if times else [])


def _begin(vat: HeldVat, terms: WindowTerms, seen: _Seen, before: VatState | None) -> None:
    """Go on from where the last window left the vat, if that is how this one finds it."""
    from_ms = terms.from_ms
    sealed, hot, still = (
        covers(spans, from_ms, from_ms + 1) for spans in (seen.sealed, seen.hot, seen.still())
    )
    if before and _follows(before, terms, seen):
        vat.go_on(before, from_ms, sealed=sealed, hot=hot, still=still)
    elif still:
        vat.is_still(from_ms)


def _follows(before: VatState, terms: WindowTerms, seen: _Seen) -> bool:
    """Tell whether the same instruments go on, and what was hot is hot for this kind too."""
    return (
        seen.flow.track.device == terms.line.flow_device
        and all(each.device in seen.gauges for each in before.gauges)
        and before.least_mdegc >= terms.limits.hold[0]
    )


def _follow(vat: HeldVat, terms: WindowTerms, seen: _Seen) -> VatState | None:
    """Let all happen to a vat that was read; give what it is where the window ends."""
    events = sorted(_events(vat, terms, seen), key=lambda event: event[:2])
    own = bisect_right(events, (terms.to_ms, _BEGINS), key=lambda event: event[:2])
    _happen(vat, events[:own])
    vat.pass_to(terms.to_ms)
    state = vat.state(terms.to_ms, terms.limits.hold[0])
    _happen(vat, events[own:])
    return state


def _happen(vat: HeldVat, events: Sequence[Event]) -> None:
    for at_ms, _, happens in events:
        vat.pass_to(at_ms)
        happens()


def _events(vat: HeldVat, terms: WindowTerms, seen: _Seen) -> Iterator[Event]:
    """Give what happens to a vat in this window, in any order."""
    from_ms, track = terms.from_ms, seen.flow.track
    heard = near_pairs(track, terms.line, terms.rules)
    for i in range(terms.known + 1, len(track.times)):
        when = _FLOWS if i < terms.ended else _LATER
        if not heard[i - 1]:
            yield track.times[i], when, partial(vat.hides, i)
        elif track.values[i] != track.values[i - 1]:
            yield track.times[i], when, partial(vat.flows, i)
    for key, gauge in seen.gauges.items():
        times = gauge.track.times
        # What it showed before it stood here is of another vat, or of none.
        first_ms = gauge.from_ms if gauge.from_ms >= from_ms else from_ms + 1
        for i in range(bisect_left(times, first_ms), bisect_right(times, gauge.until_ms)):
            yield times[i], _READS, partial(vat.reads, key, i)
        yield gauge.until_ms, _ENDS, partial(vat.leaves, key, gauge.until_ms)
    still = seen.still()
    for spans, ends in ((seen.sealed, vat.opens), (seen.hot, vat.cools), (still, vat.is_unseen)):
        for _, end in spans:
            if end > from_ms:
                yield end, _ENDS, partial(ends, end)
    for begin, _ in still:
        if begin > from_ms:
            yield begin, _BEGINS, partial(vat.is_still, begin)
