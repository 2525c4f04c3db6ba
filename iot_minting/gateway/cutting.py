"""Cutting: when a line's next window can end, and what is claimed of it (spec §8).

Pure. A window is cut from the envelopes after each device's tip on the chain, so that what is cut
depends on final blocks and stored envelopes alone: kill the gateway at any point, and it cuts
again. Any cutting of the same readings counts the same steps; what is chosen here is only when.

- It ends at a sample of the flow meter that every device was heard `MARGIN_MS` past.
- It is at least `window_ms` long, unless its evidence fills a claim or a device lost its journal.
  A line's first waits for milk so long, so that who begins sees it minted as soon as may be.
- It ends where the flow meter first tells another unit: what flowed beyond would have no fate.
- A device that sent nothing for `silence_ms` is declared silent: nothing counts where it alone
  would have watched, and the line goes on.
- Where milk flowed that is not in the tank on the chain yet, it ends before, or waits `milk_ms` for
  collections, and no longer: not at all for what flowed before `collected_ms`, since none comes.
- What flowed and was not milk out of the tank, as its gauges say, was cleaning.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from iot_minting.gateway.drawing import Drawing, TankMilk
from iot_minting.gateway.pieces import Piece
from ledger.errors.bundle import BundleFault, UnreportedTamper
from ledger.evidence import Bundle, LineFacts, claim_window, is_unreported, reach, trim_bundle
from ledger.evidence.limits import WATCHERS
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.rules.instruments import measured_unit
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.reading import Envelope
from ledger.types.window import INTERVALS_MAX, WindowClaim

Pieces = Mapping[PublicKey, Sequence[Piece]]
"""By device: its envelopes after its tip, in order."""


@dataclass(frozen=True, slots=True)
class WindowRules:
    """When a window is cut."""

    kind: MilkKind
    window_ms: int
    silence_ms: int
    milk_ms: int
    envelopes_max: int


@dataclass(frozen=True, slots=True)
class LineNow:
    """A line as the gateway sees it.

    `quiet_ms` says for how long nothing came of a device while the gateway listened, and
    `short_ms` for how long its window has waited for milk. All milk that was metered before
    `collected_ms` is in the tank: none will come for what flowed before.
    """

    facts: LineFacts
    pieces: Pieces
    tank: Sequence[TankMilk]
    quiet_ms: Mapping[PublicKey, int]
    short_ms: int
    collected_ms: int = 0


@dataclass(frozen=True, slots=True)
class CutWindow:
    """A claim, and exactly the envelopes behind it."""

    claim: WindowClaim
    bundle: Bundle


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be claimed now, and why; `short` if all it waits for is milk in the tank."""

    reason: str
    detail: str
    short: bool = False


@dataclass(frozen=True, slots=True)
class Tampering:
    """A device says that it was tampered with: the chain must hear of it before a window can."""

    envelope: Envelope


def cut_window(now: LineNow, rules: WindowRules) -> CutWindow | Wait | Tampering:
    """Decide on a line's next window."""
    facts = now.facts
    bundle, forced = _bundle(now)
    silent = _silent(now, rules, bundle)
    to_ms = reach(facts, bundle, silent)
    through_ms = facts.line.through_ms
    if (place := _unheard_place(now, rules, bundle)) is not None:
        return Wait("unheard", f"no {place} was heard yet")
    if to_ms <= through_ms:
        return _whom_it_waits_for(now, bundle, silent)
    set_ms = _set_anew_ms(now)
    if set_ms is not None and set_ms < to_ms:
        to_ms, forced = set_ms, True
    count = sum(len(envelopes) for envelopes in bundle.values())
    is_full = count >= rules.envelopes_max
    if not (is_full or forced or _is_long(facts, bundle, to_ms, rules)):
        return Wait("young", f"the window has {to_ms - through_ms} ms, or no milk flowed yet")
    if (opened := _opened_before(now)) is not None:
        return Tampering(opened)
    try:
        return _claim(now, rules, bundle, silent, to_ms)
    except UnreportedTamper as fault:
        return Tampering(_tampered(bundle, fault))
    except BundleFault as fault:
        return Wait(fault.code, str(fault))


