"""Milk: a pasteurised run becomes a lot and its tokens, if the evidence holds.

The claim is bounded by what the farms' meters counted, what flowed, and what left the tank; the
run must have been hot enough, cooled, and forward; a quorum of attestors recomputed it from all
readings. The tokens are split among farmers, processor, validators, attestors and reserve, and
the split sums to the lot exactly.

RecordCollection, SealRun, PackLot, RollLot, WriteOff, ChallengeLot, ResolveChallenge, FreezeLot
and RecallLot belong here.
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
    ClaimOverTank,
    CollectionOverMeter,
    Diverted,
    FlowAgainstTank,
    FutureRun,
    KnownRun,
    NoQuorum,
    RoleMissing,
    SupplyOverflow,
    TooCold,
    TooWarm,
    UnknownAttestor,
    UnorderedAttestors,
    WrongInstruments,
    ZeroCollection,
    ZeroUnits,
)
from ledger.params import BASIS_POINTS, DAY_MS, Parameters, Split
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.evidence import Shown, Span, check_evidence, registered_kind
from ledger.rules.measure import apportion, collected, exact_volume
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Lot, Role, Supply
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    LOTS,
    RESERVE_ACCOUNT,
    RUNS,
    SUPPLY,
    VALIDATORS_ACCOUNT,
    attestors,
    credit,
    has_role,
    parameters,
    supply,
)
from ledger.types.evidence import Instrument, RunClaim
from ledger.types.transaction import MintLot

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
    """Raise what can be said without a block: role, amounts, a run known already."""
    if not has_role(reader, Role.MMU, call.sender):
        raise RoleMissing(role=Role.MMU.value)
    if body.claim.units == 0:
        raise ZeroUnits
    lot = RUNS.get(reader, body.claim.run)
    if lot is not None:
        raise KnownRun(run=body.claim.run.hex(), lot=lot.hex())


def apply_mint(overlay: Overlay, context: BlockContext, call: Call, body: MintLot) -> None:
    """Re-check the whole claim and mint its lot; raise `Refused` faults."""
    check_mint(overlay, call, body)
    rules, claim = parameters(overlay), body.claim
    _check_times(rules, context, claim)
    _check_quorum(overlay, rules, body)
    brought = _check_collections(overlay, rules, claim)
    _check_line(rules, claim, _check_instruments(overlay, call.sender, claim))
    books = supply(overlay)
    if books.minted + claim.units > UNITS_MAX:
        raise SupplyOverflow(units=claim.units)
    _issue(overlay, context, call.sender, claim, split_mint(rules.split, claim.units, brought))


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


def _check_collections(overlay: Overlay, rules: Parameters, claim: RunClaim) -> list[Fraction]:
    """Check every farm's meter; give what each collection brought, exactly."""
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
        brought.append(collected(collection.units, counted))
    # Floored once, over the exact sum: a lot loses less than one unit, however many collections.
    total = floor(sum(brought))
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


def _issue(
    overlay: Overlay, context: BlockContext, sender: Address, claim: RunClaim, shares: Shares
) -> None:
    """Write the lot and the books, and pay everyone's part."""
    lot_id: Hash = claim.lot_id()
    lot = Lot(
        claim.kind,
        claim.plant,
        claim.line,
        claim.run,
        sender,
        claim.units,
        claim.units,
        claim.expires_ms,
        context.height,
        claim.readings_root,
    )
    LOTS.put(overlay, lot, lot_id)
    RUNS.put(overlay, lot_id, claim.run)
    books = supply(overlay)
    minted, remaining = books.minted + claim.units, books.remaining + claim.units
    SUPPLY.put(overlay, Supply(Units(minted), books.redeemed, Units(remaining)))
    for collection, units in zip(claim.collections, shares.farmers, strict=True):
        credit(overlay, collection.farm, units)
    credit(overlay, sender, shares.processor)
    credit(overlay, VALIDATORS_ACCOUNT, shares.validators)
    credit(overlay, ATTESTORS_ACCOUNT, shares.attestors)
    credit(overlay, RESERVE_ACCOUNT, shares.reserve)
