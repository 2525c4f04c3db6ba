"""Minting: a window moves its line on, and what counted in it becomes a lot (spec §20).

The milk is drawn from the line's tank, interval by interval: what was metered before it flowed and
is not too old. What flowed and did not count leaves the tank as lost. The tokens are split as those
of any lot, but the processor's share waits in the law's account until the lot is past doubt.

Invariant: each litre has one fate. A lot's units = its intervals' = its sources', and what the flow
meter's total rose is counted, diverted, cleaning or lost.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import BadShelfLife
from ledger.errors.line import UnknownLine
from ledger.errors.milk import DeficitOpen, ForeignLot, FreshLot, LowBond
from ledger.errors.money import ShortLot, ZeroUnits
from ledger.errors.window import ForeignLine, WrongWindow
from ledger.params import DAY_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.books import book_gone
from ledger.rules.claims import window_claims
from ledger.rules.context import BlockContext, Call
from ledger.rules.gauges import note_gauge
from ledger.rules.hiding import breaks_chain, stands
from ledger.rules.intervals import check_flow, check_intervals, volume_of
from ledger.rules.law import Law
from ledger.rules.lines import release_left
from ledger.rules.losses import mmu_of
from ledger.rules.lots import find_lot, remove_milk
from ledger.rules.measure import LEVEL_MAX
from ledger.rules.portions import draw, draw_lost
from ledger.rules.quorum import check_quorum
from ledger.rules.vats import check_vat, metered_by
from ledger.rules.vouchers import attestor_stands
from ledger.rules.vouching import vouch
from ledger.rules.window_lots import (
    WindowMilk,
    apply_release,
    check_release,
    interval_units,
    issue,
    split_by_source,
    write_lot,
)
from ledger.rules.windows import DevicePart, flow_part, flow_unit, read_parts
from ledger.state.lines import Line, tip_after
from ledger.state.names import tip_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import ProvenSource
from ledger.state.records import Lot, Reason, Role
from ledger.state.tables import DEVICES, LINES, TIPS, parameters, pay
from ledger.types.window import MintWindow, ReleaseShare, RollWindow, WindowClaim

BREAKS_MAX: Final = 3
BREAKS_WITHIN_MS: Final = 30 * DAY_MS
"""A device whose chain began anew so often in so long is stopped: nobody may shed what it said."""


def check_window(reader: Reader, call: Call, body: MintWindow) -> Line:
    """Raise unless it is the next window of a line of the sender's, who may mint; give the line."""
    line = _find_line(reader, call.sender, body.claim)
    # The plant is the MMU's, so what it failed to cover stops each of its lines.
    if body.claim.units:
        if deficit := mmu_of(reader, call.sender).deficit_units:
            raise DeficitOpen(deficit=deficit)
        _check_bond(reader, call.sender)
    return line


def _find_line(reader: Reader, sender: Address, claim: WindowClaim) -> Line:
    line = LINES.get(reader, claim.line)
    if line is None:
        raise UnknownLine(line=claim.line.hex())
    if line.mmu != sender:
        raise ForeignLine(line=claim.line.hex())
    if claim.from_ms != line.through_ms or claim.to_ms <= claim.from_ms:
        raise WrongWindow(
            from_ms=claim.from_ms,
            to_ms=claim.to_ms,
            through_ms=line.through_ms,
            latest_ms="the block's time",
        )
    return line


def _check_bond(reader: Reader, sender: Address) -> None:
    bond, least = mmu_of(reader, sender).bond_units, parameters(reader).mmu_bond_least_units
    if bond < least:
        raise LowBond(bond=bond, least=least)


def apply_window(overlay: Overlay, context: BlockContext, call: Call, body: MintWindow) -> None:
    """Check the window, move the line on, and mint what counted; raise `Refused` faults."""
    line, claim = check_window(overlay, call, body), body.claim
    milk = _prove(overlay, context, line, body)
    if claim.units:
        locked = issue(overlay, milk.sources, claim.units)
        write_lot(overlay, context, line, body, milk, locked)


def check_roll_window(reader: Reader, call: Call, body: RollWindow) -> Lot:
    """Raise unless the sender's lot has tokens out, and the window may be claimed; give the lot."""
    old, claim = find_lot(reader, body.lot), body.mint.claim
    if old.mmu != call.sender:
        raise ForeignLot(lot=body.lot.hex())
    if claim.units == 0:
        raise ZeroUnits
    if old.remaining_units == 0:
        raise ShortLot(lot=body.lot.hex(), remaining=0, units=claim.units)
    deficit = mmu_of(reader, call.sender).deficit_units
    if deficit and claim.units > old.remaining_units:
        # What is over would be issued, and that is a mint.
        raise DeficitOpen(deficit=deficit)
    _find_line(reader, call.sender, claim)
    _check_bond(reader, call.sender)
    return old


def apply_roll_window(
    overlay: Overlay, context: BlockContext, call: Call, body: RollWindow
) -> None:
    """Back an expired lot's tokens with the window's milk, and issue only what is over."""
    old, claim = check_roll_window(overlay, call, body), body.mint.claim
    if context.time_ms < old.expires_ms:
        raise FreshLot(lot=body.lot.hex(), reason="expired")
    line = _find_line(overlay, call.sender, claim)
    milk = _prove(overlay, context, line, body.mint)
    rolled = min(claim.units, old.remaining_units)
    remove_milk(overlay, body.lot, old, rolled)
    locked = issue(overlay, milk.sources, claim.units - rolled)
    write_lot(overlay, context, line, body.mint, milk, locked)
    book_gone(overlay, rolled, rolled, Reason.EXPIRED)
    bought = split_by_source(overlay, milk.sources, rolled)
    for source, units in zip(milk.sources, bought.farmers_units, strict=True):
        pay(overlay, call.sender, Address(source.farm), units)


