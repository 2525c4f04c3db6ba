"""Windows: a line's readings of one window, read, linked and judged.

What is at hand of each device is cut to what the window needs: from where its chain stands on the
chain up to `MARGIN_MS` beyond the window's end.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import floor

from ledger.errors.bundle import UnfitWindow, UnheardDevice, UnreportedTamper
from ledger.evidence.facts import Bundle, LineFacts
from ledger.evidence.flowing import told_otherwise
from ledger.evidence.holding import Drain
from ledger.evidence.judging import Step, judge_steps
from ledger.evidence.limits import limits_of
from ledger.evidence.spans import Spans
from ledger.evidence.terms import WindowTerms
from ledger.evidence.tracks import ReadEnvelope, Track, read_track
from ledger.evidence.watching import Watch
from ledger.params import MARGIN_MS
from ledger.primitives.keys import PublicKey
from ledger.rules.measure import exact_volume
from ledger.rules.tampering import is_settled
from ledger.state.lines import FOR_EVER_MS, Line, LineDevice
from ledger.state.records import Device
from ledger.types.evidence import MilkKind
from ledger.types.reading import Envelope, Reading
from ledger.types.vat import VatState
from ledger.types.window import STEPS_MAX, Interval, WindowClaim


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """A line's readings of one window, read and judged."""

    facts: LineFacts
    from_ms: int
    to_ms: int
    watches: Mapping[PublicKey, Watch]
    flow: Watch | None
    steps: Sequence[Step]
    fell: int | None = None
    """The place of an envelope that shows where the flow meter's total began anew, if it did."""
    vat: VatState | None = None
    drains: Sequence[Drain] = ()

    def metered_by(self, at_ms: int) -> int:
        """Give by when milk was metered that counts from a time on: before its vat's hold began."""
        held = (each.since_ms for each in self.drains if each.from_ms <= at_ms < each.until_ms)
        return next(held, at_ms)

    def holds(self, intervals: Sequence[Interval]) -> tuple[int, ...]:
        """Give when the holds began that intervals drained from; none where no vat is."""
        if not self.drains:
            return ()
        return tuple(sorted({self.metered_by(each.from_ms) for each in intervals}))

    def envelopes(self) -> list[ReadEnvelope]:
        """List every envelope of the window: devices ascending, each one's in order."""
        return [each for key in sorted(self.watches) for each in self.watches[key].track.shown]

    def intervals(self) -> list[Interval]:
        """List what counts, neighbouring steps joined; a total that moved in no time parts them."""
        joined: list[Interval] = []
        parted = True
        for step in self.steps:
            if not step.counts:
                parted = True
                continue
            if joined and not parted and joined[-1].to_ms == step.from_ms:
                begun = joined.pop()
                joined.append(Interval(begun.from_ms, step.to_ms, begun.steps + step.rise))
            else:
                joined.append(Interval(step.from_ms, step.to_ms, step.rise))
            parted = False
        return [each for each in joined if each.steps]

    def rise(self) -> int:
        """Give what all steps rose, as far as a claim can tell."""
        return min(sum(step.rise for step in self.steps), STEPS_MAX)

    def units(self, steps: int) -> int:
        """Give what steps of the flow meter are in units, floored once."""
        if not steps:
            return 0
        assert self.flow is not None
        assert self.flow.track.unit is not None
        return floor(exact_volume(self.flow.track.unit, steps, self.facts.rules.density_mg_per_l))


def read_window(
    facts: LineFacts, bundle: Bundle, kind: MilkKind, to_ms: int, silent: Set[PublicKey]
) -> JudgedWindow:
    """Read and judge a line's readings; raise a `BundleFault` if they are no window."""
    line, from_ms = facts.line, facts.line.through_ms
    if to_ms <= from_ms:
        raise UnfitWindow(from_ms=from_ms, to_ms=to_ms, why="it ends before it begins")
    watches = {
        each.device: _watch(facts, each, bundle, to_ms, silent)
        for each in facts.within(from_ms, to_ms)
    }
    meter = facts.flow_at(from_ms)
    flow = None if meter is None else watches.get(meter.device)
    _check_end(flow, from_ms, to_ms)
    if flow is None:
        return JudgedWindow(facts, from_ms, to_ms, watches, None, ())
    limits = limits_of(facts.rules, kind, line.process)
    known, hidden = _known(line, flow.track, to_ms)
    terms = WindowTerms(line, facts.rules, limits, to_ms, known, flow.track.ended_by(to_ms), hidden)
    judged, vat, drains = judge_steps(terms, list(watches.values()), flow)
    steps = [
        step
        if step.from_ms >= from_ms
        else Step(step.from_ms, step.to_ms, step.rise, counts=False, diverted=False, still=False)
        for place, step in enumerate(judged)
        if terms.known <= place < terms.ended - 1 and flow.from_ms < step.to_ms
    ]
    if hidden:
        unseen = {"counts": False, "diverted": False, "still": False}
        steps.insert(0, Step(from_ms, flow.track.times[0], hidden, **unseen))
    fell = _fall(line, flow.track, terms)
    if fell is None:
        fell = told_otherwise(flow.track, terms)
    return JudgedWindow(facts, from_ms, to_ms, watches, flow, steps, fell, vat, drains)


