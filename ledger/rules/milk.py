"""Milk: a pasteurized run becomes a lot and its tokens, if the evidence holds.

The claim is bounded by what the farms' meters counted, what flowed, and what left the tank; the
run must have been hot enough, cooled, and forward; a quorum of attestors recomputed it from all
readings. The tokens are split among farmers, processor, validators, attestors and reserve, and
the split sums to the lot exactly.

`tanks` has the milk before its run, `lots` what is sold, `losses` what is lost, `challenges`
what is doubted.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from ledger.errors.evidence import KnownRun
from ledger.errors.milk import DeficitOpen, ForeignLot, FreshLot, LowBond
from ledger.errors.money import ShortLot, ZeroUnits
from ledger.params import BASIS_POINTS, Split
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.books import book_gone, book_minted
from ledger.rules.claims import mint_claims
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.rules.losses import mmu_of
from ledger.rules.lots import find_lot, remove_milk
from ledger.rules.measure import apportion
from ledger.rules.proving import Milk, prove_run
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
    VALIDATORS_ACCOUNT,
    credit,
    parameters,
    pay,
    run_name,
)
from ledger.types.evidence import RunClaim
from ledger.types.milk import MintLot, RollLot


@dataclass(frozen=True, slots=True)
class MintSplit:
    """A mint's tokens: who gets how many. Farmers stand in the collections' order."""

    farmers_units: tuple[int, ...]
    processor_units: int
    validators_units: int
    attestors_units: int
    reserve_units: int


def split_mint(split: Split, units: int, brought: list[Fraction]) -> MintSplit:
    """Split a lot's units; the farmers' part takes every rounding and goes by milk brought."""
    processor, validators, attesting, reserve = (
        units * part // BASIS_POINTS
        for part in (split.processor_bp, split.validators_bp, split.attestors_bp, split.reserve_bp)
    )
    rest = units - processor - validators - attesting - reserve
    return MintSplit(tuple(apportion(rest, brought)), processor, validators, attesting, reserve)


def check_mint(reader: Reader, call: Call, body: MintLot) -> None:
    """Raise what can be said without a block: bond, amounts, a run known already."""
    if deficit := mmu_of(reader, call.sender).deficit_units:
        raise DeficitOpen(deficit=deficit)
    _check_claimable(reader, call.sender, body)


def _check_claimable(reader: Reader, mmu: Address, body: MintLot) -> None:
    bond, least = mmu_of(reader, mmu).bond_units, parameters(reader).mmu_bond_least_units
    if bond < least:
        raise LowBond(bond=bond, least=least)
    if body.claim.units == 0:
        raise ZeroUnits
    lot = RUNS.get(reader, run_name(body.claim.run, mmu))
    if lot is not None:
        raise KnownRun(run=body.claim.run.hex(), lot=lot.hex())


def apply_mint(overlay: Overlay, context: BlockContext, call: Call, body: MintLot) -> None:
    """Re-check the whole claim and mint its lot; raise `Refused` faults."""
    check_mint(overlay, call, body)
    claim = body.claim
    milk = prove_run(overlay, context, call.sender, body)
    _write_lot(overlay, context, call.sender, claim, milk)
    book_minted(overlay, claim.units)
    claim_subsidies(overlay, context, _by_farm(milk, claim.units))
    _issue(overlay, call.sender, milk, claim.units)


def check_roll(reader: Reader, call: Call, body: RollLot) -> Lot:
    """Raise unless the sender's lot has tokens out, and its run may be claimed; give the lot."""
    lot = find_lot(reader, body.lot)
    if lot.mmu != call.sender:
        raise ForeignLot(lot=body.lot.hex())
    if lot.remaining_units == 0:
        raise ShortLot(lot=body.lot.hex(), remaining=0, units=body.mint.claim.units)
    deficit = mmu_of(reader, call.sender).deficit_units
    if deficit and body.mint.claim.units > lot.remaining_units:
        # What is over would be issued, and that is a mint.
        raise DeficitOpen(deficit=deficit)
    _check_claimable(reader, call.sender, body.mint)
    return lot


