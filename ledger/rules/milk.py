"""Milk: a pasteurised run becomes a lot and its tokens, if the evidence holds.

The claim is bounded by what the farms' meters counted, what flowed, and what left the tank; the
run must have been hot enough, cooled, and forward; a quorum of attestors recomputed it from all
readings. The tokens are split among farmers, processor, validators, attestors and reserve, and
the split sums to the lot exactly.

`tanks` has the milk before its run, `lots` what is sold, `losses` what is lost, `challenges`
what is doubted.
"""

import itertools
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from ledger.errors import (
    BadRunTimes,
    BadShelfLife,
    ClaimOverCollections,
    ClaimOverFlow,
    ClaimOverSealed,
    ClaimOverTank,
    CollectionOverMeter,
    DeficitOpen,
    Diverted,
    FlowAgainstTank,
    ForeignLot,
    ForeignRun,
    FreshLot,
    FutureRun,
    KnownRun,
    NoMilk,
    NoQuorum,
    OldMilk,
    ShortLot,
    TooCold,
    TooWarm,
    TwoSources,
    UnknownAttestor,
    UnorderedAttestors,
    WrongInstruments,
    ZeroCollection,
    ZeroUnits,
)
from ledger.params import BASIS_POINTS, DAY_MS, Parameters, Split
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address
from ledger.rules.books import book_gone, book_minted
from ledger.rules.context import BlockContext, Call
from ledger.rules.evidence import Shown, Span, check_evidence, registered_kind
from ledger.rules.losses import mmu_of
from ledger.rules.lots import find_lot, remove_milk
from ledger.rules.measure import apportion, collected, exact_volume
from ledger.rules.registry import require_role
from ledger.rules.subsidy import claim_subsidies
from ledger.state.dairy import Origin
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Lot, Reason, Role
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    LOTS,
    ORIGINS,
    RESERVE_ACCOUNT,
    RUNS,
    SEALED,
    VALIDATORS_ACCOUNT,
    attestors,
    credit,
    parameters,
    pay,
)
from ledger.types.evidence import Instrument, RunClaim
from ledger.types.milk import MintLot, RollLot

INSTRUMENTS: Final = {
    Instrument.MILK_METER: (0, 0),
    Instrument.FLOW_METER: (1, 1),
    Instrument.TANK_GAUGE: (0, 1),
    Instrument.HOLD_THERMOMETER: (1, 16),
    Instrument.OUTLET_THERMOMETER: (1, 16),
    Instrument.DIVERSION_VALVE: (1, 16),
}
"""How many of each a run's line must and may show. Milk meters stand with the collections."""

_FORWARD: Final = 1


@dataclass(frozen=True, slots=True)
class Shares:
    """A mint's tokens: who gets how many units. `farmers` stand in the collections' order."""

    farmers: tuple[int, ...]
    processor: int
    validators: int
    attestors: int
    reserve: int


@dataclass(frozen=True, slots=True)
class Milk:
    """A claim's milk: the tank (zeros if straight from meters), and what each farm brought."""

    tank: Hash
    brought: list[tuple[Address, Fraction]]


def split_mint(split: Split, units: int, brought: list[Fraction]) -> Shares:
    """Split a lot's units; the farmers' part takes every rounding and goes by milk brought."""
    processor, validators, attesting, reserve = (
        units * part // BASIS_POINTS
        for part in (split.processor_bp, split.validators_bp, split.attestors_bp, split.reserve_bp)
    )
    rest = units - processor - validators - attesting - reserve
    return Shares(tuple(apportion(rest, brought)), processor, validators, attesting, reserve)


def attestor_quorum(registered: int) -> int:
    """Give how many of the registered attestors must agree: floor(2n/3) + 1."""
    return 2 * registered // 3 + 1


def check_mint(reader: Reader, call: Call, body: MintLot) -> None:
    """Raise what can be said without a block: role, deficit, amounts, a run known already."""
    require_role(reader, call.sender, Role.MMU)
    if deficit := mmu_of(reader, call.sender).deficit:
        raise DeficitOpen(deficit=deficit)
    _check_new(reader, body)


def _check_new(reader: Reader, body: MintLot) -> None:
    if body.claim.units == 0:
        raise ZeroUnits
    lot = RUNS.get(reader, body.claim.run)
    if lot is not None:
        raise KnownRun(run=body.claim.run.hex(), lot=lot.hex())


def apply_mint(overlay: Overlay, context: BlockContext, call: Call, body: MintLot) -> None:
    """Re-check the whole claim and mint its lot; raise `Refused` faults."""
    check_mint(overlay, call, body)
    milk = _prove(overlay, context, call.sender, body)
    _write_lot(overlay, context, call.sender, body.claim, milk)
    _issue(overlay, call.sender, milk, body.claim.units)