def _fall(line: Line, flow: Track, terms: WindowTerms) -> int | None:
    """Give the place of an envelope that shows that a total fell in a window, None if none does.

    Each envelope begins with the sample that ended the one before, so it shows a fall whole. One
    that measures nothing may stand between, and hides it. Of a device that carries no sample over
    no envelope shows it alone: no more of it counts then than the chain sees (`most_counted`).
    """
    if terms.hidden is not None and flow.values[0] < line.flow_value and flow.places[0]:
        return flow.places[0] - 1
    for i in range(terms.known + 1, terms.ended):
        if flow.values[i] < flow.values[i - 1]:
            before = flow.places[i] - 1
            if flow.joined[i]:
                return flow.places[i]
            if not flow.measures(before):
                return before
    return None


def _known(line: Line, flow: Track, to_ms: int) -> tuple[int, int | None]:
    """Give how many pairs of the flow meter's samples earlier windows are done with.

    Where it was called silent, they ended past what was heard of it; what flowed from there on has
    a fate yet, though it can't count. Where it measured nothing at first as it was heard again, so
    much rose until its first sample.
    """
    past = [place for place, time_ms in enumerate(flow.times) if time_ms <= line.through_ms]
    if flow.device == line.flow_device and not flow.broken:
        past = [place for place in past if flow.values[place] == line.flow_value]
        if not past and flow.times and flow.times[0] <= to_ms:
            return 0, max(0, flow.values[0] - line.flow_value)
    return past[-1] if past else 0, None


def reach(facts: LineFacts, bundle: Bundle, silent: Set[PublicKey] = frozenset()) -> int:
    """Give the latest time that a window can end at by what is at hand, else `through_ms`.

    Up to `MARGIN_MS` past it every device that was ever heard is heard; those that left, or are
    called silent, are not waited for. It is a sample of the flow meter, or when that left; beyond
    what a flow meter that is called silent said, any time will do.
    """
    from_ms = facts.line.through_ms
    meter = facts.flow_at(from_ms)
    seen_ms = _seen_by_all(facts, bundle, silent)
    if meter is None or seen_ms is None or seen_ms <= from_ms:
        return from_ms
    if seen_ms >= meter.until_ms:
        return meter.until_ms
    if (
        meter.device in silent
        and _heard(facts, meter.device, bundle.get(meter.device, ())) < seen_ms
    ):
        return seen_ms
    return max((at for at in _flow_times(bundle, meter, seen_ms) if at > from_ms), default=from_ms)


def _seen_by_all(facts: LineFacts, bundle: Bundle, silent: Set[PublicKey]) -> int | None:
    """Give until when all that must be heard were, less the margin; None if nobody must be."""
    heard = []
    for each in facts.within(facts.line.through_ms, FOR_EVER_MS):
        envelopes = bundle.get(each.device, ())
        expected = each.device in facts.tips or envelopes
        if expected and each.device not in silent:
            last_ms = _heard(facts, each.device, envelopes)
            left = last_ms >= each.until_ms + MARGIN_MS
            heard.append(FOR_EVER_MS if left else last_ms - MARGIN_MS)
    return min(heard, default=None)


def _flow_times(bundle: Bundle, meter: LineDevice, most_ms: int) -> list[int]:
    """List the flow meter's sample times up to a time, of the newest envelope that has some."""
    for envelope in reversed(bundle.get(meter.device, ())):
        reading = envelope.reading()
        times = [reading.t0_ms + offset for offset, _ in reading.samples]
        if found := [at for at in times if at <= most_ms]:
            return found
    return []


def _heard(facts: LineFacts, device: PublicKey, envelopes: Sequence[Envelope]) -> int:
    if envelopes:
        return envelopes[-1].reading().last_ms
    tip = facts.tips.get(device)
    return 0 if tip is None else tip.time_ms


