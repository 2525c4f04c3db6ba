"""Proving: a claim holds whole, or is refused for the first thing that does not (spec §7).

The claim is bounded by what the farms' meters counted, or by the run that was sealed; by what
flowed, and by what left the tank. The run was hot enough, cooled and forward, and a quorum of
attestors recomputed it. What is shown is used up here; what it is worth is `milk`'s.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from ledger.errors.evidence import (
    BadRunTimes,
    BadShelfLife,
    ClaimOverCollections,
    ClaimOverFlow,
    ClaimOverTank,
    CollectionOverMeter,
    FlowAgainstTank,
    FutureRun,
    TooFewAttestors,
    UnknownAttestor,
    UnorderedAttestors,
    WrongInstruments,
    ZeroCollection,
)
from ledger.errors.milk import ClaimOverSealed, ForeignRun, NoMilk, OldMilk, TwoSources
from ledger.params import BASIS_POINTS, DAY_MS, Parameters
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.context import BlockContext
from ledger.rules.evidence import EvidenceScope, Shown, check_evidence, registered_kind
from ledger.rules.heat import check_heat
from ledger.rules.measure import collected, exact_volume
from ledger.state.overlay import Overlay, Reader
from ledger.state.tables import (
    SEALED,
    attestors,
    parameters,
    run_name,
)
from ledger.types.evidence import Instrument, RunClaim
from ledger.types.milk import MintLot

INSTRUMENTS: Final = {
    Instrument.MILK_METER: (0, 0),
    Instrument.FLOW_METER: (1, 1),
    Instrument.TANK_GAUGE: (0, 1),
    Instrument.HOLD_THERMOMETER: (1, 16),
    Instrument.OUTLET_THERMOMETER: (1, 16),
    Instrument.DIVERSION_VALVE: (1, 16),
}
"""How many of each a run's line must and may show. Milk meters stand with the collections."""


@dataclass(frozen=True, slots=True)
class Milk:
    """A claim's milk: the tank (zeros if straight from meters), and what each farm brought."""

    tank: Hash
    brought: list[tuple[Address, Fraction]]


def attestor_quorum(registered: int) -> int:
    """Give how many of the registered attestors must agree: floor(2n/3) + 1."""
    return 2 * registered // 3 + 1


def prove_run(overlay: Overlay, context: BlockContext, mmu: Address, body: MintLot) -> Milk:
    """Raise unless a claim holds whole; use its readings up, and say whose milk it is."""
    rules, claim = parameters(overlay), body.claim
    _check_times(rules, context, claim)
    check_quorum(overlay, [attestation.attestor for attestation in body.attestations])
    milk = _find_milk(overlay, rules, mmu, claim)
    _check_line(rules, claim, _check_instruments(overlay, mmu, claim))
    return milk


def _find_milk(overlay: Overlay, rules: Parameters, mmu: Address, claim: RunClaim) -> Milk:
    """Take a claim's milk from its own collections, or from the run that was sealed."""
    sealed = SEALED.get(overlay, run_name(claim.run, mmu))
    if claim.collections:
        if sealed is not None:
            raise TwoSources(run=claim.run.hex())
        return Milk(ZERO_HASH, _check_collections(overlay, rules, claim))
    if sealed is None:
        raise NoMilk(run=claim.run.hex())
    if sealed.plant != claim.plant:
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
    shelf_ms = rules.shelf_days[claim.kind] * DAY_MS
    # Everyone would pay, out of the reserve, for a lot that is over as soon as it is minted.
    earliest_ms, latest_ms = context.time_ms + shelf_ms // 2, claim.ended_ms + shelf_ms
    if not earliest_ms <= claim.expires_ms <= latest_ms:
        raise BadShelfLife(
            expires_ms=claim.expires_ms, earliest_ms=earliest_ms, latest_ms=latest_ms
        )


def check_quorum(reader: Reader, signers: Sequence[PublicKey]) -> None:
    """Raise unless signers stand in order, are registered, and enough."""
    registered = attestors(reader)
    if any(a >= b for a, b in itertools.pairwise(signers)):
        raise UnorderedAttestors
    for signer in signers:
        if signer not in registered:
            raise UnknownAttestor(attestor=signer.hex())
    needed = attestor_quorum(len(registered))
    if not parameters(reader).development:
        # One attestor is no quorum outside of a development network.
        needed = max(needed, 2)
    if len(signers) < needed:
        raise TooFewAttestors(got=len(signers), registered=len(registered), needed=needed)


def _check_collections(
    overlay: Overlay, rules: Parameters, claim: RunClaim
) -> list[tuple[Address, Fraction]]:
    """Check every farm's meter; give whose each collection is and what it brought, exactly."""
    earliest_ms = claim.started_ms - rules.collection_age_ms_max
    brought = []
    for index, collection in enumerate(claim.collections):
        if collection.units == 0:
            raise ZeroCollection(index=index)
        span = EvidenceScope(claim.plant, collection.farm, earliest_ms, claim.ended_ms)
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
    span = EvidenceScope(claim.plant, sender, claim.started_ms, claim.ended_ms)
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
    check_heat(rules, claim, line)
    flowed = drained = None
    for kind, shown in line:
        if kind is Instrument.FLOW_METER:
            flowed = exact_volume(shown.unit, shown.rise(), rules.density_mg_per_l)
        elif kind is Instrument.TANK_GAUGE:
            drained = exact_volume(shown.unit, shown.fall(), rules.density_mg_per_l)
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
