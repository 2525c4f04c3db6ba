"""Claims: from a line's readings to its claim, and from a claim back to its readings.

A claimant builds the most that its readings prove (`claim_window`); an attestor, who got the same
readings, makes sure that the claim is no more than that (`check_window`). Both stand here, since
both are the law: what differs between them is whom they trust, and neither trusts the other.
"""

from collections.abc import Callable, Sequence, Set
from itertools import pairwise

from ledger.errors.bundle import ClaimDiffers, UnfitWindow
from ledger.evidence.facts import Bundle, LineFacts
from ledger.evidence.showing import show_device
from ledger.evidence.windows import JudgedWindow, read_window, trimmed
from ledger.params import DAY_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import PublicKey
from ledger.primitives.merkle import merkle_root
from ledger.rules.rises import most_counted
from ledger.rules.windows import flow_unit, read_part
from ledger.types.evidence import MilkKind
from ledger.types.reading import Envelope
from ledger.types.window import INTERVALS_MAX, DeviceWindow, Interval, WindowClaim

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
    - `silent`: devices that will say no more; what they watched from then on does not count. One
      that is heard as far as the window needs is not silent.
    - `cleaning`: flow that no gauge saw leave the tank was cleaning, and not lost milk.
    - `choose`: which intervals to claim of what counts, or the less: what the tank has milk for.
      By default all, and of more than a claim may list the largest.

    Raise a `BundleFault` if the readings are no window.
    """
    window = read_window(facts, trimmed(facts, bundle, to_ms), kind, to_ms, silent)
    intervals = list(choose(window)) if choose else _largest(window.intervals())
    claim = _claim(window, kind, intervals, cleaning=cleaning)
    if claim.counted_steps <= (most := _most_counted(window, claim)):
        return claim
    return _claim(window, kind, _cut_down(intervals, most), cleaning=cleaning)


def _claim(
    window: JudgedWindow, kind: MilkKind, intervals: Sequence[Interval], *, cleaning: bool
) -> WindowClaim:
    """Claim chosen intervals of a window; every other step is diverted, cleaning or lost."""
    facts, steps, shown = window.facts, window.steps, window.envelopes()
    counted = sum(each.steps for each in intervals)
    left = window.rise() - counted
    diverted = min(left, sum(step.rise for step in steps if step.diverted))
    left -= diverted
    cleaned = min(left, sum(step.rise for step in steps if step.cleans)) if cleaning else 0
    first_ms = intervals[0].from_ms if intervals else window.to_ms
    return WindowClaim(
        line=facts.line_id,
        kind=kind,
        from_ms=window.from_ms,
        to_ms=window.to_ms,
        intervals=tuple(intervals),
        counted_steps=counted,
        diverted_steps=diverted,
        cleaning_steps=cleaned,
        lost_steps=left - cleaned,
        units=Units(window.units(counted)),
        expires_ms=first_ms + facts.rules.shelf_days[kind] * DAY_MS,
        devices=_show(window, intervals),
        readings_root=merkle_root([each.digest for each in shown]),
        readings_count=len(shown),
        vat=window.vat,
        holds=window.holds(intervals),
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
    devices = _show(window, claim.intervals)
    for claimed, found in zip(claim.devices, devices, strict=False):
        _same(f"device {found.device.hex()}", _brief(claimed), _brief(found))
    _same("devices", len(claim.devices), len(devices))
    _same("vat", claim.vat, window.vat)
    _same("holds", claim.holds, window.holds(claim.intervals))
    _check_fates(window, claim)
    _check_expiry(facts.rules, claim)


def evidence_root(attestor: PublicKey, envelopes: Sequence[Envelope]) -> Hash:
    """Commit an attestor to every envelope: nobody can copy it who has not seen them all."""
    leaves = [digest(Domain.WITNESS, attestor, each.digest()) for each in envelopes]
    return merkle_root(leaves)


def claimed_envelopes(claim: WindowClaim, bundle: Bundle) -> list[Envelope]:
    """List a claim's envelopes as its roots have them: devices ascending, each one's in order."""
    return [each for shown in claim.devices for each in bundle.get(shown.device, ())]


def _largest(intervals: list[Interval]) -> list[Interval]:
    """Keep as many intervals as a claim may list, the largest."""
    kept = sorted(intervals, key=lambda each: -each.steps)[:INTERVALS_MAX]
    return sorted(kept, key=lambda each: each.from_ms)


def _most_counted(window: JudgedWindow, claim: WindowClaim) -> int:
    """Give how many steps the chain lets count, by what the claim shows of the flow meter.

    None where it can't tell the unit, or tells another: a step of that is another litre.
    """
    if window.flow is None:
        return 0
    facts, key = window.facts, window.flow.track.device
    [entry] = (each for each in facts.within(window.from_ms, window.to_ms) if each.device == key)
    [shown] = (each for each in claim.devices if each.device == key)
    part = read_part(facts.line, entry, facts.devices[key], facts.tips.get(key), shown)
    if flow_unit(part) is not window.flow.track.unit:
        return 0
    return most_counted(facts.line, claim, part)


def _cut_down(intervals: Sequence[Interval], most: int) -> list[Interval]:
    """Claim no more than so many steps of intervals, the first ones."""
    kept = []
    for each in intervals:
        if steps := min(each.steps, most):
            kept.append(Interval(each.from_ms, each.to_ms, steps))
        most -= steps
    return kept


def _show(window: JudgedWindow, intervals: Sequence[Interval]) -> tuple[DeviceWindow, ...]:
    """Show each device of a window, by ascending key."""
    return tuple(
        show_device(watch, window.to_ms, intervals, window.fell if watch is window.flow else None)
        for _, watch in sorted(window.watches.items())
    )


def _same(what: str, claimed: object, found: object) -> None:
    if claimed != found:
        raise ClaimDiffers(what=what, claimed=str(claimed), found=str(found))


def _brief(shown: DeviceWindow) -> tuple[object, ...]:
    """Give what a device is shown by, for people to compare."""
    names = [
        "" if each is None else each.digest().hex() for each in (shown.last, shown.end, shown.worst)
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
    fates = claim.counted_steps + claim.diverted_steps + claim.cleaning_steps + claim.lost_steps
    _same("steps in all", fates, window.rise())
    _same("counted_steps", claim.counted_steps, sum(each.steps for each in claim.intervals))
    if claim.counted_steps > (seen := _most_counted(window, claim)):
        raise ClaimDiffers(what="counted_steps", claimed=claim.counted_steps, found=seen)
    for what, claimed, most in (
        ("diverted_steps", claim.diverted_steps, (s.rise for s in window.steps if s.diverted)),
        ("cleaning_steps", claim.cleaning_steps, (s.rise for s in window.steps if s.cleans)),
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