def _prove(overlay: Overlay, context: BlockContext, line: Line, body: MintWindow) -> WindowMilk:
    """Raise unless the window holds whole; move line and tank on, and say whose milk counted."""
    rules, claim = parameters(overlay), body.claim
    latest_ms = context.time_ms + rules.clock_skew_ms_max
    if claim.to_ms > latest_ms:
        raise WrongWindow(
            from_ms=claim.from_ms,
            to_ms=claim.to_ms,
            through_ms=line.through_ms,
            latest_ms=latest_ms,
        )
    _check_attestors(overlay, [PublicKey(given.attestor) for given in body.attestations])
    parts = read_parts(overlay, line, claim)
    flow = flow_part(parts)
    check_intervals(rules, line, claim, parts)
    check_flow(rules, line, claim, flow)
    check_vat(rules, line, claim, parts, flow)
    if claim.units:
        _check_expiry(rules, context, claim)
        vouch(overlay, Address(line.mmu), Hash(claim.line), claim.units, context.time_ms)
    unit = flow_unit(flow) if flow else None
    # A broken meter stops no line: no more flows than any tank holds, and records can tell.
    out_units = min(volume_of(rules, unit, claim.counted_steps + claim.lost_steps), LEVEL_MAX)
    sources = _draw(overlay, rules, line, claim, out_units)
    note_gauge(overlay, line, claim, parts, out_units)
    _move_on(overlay, context, line, claim, parts, flow)
    return WindowMilk(parts, sources)


def _check_attestors(reader: Reader, signers: list[PublicKey]) -> None:
    """Raise unless a quorum signed; only who has enough at stake counts."""
    check_quorum(reader, signers)
    check_quorum(reader, [each for each in signers if attestor_stands(reader, each)])


def _check_expiry(rules: Parameters, context: BlockContext, claim: WindowClaim) -> None:
    shelf_ms = rules.shelf_days[claim.kind] * DAY_MS
    # Everyone would pay, out of the reserve, for a lot that is over as soon as it is minted.
    earliest_ms = context.time_ms + shelf_ms // 2
    latest_ms = claim.intervals[0].from_ms + shelf_ms
    if not earliest_ms <= claim.expires_ms <= latest_ms:
        raise BadShelfLife(
            expires_ms=claim.expires_ms, earliest_ms=earliest_ms, latest_ms=latest_ms
        )


def _draw(
    overlay: Overlay,
    rules: Parameters,
    line: Line,
    claim: WindowClaim,
    out_units: int,
) -> list[ProvenSource]:
    """Take out of the tank what counted, each interval's by itself, and what was lost."""
    tank = Hash(line.tank)
    sums: dict[tuple[bytes, bytes], int] = {}
    for interval, units in zip(claim.intervals, interval_units(claim), strict=True):
        if not units:
            continue
        oldest_ms = max(0, interval.to_ms - rules.collection_age_ms_max)
        for source in draw(overlay, tank, units, metered_by(line, claim, interval), oldest_ms):
            origin = source.farm, source.device
            sums[origin] = sums.get(origin, 0) + source.units
    # What is counted and not claimed is lost too: a part of a unit may be.
    if out_units > claim.units:
        draw_lost(overlay, tank, out_units - claim.units, claim.to_ms)
    return [
        ProvenSource(Address(farm), device, Units(units))  # type: ignore[arg-type]  # A key.
        for (farm, device), units in sorted(sums.items())
    ]


def _move_on(
    overlay: Overlay,
    context: BlockContext,
    line: Line,
    claim: WindowClaim,
    parts: Sequence[DevicePart],
    flow: DevicePart | None,
) -> None:
    """Let the next window begin where this one ends, and each device's chain go on."""
    for part in parts:
        _move_tip(overlay, line, claim, part, context.time_ms)
    moved = replace(line, through_ms=claim.to_ms, vat=claim.vat)
    meter, total, unit = stands(line, claim, flow)
    moved = replace(moved, flow_device=meter, flow_value=total, flow_unit=unit)
    if flow is not None and unit is not flow_unit(flow):
        # What drained of it was told in another unit.
        moved = replace(moved, vat=None)
    LINES.put(overlay, release_left(overlay, moved), claim.line)


def _move_tip(
    overlay: Overlay, line: Line, claim: WindowClaim, part: DevicePart, time_ms: int
) -> None:
    breaks = part.tip.breaks_ms if part.tip else ()
    if breaks_chain(line, claim, part):
        recent = (each for each in breaks if each > claim.to_ms - BREAKS_WITHIN_MS)
        breaks = (*recent, claim.to_ms)[-BREAKS_MAX:]
        if len(breaks) == BREAKS_MAX:
            device = part.device
            since_ms = min(device.stopped_ms, claim.to_ms, time_ms)
            DEVICES.put(overlay, replace(device, stopped_ms=since_ms), part.key)
    tip = replace(part.tip, breaks_ms=breaks) if part.tip else None
    if part.last is not None:
        tip = tip_after(part.last.envelope, claim.to_ms, breaks)
    if tip is not None and tip != part.tip:
        TIPS.put(overlay, tip, tip_name(Hash(claim.line), part.key))


WINDOW_LAWS: Final = (
    Law(
        MintWindow,
        apply_window,
        check_window,
        by=(Role.MMU,),
        claims=lambda body, sender, chain: window_claims(body, chain),
    ),
    Law(
        RollWindow,
        apply_roll_window,
        check_roll_window,
        by=(Role.MMU,),
        claims=lambda body, sender, chain: window_claims(body.mint, chain),
    ),
    Law(ReleaseShare, apply_release, check_release),
)