def check_roll(reader: Reader, call: Call, body: RollLot) -> Lot:
    """Raise unless the sender's lot has tokens out and the run is new; give the lot."""
    require_role(reader, call.sender, Role.MMU)
    lot = find_lot(reader, body.lot)
    if lot.mmu != call.sender:
        raise ForeignLot(lot=body.lot.hex())
    if lot.remaining == 0:
        raise ShortLot(lot=body.lot.hex(), remaining=0, units=body.mint.claim.units)
    _check_new(reader, body.mint)
    return lot


def apply_roll(overlay: Overlay, context: BlockContext, call: Call, body: RollLot) -> None:
    """Back an expired lot's tokens with a new lot's milk, and issue only what is over.

    The farmers of that milk get no new tokens for it, so the MMU pays them: it buys the milk.
    """
    old, claim = check_roll(overlay, call, body), body.mint.claim
    if context.time_ms < old.expires_ms:
        raise FreshLot(lot=body.lot.hex(), reason="expired")
    milk = _prove(overlay, context, call.sender, body.mint)
    rolled = min(claim.units, old.remaining)
    remove_milk(overlay, body.lot, old, rolled)
    _write_lot(overlay, context, call.sender, claim, milk)
    book_gone(overlay, rolled, rolled, Reason.EXPIRED)
    _issue(overlay, call.sender, milk, claim.units - rolled)
    bought = split_mint(parameters(overlay).split, rolled, [part for _, part in milk.brought])
    for (farm, _), units in zip(milk.brought, bought.farmers, strict=True):
        pay(overlay, call.sender, farm, units)


def _prove(overlay: Overlay, context: BlockContext, mmu: Address, body: MintLot) -> Milk:
    """Raise unless a claim holds whole; use its readings up, and say whose milk it is."""
    rules, claim = parameters(overlay), body.claim
    _check_times(rules, context, claim)
    _check_quorum(overlay, rules, body)
    milk = _find_milk(overlay, rules, mmu, claim)
    _check_line(rules, claim, _check_instruments(overlay, mmu, claim))
    return milk


def _find_milk(overlay: Overlay, rules: Parameters, mmu: Address, claim: RunClaim) -> Milk:
    """Take a claim's milk from its own collections, or from the run that was sealed."""
    sealed = SEALED.get(overlay, claim.run)
    if claim.collections:
        if sealed is not None:
            raise TwoSources(run=claim.run.hex())
        return Milk(ZERO_HASH, _check_collections(overlay, rules, claim))
    if sealed is None:
        raise NoMilk(run=claim.run.hex())
    if (sealed.mmu, sealed.plant) != (mmu, claim.plant):
        raise ForeignRun(run=claim.run.hex())
    if claim.units > sealed.units:
        raise ClaimOverSealed(units=claim.units, counted=sealed.units)
    if claim.started_ms - sealed.oldest_ms > rules.collection_age_ms_max:
        raise OldMilk(
            oldest_ms=sealed.oldest_ms,
            started_ms=claim.started_ms,
            most_ms=rules.collection_age_ms_max,
        )
    sources = [(Address(farm), Fraction(units)) for farm, units in sealed.sources]
    return Milk(Hash(sealed.tank), sources)


def _check_times(rules: Parameters, context: BlockContext, claim: RunClaim) -> None:
    if claim.started_ms >= claim.ended_ms:
        raise BadRunTimes(started_ms=claim.started_ms, ended_ms=claim.ended_ms)
    if claim.ended_ms > context.time_ms + rules.clock_skew_ms_max:
        raise FutureRun(ended_ms=claim.ended_ms, time_ms=context.time_ms)
    latest_ms = claim.ended_ms + rules.shelf_days[claim.kind] * DAY_MS
    if not context.time_ms < claim.expires_ms <= latest_ms:
        raise BadShelfLife(
            expires_ms=claim.expires_ms, time_ms=context.time_ms, latest_ms=latest_ms
        )


def _check_quorum(reader: Reader, rules: Parameters, body: MintLot) -> None:
    registered = attestors(reader)
    signers = [attestation.attestor for attestation in body.attestations]
    if any(a >= b for a, b in itertools.pairwise(signers)):
        raise UnorderedAttestors
    for signer in signers:
        if signer not in registered:
            raise UnknownAttestor(attestor=signer.hex())
    needed = attestor_quorum(len(registered))
    if not rules.development:
        # One attestor is no quorum outside of a development network.
        needed = max(needed, 2)
    if len(signers) < needed:
        raise NoQuorum(got=len(signers), registered=len(registered), needed=needed)


