"""Windows: from a line's readings to its claim, and from a claim back to its readings.

A claimant builds the most that its readings prove (`claim_window`); an attestor, who got the same
readings, makes sure that the claim is no more than that (`check_window`). Both stand here, since
both are the law: what differs between them is whom they trust, and neither trusts the other.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from math import floor

from ledger.errors.bundle import ClaimDiffers, UnfitWindow, UnheardDevice, UnreportedTamper
from ledger.evidence.facts import Bundle, LineFacts
from ledger.evidence.judging import Step, Watch, judge_steps
from ledger.evidence.limits import limits_of
from ledger.evidence.showing import show_device
from ledger.evidence.spans import Spans
from ledger.evidence.tracks import ReadEnvelope, Track, read_track
from ledger.params import DAY_MS, MARGIN_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import PublicKey
from ledger.primitives.merkle import merkle_root
from ledger.rules.measure import exact_volume
from ledger.state.lines import LineDevice
from ledger.state.records import Device
from ledger.types.evidence import MilkKind
from ledger.types.reading import Envelope
from ledger.types.window import INTERVALS_MAX, DeviceWindow, Interval, WindowClaim


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """A line's readings of one window, read and judged."""

    facts: LineFacts
    from_ms: int
    to_ms: int
    watches: Mapping[PublicKey, Watch]
    flow: Watch | None
    steps: Sequence[Step]

    def envelopes(self) -> list[ReadEnvelope]:
        """List every envelope of the window: devices ascending, each one's in order."""
        return [each for key in sorted(self.watches) for each in self.watches[key].track.shown]

    def intervals(self) -> list[Interval]:
        """List what counts, neighbouring steps joined."""
        joined: list[Interval] = []
        for step in self.steps:
            if not step.counts:
                continue
            if joined and joined[-1].to_ms == step.from_ms:
                begun = joined.pop()
                joined.append(Interval(begun.from_ms, step.to_ms, begun.steps + step.rise))
            else:
                joined.append(Interval(step.from_ms, step.to_ms, step.rise))
        return [each for each in joined if each.steps]

    def units(self, steps: int) -> int:
        """Give what steps of the flow meter are in units, floored once."""
        if not steps:
            return 0
        assert self.flow is not None
        assert self.flow.track.unit is not None
        return floor(exact_volume(self.flow.track.unit, steps, self.facts.rules.density_mg_per_l))


Chooser = Callable[[JudgedWindow], Sequence[Interval]]
"""Gives the intervals that are claimed of a window: each within what counts, or less of it."""


def claim_window(
    facts: LineFacts,
    bundle: Bundle,
    kind: MilkKind,
    to_ms: int,
    *,
    silent: Set[PublicKey] = frozenset(),
    cleaning: bool = False,
    choose: Chooser | None = None,
) -> WindowClaim:
    """Claim the most that a line's readings prove, from where its last claim ended up to `to_ms`.

    - `facts`: what final blocks say.
    - `bundle`: of each device of the line, its envelopes after its tip; more than needed is fine.
    - `kind`: what was pasteurized.
    - `to_ms`: the time of a sample of the flow meter, at most `reach(facts, bundle)`.
    - `silent`: devices that will say no more; what they watched from then on does not count.
    - `cleaning`: flow that no gauge saw leave the tank was cleaning, and not lost milk.
    - `choose`: which intervals to claim of what counts, or the less: what the tank has milk for.
      By default all, and of more than a claim may list the largest.

    Raise a `BundleFault` if the readings are no window.
    """
    window = read_window(facts, _trim(facts, bundle, to_ms, silent), kind, to_ms, silent)
    intervals = list(choose(window)) if choose else _largest(window.intervals())
    counted = sum(each.steps for each in intervals)
    total = sum(step.rise for step in window.steps)
    diverted = sum(step.rise for step in window.steps if step.diverted)
    cleaned = sum(step.rise for step in window.steps if _cleans(step)) if cleaning else 0
    shown = window.envelopes()
    devices = tuple(
        show_device(window.watches[key], to_ms, intervals) for key in sorted(window.watches)
    )
    return WindowClaim(
        line=facts.line_id,
        kind=kind,
        from_ms=facts.line.through_ms,
        to_ms=to_ms,
        intervals=tuple(intervals),
        counted_steps=counted,
        diverted_steps=diverted,
        cleaning_steps=cleaned,
        lost_steps=total - counted - diverted - cleaned,
        units=Units(window.units(counted)),
        expires_ms=(intervals[0].from_ms if intervals else to_ms)
        + facts.rules.shelf_days[kind] * DAY_MS,
        devices=devices,
        readings_root=merkle_root([each.digest for each in shown]),
        readings_count=len(shown),
    )


