"""Permits: into whose tanks a farm lets its milk go, and who may bring it.

A meter is under one permit at a time: its own, if the farm ever wrote one, else the farm's for all
meters. Consent is judged by when milk was metered, so a change reaches later milk alone: the terms
before it stay as long as milk may be recorded under them.
"""

from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import ForeignOperator, WrongInstrument
from ledger.errors.line import NoPermit, PermitTooLong, TooManyTerms
from ledger.errors.registry import DeviceUnregistered, RoleNotHeld
from ledger.params import DAY_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.state.lines import PERMIT_TERMS_MAX, Permit, PermitTerms
from ledger.state.names import permit_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import DEVICES, PERMITS, has_role, parameters
from ledger.types.evidence import Instrument
from ledger.types.line import PermitCollector

ALL_METERS: Final = PublicKey(ZERO_HASH)
"""Stands in a permit for all meters that have none of their own."""

PERMIT_MS_MAX: Final = 400 * DAY_MS
"""How far ahead a permit may end."""


def check_permit(reader: Reader, farm: Address, body: PermitCollector) -> None:
    """Raise unless the farm may decide on this: all its meters, or one of its own."""
    if body.meter == ALL_METERS:
        return
    meter = DEVICES.get(reader, body.meter)
    if meter is None:
        raise DeviceUnregistered(device=body.meter.hex())
    if meter.instrument is not Instrument.MILK_METER:
        raise WrongInstrument(
            device=body.meter.hex(), registered=meter.instrument, wanted=Instrument.MILK_METER
        )
    if meter.operator != farm:
        raise ForeignOperator(device=body.meter.hex(), expected=farm.hex())


def write_permit(overlay: Overlay, farm: Address, body: PermitCollector, now_ms: int) -> None:
    """Change a farm's permit from now on, or end it; raise `Refused` faults."""
    check_permit(overlay, farm, body)
    if body.until_ms > now_ms + PERMIT_MS_MAX:
        raise PermitTooLong(until_ms=body.until_ms, latest_ms=now_ms + PERMIT_MS_MAX)
    name = permit_name(farm, body.meter)
    held, over = PERMITS.get(overlay, name), body.until_ms <= now_ms
    # A permit is withdrawn from an MMU that has lost its licence, too.
    if not over and not has_role(overlay, Role.MMU, body.mmu):
        raise RoleNotHeld(holder=body.mmu.hex(), role=Role.MMU)
    until_ms = max(now_ms, body.until_ms)
    terms = PermitTerms(body.mmu, body.collector, body.litres_a_day, now_ms, until_ms)
    if held is None:
        # A meter may be taken out of the permit for all: by one of its own that is over.
        if over and body.meter == ALL_METERS:
            raise NoPermit
        changed = Permit(terms)
    elif over:
        if held.terms.until_ms <= now_ms:
            raise NoPermit
        changed = replace(held, terms=replace(held.terms, until_ms=now_ms))
    else:
        horizon_ms = now_ms - parameters(overlay).collection_late_ms_max
        changed = replace(held, terms=terms, before=_needed(held, now_ms, horizon_ms))
    PERMITS.put(overlay, changed, name)


def _needed(held: Permit, now_ms: int, horizon_ms: int) -> tuple[PermitTerms, ...]:
    """List the terms up to now under which milk since the horizon may have been metered."""
    ended = replace(held.terms, until_ms=min(held.terms.until_ms, now_ms))
    past = [*held.before, ended]
    # The last that began before the horizon stays: it tells that no other was in force then.
    needed = [one for one, following in pairwise(past) if following.from_ms > horizon_ms]
    needed.append(ended)
    if len(needed) > PERMIT_TERMS_MAX:
        raise TooManyTerms(count=len(needed), most=PERMIT_TERMS_MAX)
    return tuple(needed)


def permit_at(
    reader: Reader, farm: Address, meter: PublicKey, at_ms: int
) -> tuple[bytes, Permit] | None:
    """Give the permit that a meter is under at a time, with its name in `PERMITS`."""
    own_name, name = permit_name(farm, meter), permit_name(farm, ALL_METERS)
    own = PERMITS.get(reader, own_name)
    if own is not None and _terms(own)[0].from_ms <= at_ms:
        return own_name, own
    held = PERMITS.get(reader, name)
    return None if held is None else (name, held)


def _terms(permit: Permit) -> tuple[PermitTerms, ...]:
    return (*permit.before, permit.terms)


def _meter_terms(reader: Reader, farm: Address, meter: PublicKey) -> list[PermitTerms]:
    """List all terms that a meter is or was under, by time; none overlap."""
    own = PERMITS.get(reader, permit_name(farm, meter))
    shared = PERMITS.get(reader, permit_name(farm, ALL_METERS))
    owned = [] if own is None else list(_terms(own))
    terms = [] if shared is None else list(_terms(shared))
    if owned:
        since_ms = owned[0].from_ms
        terms = [
            replace(each, until_ms=min(each.until_ms, since_ms))
            for each in terms
            if each.from_ms < since_ms
        ]
    return terms + owned


def permit_terms(
    reader: Reader, farm: Address, meter: PublicKey, mmu: Address, from_ms: int, to_ms: int
) -> PermitTerms | None:
    """Give the terms under which an MMU may have what a meter counted from one time to another.

    The farm must have permitted this MMU all the while; if the terms changed meanwhile, the last
    ones are given. None if it did not.
    """
    last: PermitTerms | None = None
    since_ms = to_ms + 1
    for each in reversed(_meter_terms(reader, farm, meter)):
        ahead, empty = each.from_ms > to_ms, each.from_ms == each.until_ms
        if ahead if last is None else empty:
            continue
        reaches = each.until_ms > to_ms if last is None else each.until_ms == since_ms
        if not reaches or each.mmu != mmu:
            return None
        last, since_ms = last or each, each.from_ms
        if since_ms <= from_ms:
            return last
    return None


def apply_permit(
    overlay: Overlay, context: BlockContext, call: Call, body: PermitCollector
) -> None:
    """Write the sender's permit."""
    write_permit(overlay, call.sender, body, context.time_ms)


PERMIT_LAWS: Final = (
    Law(
        PermitCollector,
        apply_permit,
        lambda reader, call, body: check_permit(reader, call.sender, body),
        names=lambda body: (body.mmu, body.collector),
    ),
)