def _check_collections(
    overlay: Overlay, rules: Parameters, claim: RunClaim
) -> list[tuple[Address, Fraction]]:
    """Check every farm's meter; give whose each collection is and what it brought, exactly."""
    earliest_ms = claim.started_ms - rules.collection_age_ms_max
    brought = []
    for index, collection in enumerate(claim.collections):
        if collection.units == 0:
            raise ZeroCollection(index=index)
        span = Span(claim.plant, collection.farm, earliest_ms, claim.ended_ms)
        shown = check_evidence(overlay, collection.meter, Instrument.MILK_METER, span)
        counted = exact_volume(shown.unit, shown.rise(), rules.density_mg_per_l)
        if collection.units > floor(counted):
            raise CollectionOverMeter(index=index, units=collection.units, counted=floor(counted))
        brought.append((Address(collection.farm), collected(collection.units, counted)))
    # Floored once, over the exact sum: a lot loses less than one unit, however many collections.
    total = floor(sum(part for _, part in brought))
    if claim.units > total:
        raise ClaimOverCollections(units=claim.units, counted=total)
    return brought


def _check_instruments(
    overlay: Overlay, sender: Address, claim: RunClaim
) -> list[tuple[Instrument, Shown]]:
    """Check every instrument of the line; give what each shows, with what it is."""
    span = Span(claim.plant, sender, claim.started_ms, claim.ended_ms)
    shown = []
    for evidence in claim.instruments:
        kind = registered_kind(overlay, evidence.device)
        shown.append((kind, check_evidence(overlay, evidence, kind, span)))
    counts = Counter(kind for kind, _ in shown)
    for kind, (least, most) in INSTRUMENTS.items():
        if not least <= counts[kind] <= most:
            raise WrongInstruments(kind=kind, count=counts[kind], least=least, most=most)
    return shown


def _check_line(rules: Parameters, claim: RunClaim, line: list[tuple[Instrument, Shown]]) -> None:
    flowed = drained = None
    for kind, shown in line:
        match kind:
            case Instrument.FLOW_METER:
                flowed = exact_volume(shown.unit, shown.rise(), rules.density_mg_per_l)
            case Instrument.TANK_GAUGE:
                drained = exact_volume(shown.unit, shown.fall(), rules.density_mg_per_l)
            case Instrument.HOLD_THERMOMETER:
                least, got = rules.hold_mdegc(claim.kind), min(shown.values())
                if got < least:
                    raise TooCold(got_mdegc=got, least_mdegc=least)
            case Instrument.OUTLET_THERMOMETER:
                if (got := max(shown.values())) > rules.cooling_mdegc:
                    raise TooWarm(got_mdegc=got, most_mdegc=rules.cooling_mdegc)
            case Instrument.DIVERSION_VALVE:
                if any(value != _FORWARD for value in shown.values()):
                    raise Diverted(device=shown.device.hex())
    assert flowed is not None, "the count of flow meters was checked"
    _check_volumes(rules, claim.units, flowed, drained)


def _check_volumes(
    rules: Parameters, units: int, flowed: Fraction, drained: Fraction | None
) -> None:
    if units > floor(flowed):
        raise ClaimOverFlow(units=units, counted=floor(flowed))
    if drained is None:
        return
    if units > floor(drained):
        raise ClaimOverTank(units=units, counted=floor(drained))
    if abs(flowed - drained) * BASIS_POINTS > rules.agreement_bp * max(flowed, drained):
        raise FlowAgainstTank(flow=floor(flowed), tank=floor(drained), limit_bp=rules.agreement_bp)


def _write_lot(
    overlay: Overlay, context: BlockContext, mmu: Address, claim: RunClaim, milk: Milk
) -> None:
    """Write the lot, where its milk came from, and the books."""
    lot_id = claim.lot_id()
    lot = Lot(
        claim.kind,
        claim.plant,
        claim.line,
        claim.run,
        mmu,
        claim.units,
        claim.units,
        claim.expires_ms,
        context.height,
        claim.readings_root,
    )
    LOTS.put(overlay, lot, lot_id)
    RUNS.put(overlay, lot_id, claim.run)
    by_farm: dict[Address, Fraction] = {}
    for farm, part in milk.brought:
        by_farm[farm] = by_farm.get(farm, Fraction(0)) + part
    sources = tuple((farm, Units(floor(part))) for farm, part in sorted(by_farm.items()))
    ORIGINS.put(overlay, Origin(milk.tank, sources), lot_id)
    book_minted(overlay, claim.units)
    farms, weights = zip(*milk.brought, strict=True)
    parts = apportion(claim.units, weights)
    claim_subsidies(overlay, context, list(zip(farms, parts, strict=True)))


def _issue(overlay: Overlay, mmu: Address, milk: Milk, units: int) -> None:
    """Pay everyone's part of newly issued tokens."""
    shares = split_mint(parameters(overlay).split, units, [part for _, part in milk.brought])
    for (farm, _), part in zip(milk.brought, shares.farmers, strict=True):
        credit(overlay, farm, part)
    credit(overlay, mmu, shares.processor)
    credit(overlay, VALIDATORS_ACCOUNT, shares.validators)
    credit(overlay, ATTESTORS_ACCOUNT, shares.attestors)
    credit(overlay, RESERVE_ACCOUNT, shares.reserve)