def check_window(facts: LineFacts, claim: WindowClaim, bundle: Bundle) -> None:
    """Raise a `BundleFault` unless a claim is what its readings prove, or less.

    `bundle` holds exactly the envelopes of the claim. Every signature, link and sample is looked
    at. What the chain checks itself (quorum, bond, tank) is not.
    """
    silent = {each.device for each in claim.devices if each.silent}
    if (claim.line, claim.from_ms) != (facts.line_id, facts.line.through_ms):
        raise UnfitWindow(
            from_ms=claim.from_ms,
            to_ms=claim.to_ms,
            why=f"the line's last claim ended at {facts.line.through_ms} ms",
        )
    window = read_window(facts, bundle, claim.kind, claim.to_ms, silent)
    shown = window.envelopes()
    _same("readings_count", claim.readings_count, len(shown))
    root = merkle_root([each.digest for each in shown])
    _same("readings_root", claim.readings_root.hex(), root.hex())
    _check_intervals(window, claim)
    devices = tuple(
        show_device(window.watches[key], claim.to_ms, claim.intervals)
        for key in sorted(window.watches)
    )
    for claimed, found in zip(claim.devices, devices, strict=False):
        _same(f"device {found.device.hex()}", _brief(claimed), _brief(found))
    _same("devices", len(claim.devices), len(devices))
    _check_fates(window, claim)
    _check_expiry(facts.rules, claim)


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
    steps = [
        step
        if step.from_ms >= from_ms
        else Step(step.from_ms, step.to_ms, step.rise, counts=False, diverted=False, still=False)
        for step in judge_steps(line, facts.rules, limits, list(watches.values()), flow)
        if from_ms < step.to_ms <= to_ms
    ]
    return JudgedWindow(facts, from_ms, to_ms, watches, flow, steps)


def reach(facts: LineFacts, bundle: Bundle, silent: Set[PublicKey] = frozenset()) -> int:
    """Give the latest time that a window can end at by what is at hand, else `through_ms`.

    It is a sample of the flow meter, `MARGIN_MS` before the time up to which every device that was
    ever heard is heard; those that left, or are called silent, are not waited for.
    """
    from_ms = facts.line.through_ms
    meter = facts.flow_at(from_ms)
    if meter is None:
        return from_ms
    heard_ms = meter.until_ms + MARGIN_MS
    for each in facts.within(from_ms, 2**63):
        envelopes = bundle.get(each.device, ())
        expected = each.device in facts.tips or envelopes
        if expected and each.device not in silent:
            last_ms = _heard(facts, each.device, envelopes)
            if last_ms < each.until_ms + MARGIN_MS:
                heard_ms = min(heard_ms, last_ms)
    latest_ms = from_ms
    for envelope in reversed(bundle.get(meter.device, ())):
        reading = envelope.reading()
        times = [reading.t0_ms + offset for offset, _ in reading.samples]
        fit = [at for at in times if from_ms < at <= heard_ms - MARGIN_MS]
        if fit:
            latest_ms = max(latest_ms, *fit)
            break
    return latest_ms


def evidence_root(attestor: PublicKey, envelopes: Sequence[Envelope]) -> Hash:
    """Commit an attestor to every envelope: nobody can copy it who has not seen them all."""
    leaves = [digest(Domain.WITNESS, attestor, each.digest()) for each in envelopes]
    return merkle_root(leaves)


def claimed_envelopes(claim: WindowClaim, bundle: Bundle) -> list[Envelope]:
    """List a claim's envelopes as its roots have them: devices ascending, each one's in order."""
    return [each for shown in claim.devices for each in bundle.get(shown.device, ())]


def trim_bundle(
    facts: LineFacts, bundle: Bundle, claim: WindowClaim
) -> dict[PublicKey, list[Envelope]]:
    """Give exactly the envelopes that a claim is about, out of all that are at hand."""
    silent = {each.device for each in claim.devices if each.silent}
    return _trim(facts, bundle, claim.to_ms, silent)


def _heard(facts: LineFacts, device: PublicKey, envelopes: Sequence[Envelope]) -> int:
    if envelopes:
        return envelopes[-1].reading().last_ms
    tip = facts.tips.get(device)
    return 0 if tip is None else tip.time_ms


def _needed_ms(each: LineDevice, to_ms: int) -> int:
    """Give how far a device must be heard for a window that ends at a time."""
    return min(to_ms, each.until_ms) + MARGIN_MS