def _is_long(facts: LineFacts, bundle: Bundle, to_ms: int, rules: WindowRules) -> bool:
    """Tell whether a window that ends at a time is long enough, and no line's first without milk.

    Of a line that was switched on less than a window ago an empty window would go first else, and
    its first milk wait for another one's length.
    """
    if to_ms - facts.line.through_ms < rules.window_ms:
        return False
    meter = facts.flow_at(facts.line.through_ms)
    if facts.tips or meter is None:
        return True
    samples = [
        (reading.t0_ms + offset_ms, value)
        for reading in (envelope.reading() for envelope in bundle.get(meter.device, ()))
        for offset_ms, value in reading.samples
        if reading.t0_ms + offset_ms <= to_ms
    ]
    if not samples:  # It is called silent, and spoke too late.
        return True
    (began_ms, begun), (_, value) = samples[0], samples[-1]
    return to_ms - began_ms >= rules.window_ms or begun != value


def _claim(
    now: LineNow, rules: WindowRules, bundle: Bundle, silent: Set[PublicKey], to_ms: int
) -> CutWindow | Wait:
    facts = now.facts
    while True:
        drawing = Drawing(now.tank)
        claim = claim_window(
            facts, bundle, rules.kind, to_ms, silent=silent, cleaning=True, choose=drawing.choose
        )
        may_come = now.collected_ms < to_ms and now.short_ms < rules.milk_ms
        if drawing.missing_units and may_come:
            collected_ms = _flow_sample_by(facts, bundle, now.collected_ms) or 0
            sure_ms = drawing.short_ms, collected_ms
            long = [at for at in sure_ms if _is_long(facts, bundle, at, rules)]
            if long:
                to_ms = long[0]
                continue
            why = f"{drawing.missing_units} units flowed that are not collected yet"
            return Wait("short_tank", why, short=True)
        fits = len(claim.intervals) <= INTERVALS_MAX
        if fits and claim.readings_count <= rules.envelopes_max:
            return CutWindow(claim, trim_bundle(facts, bundle, claim))
        earlier_ms = _flow_sample_by(facts, bundle, (facts.line.through_ms + to_ms) // 2)
        if earlier_ms is None:
            return Wait("too_large", f"no window of {claim.readings_count} envelopes can be shown")
        to_ms = earlier_ms


def _bundle(now: LineNow) -> tuple[Bundle, bool]:
    """Give the envelopes of the next window; tell whether it must end before a break of a chain.

    A window may begin with a device's new chain, never hold one in its middle.
    """
    before = {key: _unbroken(pieces) for key, pieces in now.pieces.items()}
    if all(len(before[key]) == len(pieces) for key, pieces in now.pieces.items()):
        return _envelopes(before), False
    if reach(now.facts, _envelopes(before)) > now.facts.line.through_ms:
        return _envelopes(before), True
    after = {
        key: _unbroken(pieces[len(before[key]) :] or pieces) for key, pieces in now.pieces.items()
    }
    return _envelopes(after), False


def _set_anew_ms(now: LineNow) -> int | None:
    """Give by when a window must end since its flow meter was set to another unit, None if never.

    What flows from there on in a window that reads the old unit has no fate. So it ends with the
    first sample in the new one; where no window said yet which unit it reads, with the last before.
    """
    facts, through_ms = now.facts, now.facts.line.through_ms
    meter = facts.flow_at(through_ms)
    unit = facts.line.unit_of(meter.device) if meter else None
    is_known, told_ms = unit is not None, through_ms
    for piece in now.pieces.get(meter.device, ()) if meter else ():
        told = measured_unit(Instrument.FLOW_METER, piece.reading)
        later = [at_ms for at_ms in piece.times() if at_ms > told_ms]
        if told is None or not later:
            continue
        if unit is not None and told is not unit and (is_known or told_ms > through_ms):
            return later[0] if is_known else told_ms
        unit, told_ms = told, later[-1]
    return None


def _envelopes(pieces: Pieces) -> dict[PublicKey, list[Envelope]]:
    return {key: [piece.envelope for piece in each] for key, each in pieces.items()}


def _unbroken(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """Give a device's pieces up to where it lost its journal."""
    for place, piece in enumerate(pieces):
        if place and piece.reading.previous == ZERO_HASH:
            return pieces[:place]
    return pieces


def _silent(now: LineNow, rules: WindowRules, bundle: Bundle) -> frozenset[PublicKey]:
    """Name the devices that the window is not kept waiting for: none if all of them are quiet."""
    facts = now.facts
    expected = {
        each.device
        for each in facts.within(facts.line.through_ms, 2**63)
        if each.device in facts.tips or bundle.get(each.device)
    }
    quiet = {key for key in expected if now.quiet_ms.get(key, 0) >= rules.silence_ms}
    return frozenset() if quiet == expected else frozenset(quiet)


def _unheard_place(now: LineNow, rules: WindowRules, bundle: Bundle) -> Instrument | None:
    """Name a place of which no device was ever heard, as long as its first word may be on the way.

    The law misses no device that never spoke: a window that is cut before its readings arrive would
    lose all that it watched.
    """
    facts = now.facts
    devices = [each.device for each in facts.within(facts.line.through_ms, 2**63)]
    for place in (Instrument.FLOW_METER, *WATCHERS):
        mine = [key for key in devices if facts.instrument(key) is place]
        heard = any(key in facts.tips or bundle.get(key) for key in mine)
        quiet_ms = min((now.quiet_ms.get(key, 0) for key in mine), default=rules.silence_ms)
        if not heard and quiet_ms < rules.silence_ms:
            return place
    return None


def _whom_it_waits_for(now: LineNow, bundle: Bundle, silent: Set[PublicKey]) -> Wait:
    facts = now.facts
    heard = {}
    for each in facts.within(facts.line.through_ms, 2**63):
        tip, pieces = facts.tips.get(each.device), bundle.get(each.device, ())
        if (tip is None and not pieces) or each.device in silent:
            continue
        last_ms = pieces[-1].reading().last_ms if pieces else 0
        heard[max(last_ms, tip.time_ms if tip else 0), each.device] = each.device
    if not heard:
        return Wait("unheard", "no device was heard yet")
    (last_ms, _), device = min(heard.items())
    kind = facts.devices[device].instrument
    if kind is Instrument.FLOW_METER and not bundle.get(device):
        return Wait("silent", f"the flow meter {device.hex()} says nothing")
    return Wait("silent", f"{kind} {device.hex()} was last heard at {last_ms} ms")


def _flow_sample_by(facts: LineFacts, bundle: Bundle, by_ms: int) -> int | None:
    """Give the last sample of the flow meter up to a time, within the window; None if none is."""
    meter = facts.flow_at(facts.line.through_ms)
    found = None
    for envelope in bundle.get(meter.device, ()) if meter else ():
        reading = envelope.reading()
        for offset_ms, _ in reading.samples:
            at_ms = reading.t0_ms + offset_ms
            if facts.line.through_ms < at_ms <= by_ms:
                found = at_ms
    return found


def _opened_before(now: LineNow) -> Envelope | None:
    """Find what a device that was never shown said of tampering before the window begins.

    No window has to show it, so attestors don't see it; but it refutes what counts after it.
    """
    facts = now.facts
    for key, pieces in now.pieces.items():
        for piece in () if key in facts.tips else pieces:
            if is_unreported(facts.devices[key], piece.reading):
                return piece.envelope
    return None


def _tampered(bundle: Bundle, fault: UnreportedTamper) -> Envelope:
    """Find the envelope that a fault names."""
    number = fault.numbers["boot"], fault.numbers["seq"]
    for envelope in bundle[PublicKey(bytes.fromhex(str(fault.numbers["device"])))]:
        reading = envelope.reading()
        if (reading.boot, reading.seq) == number:
            return envelope
    raise AssertionError("the judge names an envelope of the bundle")
