"""Lots of windows: what counted becomes a lot, its proof and its tokens (spec §20.3).

The tokens are split as those of any lot, but the processor's share waits in the law's account until
the lot is past doubt; subsidies are claimed at once, since the farms' meters stand behind them.

Invariant: a lot's units = its intervals' = its sources'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from msgspec.structs import replace

from ledger.errors.window import NoShare, ShareLocked
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.books import book_minted
from ledger.rules.context import BlockContext, Call
from ledger.rules.doubts import is_contestable, judged_by
from ledger.rules.measure import apportion
from ledger.rules.split import MintSplit, split_mint
from ledger.rules.subsidy import claim_subsidies
from ledger.rules.vouchers import bind_attestors
from ledger.rules.windows import DevicePart
from ledger.state.lines import Line
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import ClaimedSpan, Proven, ProvenInterval, ProvenSource
from ledger.state.records import Lot
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    LOCKED_ACCOUNT,
    LOTS,
    PROVEN,
    RESERVE_ACCOUNT,
    VALIDATORS_ACCOUNT,
    credit,
    parameters,
    pay,
)
from ledger.types.window import MintWindow, ReleaseShare, WindowClaim

Sources = Sequence[ProvenSource]


@dataclass(frozen=True, slots=True)
class WindowMilk:
    """What counted in a window: what its devices showed, whose milk it was."""

    parts: Sequence[DevicePart]
    sources: Sources


def interval_units(claim: WindowClaim) -> list[int]:
    """Share a claim's units among its intervals by their steps."""
    if not claim.units:
        return [0] * len(claim.intervals)
    return apportion(claim.units, [Fraction(each.steps) for each in claim.intervals])


def split_by_source(reader: Reader, sources: Sources, units: int) -> MintSplit:
    """Split units as those of a mint, the farmers' by whose milk it is."""
    weights = [Fraction(source.units) for source in sources]
    return split_mint(parameters(reader).split, units, weights)


def issue(overlay: Overlay, sources: Sources, units: int) -> int:
    """Pay everyone's part of newly issued tokens; give the processor's, which stays locked."""
    parts = split_by_source(overlay, sources, units)
    for source, part in zip(sources, parts.farmers_units, strict=True):
        credit(overlay, Address(source.farm), part)
    credit(overlay, LOCKED_ACCOUNT, parts.processor_units)
    credit(overlay, VALIDATORS_ACCOUNT, parts.validators_units)
    credit(overlay, ATTESTORS_ACCOUNT, parts.attestors_units)
    credit(overlay, RESERVE_ACCOUNT, parts.reserve_units)
    return parts.processor_units


def write_lot(
    overlay: Overlay,
    context: BlockContext,
    line: Line,
    body: MintWindow,
    milk: WindowMilk,
    locked: int,
) -> None:
    """Write the lot, what proved it and where its milk came from; book it, and claim subsidies."""
    claim, lot_id = body.claim, body.claim.lot_id()
    lot = Lot(
        kind=claim.kind,
        plant=line.plant,
        line=line.name,
        mmu=line.mmu,
        units=claim.units,
        remaining_units=claim.units,
        expires_ms=claim.expires_ms,
        height=context.height,
        readings_root=claim.readings_root,
    )
    LOTS.put(overlay, lot, lot_id)
    by_farm: dict[Address, int] = {}
    for source in milk.sources:
        farm = Address(source.farm)
        by_farm[farm] = by_farm.get(farm, 0) + source.units
    farms = tuple((farm, Units(units)) for farm, units in sorted(by_farm.items()))
    proven = _proven(overlay, context, line, body, milk)
    PROVEN.put(overlay, replace(proven, locked_units=Units(locked)), lot_id)
    bind_attestors(overlay, proven.attestors, proven.contestable_until_ms)
    book_minted(overlay, claim.units)
    claim_subsidies(overlay, context, farms)


def _proven(
    reader: Reader, context: BlockContext, line: Line, body: MintWindow, milk: WindowMilk
) -> Proven:
    claim, rules = body.claim, parameters(reader)
    return Proven(
        line=claim.line,
        mmu=line.mmu,
        tank=line.tank,
        from_ms=claim.from_ms,
        to_ms=claim.to_ms,
        intervals=tuple(
            ProvenInterval(each.from_ms, each.to_ms, each.steps, Units(units))
            for each, units in zip(claim.intervals, interval_units(claim), strict=True)
        ),
        spans=tuple(_span(part, part.end.number) for part in milk.parts if part.end),
        readings_root=claim.readings_root,
        readings_count=claim.readings_count,
        attestors=tuple(given.attestor for given in body.attestations),
        sources=tuple(milk.sources),
        judged_by=judged_by(rules, line, claim.kind),
        contestable_until_ms=context.time_ms + rules.challenge_window_ms,
    )


def _span(part: DevicePart, number: tuple[int, int]) -> ClaimedSpan:
    tip, device = part.tip if part.is_linked else None, part.device
    earlier = () if device.earlier is None else (device.earlier[0],)
    return ClaimedSpan(
        part.key,
        (tip.boot, tip.seq) if tip else None,
        *number,
        part.entry.from_ms,
        part.entry.until_ms,
        (*earlier, device.calibrated_from_ms),
        device.cleared,
    )


def check_release(reader: Reader, call: Call, body: ReleaseShare) -> Proven:
    """Raise unless something of the lot is locked; give what proved it."""
    proven = PROVEN.get(reader, body.lot)
    if proven is None or not proven.locked_units:
        raise NoShare(lot=body.lot.hex())
    return proven


def apply_release(overlay: Overlay, context: BlockContext, call: Call, body: ReleaseShare) -> None:
    """Pay the share to the lot's MMU, once the lot is past doubt."""
    proven = check_release(overlay, call, body)
    if is_contestable(overlay, body.lot, proven, context.time_ms):
        raise ShareLocked(lot=body.lot.hex(), until_ms=proven.contestable_until_ms)
    PROVEN.put(overlay, replace(proven, locked_units=Units(0)), body.lot)
    pay(overlay, LOCKED_ACCOUNT, Address(proven.mmu), proven.locked_units)