def _trim(
    facts: LineFacts, bundle: Bundle, to_ms: int, silent: Set[PublicKey]
) -> dict[PublicKey, list[Envelope]]:
    """Cut each device's envelopes to what the window needs."""
    trimmed = {}
    for each in facts.within(facts.line.through_ms, to_ms):
        envelopes = list(bundle.get(each.device, ()))
        if each.device not in facts.tips:
            # It was never shown: what it said before the window is nobody's matter.
            begins_ms = facts.line.through_ms - MARGIN_MS
            envelopes = [e for e in envelopes if e.reading().last_ms >= begins_ms]
        needed_ms = _needed_ms(each, to_ms)
        if each.device not in silent:
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
    track = read_track(
        each.device, device.instrument, tip, bundle.get(each.device, ()), facts.chain_id
    )
    _check_tamper(track, device)
    heard_ms = max(
        (shown.reading.last_ms for shown in track.shown), default=tip.time_ms if tip else 0
    )
    needed_ms = _needed_ms(each, to_ms)
    linked, quiet = tip is not None and not tip.again, each.device in silent
    if (tip or track.shown) and not quiet and heard_ms < needed_ms:
        raise UnheardDevice(device=each.device.hex(), heard_ms=heard_ms, needed_ms=needed_ms)
    return Watch(track, each.from_ms, each.until_ms, force_spans(device), linked, quiet)


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
        known = device.cleared is not None and shown.number <= device.cleared
        stopped = device.stopped_ms <= reading.t0_ms + reading.samples[0][0]
        if reading.tamper and not known and not stopped:
            raise UnreportedTamper(device=track.device.hex(), boot=reading.boot, seq=reading.seq)


def _check_end(flow: Watch | None, from_ms: int, to_ms: int) -> None:
    """Raise unless the window ends at a sample of its flow meter, if that is heard so far."""
    if flow is None:
        return
    if to_ms > flow.until_ms:
        why = f"its flow meter left the line at {flow.until_ms} ms"
        raise UnfitWindow(from_ms=from_ms, to_ms=to_ms, why=why)
    heard = flow.track.times and flow.track.heard_ms >= to_ms
    if heard and to_ms not in set(flow.track.times) and to_ms != flow.until_ms:
        raise UnfitWindow(from_ms=from_ms, to_ms=to_ms, why="no sample of its flow meter is there")


def _cleans(step: Step) -> bool:
    return step.still and not step.counts and not step.diverted


def _largest(intervals: list[Interval]) -> list[Interval]:
    """Keep as many intervals as a claim may list, the largest."""
    kept = sorted(intervals, key=lambda each: -each.steps)[:INTERVALS_MAX]
    return sorted(kept, key=lambda each: each.from_ms)


def _same(what: str, claimed: object, found: object) -> None:
    if claimed != found:
        raise ClaimDiffers(what=what, claimed=str(claimed), found=str(found))


def _brief(shown: DeviceWindow) -> tuple[object, ...]:
    """Give what a device is shown by, for people to compare."""
    names = [
        "" if each is None else each.digest().hex()[:16]
        for each in (shown.last, shown.end, shown.worst)
    ]
    return (shown.device.hex(), shown.count, *names, shown.broken, shown.silent)


def _check_intervals(window: JudgedWindow, claim: WindowClaim) -> None:
    """Raise unless every interval lies within what counts, and claims no more than rose there."""
    for before, after in pairwise(claim.intervals):
        if after.from_ms < before.to_ms:
            raise ClaimDiffers(what="intervals", claimed="out of order", found="ascending")
    proven = window.intervals()
    for each in claim.intervals:
        rise = sum(
            step.rise
            for step in window.steps
            if step.counts and each.from_ms <= step.from_ms and step.to_ms <= each.to_ms
        )
        within = any(
            whole.from_ms <= each.from_ms and each.to_ms <= whole.to_ms for whole in proven
        )
        what = f"interval from {each.from_ms} to {each.to_ms} ms"
        if not within:
            raise ClaimDiffers(what=what, claimed="good", found="not all of it")
        if each.steps > rise:
            raise ClaimDiffers(what=what, claimed=each.steps, found=rise)


def _check_fates(window: JudgedWindow, claim: WindowClaim) -> None:
    total = sum(step.rise for step in window.steps)
    fates = claim.counted_steps + claim.diverted_steps + claim.cleaning_steps + claim.lost_steps
    _same("steps in all", fates, total)
    _same("counted_steps", claim.counted_steps, sum(each.steps for each in claim.intervals))
    for what, claimed, most in (
        ("diverted_steps", claim.diverted_steps, (s.rise for s in window.steps if s.diverted)),
        ("cleaning_steps", claim.cleaning_steps, (s.rise for s in window.steps if _cleans(s))),
    ):
        if claimed > (found := sum(most)):
            raise ClaimDiffers(what=what, claimed=claimed, found=found)
    if claim.units > (found := window.units(claim.counted_steps)):
        raise ClaimDiffers(what="units", claimed=claim.units, found=found)


def _check_expiry(rules: Parameters, claim: WindowClaim) -> None:
    """Raise unless milk keeps as long as its kind may, from when the first of it was counted."""
    if not claim.intervals:
        return
    kept_ms = claim.expires_ms - claim.intervals[0].from_ms
    most_ms = rules.shelf_days[claim.kind] * DAY_MS
    if not most_ms // 2 <= kept_ms <= most_ms:
        raise ClaimDiffers(what="expires_ms", claimed=claim.expires_ms, found=f"{kept_ms} ms kept")