def apply_roll(overlay: Overlay, context: BlockContext, call: Call, body: RollLot) -> None:
    """Back an expired lot's tokens with a new lot's milk, and issue only what is over.

    The farmers of that milk get no new tokens for it, so the MMU pays them: it buys the milk.
    """
    old, claim = check_roll(overlay, call, body), body.mint.claim
    if context.time_ms < old.expires_ms:
        raise FreshLot(lot=body.lot.hex(), reason="expired")
    milk = prove_run(overlay, context, call.sender, body.mint)
    rolled = min(claim.units, old.remaining_units)
    remove_milk(overlay, body.lot, old, rolled)
    _write_lot(overlay, context, call.sender, claim, milk)
    book_minted(overlay, claim.units)
    claim_subsidies(overlay, context, _by_farm(milk, claim.units))
    book_gone(overlay, rolled, rolled, Reason.EXPIRED)
    _issue(overlay, call.sender, milk, claim.units - rolled)
    bought = split_mint(parameters(overlay).split, rolled, [part for _, part in milk.brought])
    for (farm, _), units in zip(milk.brought, bought.farmers_units, strict=True):
        pay(overlay, call.sender, farm, units)


def _write_lot(
    overlay: Overlay, context: BlockContext, mmu: Address, claim: RunClaim, milk: Milk
) -> None:
    """Write the lot, that its run became it, and where its milk came from."""
    lot_id = claim.lot_id()
    lot = Lot(
        kind=claim.kind,
        plant=claim.plant,
        line=claim.line,
        run=claim.run,
        mmu=mmu,
        units=claim.units,
        remaining_units=claim.units,
        expires_ms=claim.expires_ms,
        height=context.height,
        readings_root=claim.readings_root,
    )
    LOTS.put(overlay, lot, lot_id)
    RUNS.put(overlay, lot_id, run_name(claim.run, mmu))
    by_farm: dict[Address, Fraction] = {}
    for farm, part in milk.brought:
        by_farm[farm] = by_farm.get(farm, Fraction(0)) + part
    sources = tuple((farm, Units(floor(part))) for farm, part in sorted(by_farm.items()))
    ORIGINS.put(overlay, Origin(milk.tank, sources), lot_id)


def _by_farm(milk: Milk, units: int) -> list[tuple[Address, int]]:
    """Share a lot's units by whose milk they are."""
    farms, weights = zip(*milk.brought, strict=True)
    return list(zip(farms, apportion(units, weights), strict=True))


def _issue(overlay: Overlay, mmu: Address, milk: Milk, units: int) -> None:
    """Pay everyone's part of newly issued tokens."""
    parts = split_mint(parameters(overlay).split, units, [part for _, part in milk.brought])
    for (farm, _), part in zip(milk.brought, parts.farmers_units, strict=True):
        credit(overlay, farm, part)
    credit(overlay, mmu, parts.processor_units)
    credit(overlay, VALIDATORS_ACCOUNT, parts.validators_units)
    credit(overlay, ATTESTORS_ACCOUNT, parts.attestors_units)
    credit(overlay, RESERVE_ACCOUNT, parts.reserve_units)


def _farms(claim: RunClaim) -> list[Address]:
    return [collection.farm for collection in claim.collections]


MILK_LAWS: Final = (
    Law(
        MintLot,
        apply_mint,
        check_mint,
        by=(Role.MMU,),
        names=lambda body: _farms(body.claim),
        claims=lambda body, sender, chain: mint_claims(body, chain),
    ),
    Law(
        RollLot,
        apply_roll,
        check_roll,
        by=(Role.MMU,),
        names=lambda body: _farms(body.mint.claim),
        claims=lambda body, sender, chain: mint_claims(body.mint, chain),
    ),
)