def _needed_ms(each: LineDevice, to_ms: int) -> int:
    """Give how far a device must be heard for a window that ends at a time."""
    return min(to_ms, each.until_ms) + MARGIN_MS


def trimmed(facts: LineFacts, bundle: Bundle, to_ms: int) -> dict[PublicKey, list[Envelope]]:
    """Cut each device's envelopes to what the window needs."""
    trimmed = {}
    for each in facts.within(facts.line.through_ms, to_ms):
        envelopes = list(bundle.get(each.device, ()))
        if each.device not in facts.tips:
            # It was never shown: what it said before the window is nobody's matter.
            begins_ms = facts.line.through_ms - MARGIN_MS
            envelopes = [e for e in envelopes if e.reading().last_ms >= begins_ms]
        needed_ms = _needed_ms(each, to_ms)
        for place, envelope in enumerate(envelopes):
            if envelope.reading().last_ms >= needed_ms:
                envelopes = envelopes[: place + 1]
                break
        trimmed[each.device] = envelopes
    return trimmed


def _watch(
    facts: LineFacts, each: LineDevice, bundle: Bundle, to_ms: int, silent: Set[PublicKey]
) -> Watch:
    device = facts.devices[each.device]
    tip = facts.tips.get(each.device)
    envelopes, unit = bundle.get(each.device, ()), facts.line.unit_of(each.device)
    track = read_track(each.device, device.instrument, tip, envelopes, facts.chain_id, to_ms, unit)
    _check_tamper(track, device)
    heard_ms = max(
        (shown.reading.last_ms for shown in track.shown), default=tip.time_ms if tip else 0
    )
    needed_ms = _needed_ms(each, to_ms)
    # Who is heard is not silent, whatever a claimant calls it.
    linked, heard = tip is not None and not tip.again, heard_ms >= needed_ms
    quiet = each.device in silent and not heard
    if (tip or track.shown) and not quiet and not heard:
        raise UnheardDevice(device=each.device.hex(), heard_ms=heard_ms, needed_ms=needed_ms)
    end = track.shown_at(to_ms)
    shown_ms = 0 if end is None else track.shown[end].reading.last_ms
    force = force_spans(device)
    return Watch(track, each.from_ms, each.until_ms, force, linked, quiet, shown_ms)


def force_spans(device: Device) -> Spans:
    """Give when a device is calibrated and not stopped."""
    calibrations = [(device.calibrated_from_ms, device.calibrated_until_ms - 1)]
    if device.earlier is not None:
        calibrations.insert(0, (device.earlier[0], device.earlier[1] - 1))
    stopped_ms = device.stopped_ms - 1
    return [(since, min(until, stopped_ms)) for since, until in calibrations if since < stopped_ms]


def _check_tamper(track: Track, device: Device) -> None:
    """Raise if a device says that it was tampered with, and nobody told the chain."""
    for shown in track.shown:
        reading = shown.reading
        if is_unreported(device, reading):
            raise UnreportedTamper(device=track.device.hex(), boot=reading.boot, seq=reading.seq)


def is_unreported(device: Device, reading: Reading) -> bool:
    """Tell whether a reading tells of tampering that the chain must hear of before a window may."""
    stopped = device.stopped_ms <= reading.t0_ms + reading.samples[0][0]
    settled = is_settled(device, (reading.boot, reading.seq), reading.last_ms)
    return reading.tamper and not settled and not stopped


def _check_end(flow: Watch | None, from_ms: int, to_ms: int) -> None:
    """Raise unless the window ends at a sample of its flow meter, if that is heard so far."""
    if flow is None:
        return
    if to_ms > flow.until_ms:
        why = f"its flow meter left the line at {flow.until_ms} ms"
        raise UnfitWindow(from_ms=from_ms, to_ms=to_ms, why=why)
    heard = flow.track.times and flow.track.heard_ms >= to_ms
    if heard and not flow.track.tells_of(to_ms) and to_ms != flow.until_ms:
        raise UnfitWindow(from_ms=from_ms, to_ms=to_ms, why="no sample of its flow meter is there")


def trim_bundle(
    facts: LineFacts, bundle: Bundle, claim: WindowClaim
) -> dict[PublicKey, list[Envelope]]:
    """Give exactly the envelopes that a claim is about, out of all that are at hand."""
    return trimmed(facts, bundle, claim.to_ms)
