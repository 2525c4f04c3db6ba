"""Tanks: milk is collected into them, run by run drawn from them, and sometimes lost (spec §12).

Invariant: of each tank, collected = what stands in it + sealed + lost, farm by farm in whole
units. What is drawn or lost is taken from all farms in proportion, by largest remainder.
"""

from fractions import Fraction
from math import floor
from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import CollectionOverMeter, KnownRun
from ledger.errors.milk import ForeignTank, FullTank, OldMilk, SealedAlready, ShortTank, UnknownTank
from ledger.errors.money import ZeroUnits
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.claims import device_claims
from ledger.rules.context import BlockContext, Call
from ledger.rules.evidence import EvidenceScope, check_evidence
from ledger.rules.law import Law, require_role
from ledger.rules.measure import apportion, exact_volume
from ledger.state.dairy import SOURCES_MAX, SealedRun, Source, Tank
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import RUNS, SEALED, TANKS, parameters, run_name
from ledger.types.evidence import Instrument
from ledger.types.milk import RecordCollection, SealRun, tank_id


def check_collection(reader: Reader, call: Call, body: RecordCollection) -> None:
    """Raise unless there is milk, and the sender may bring it into this tank."""
    if body.units == 0:
        raise ZeroUnits
    if call.sender != body.mmu:
        require_role(reader, call.sender, Role.COLLECTOR)
    require_role(reader, body.mmu, Role.MMU)


def apply_collection(
    overlay: Overlay, context: BlockContext, call: Call, body: RecordCollection
) -> None:
    """Check the farm's meter and put what it counted into the tank."""
    check_collection(overlay, call, body)
    rules = parameters(overlay)
    earliest_ms = max(0, context.time_ms - rules.collection_late_ms_max)
    span = EvidenceScope(
        body.plant, body.farm, earliest_ms, context.time_ms + rules.clock_skew_ms_max
    )
    shown = check_evidence(overlay, body.meter, Instrument.MILK_METER, span)
    counted = floor(exact_volume(shown.unit, shown.rise(), rules.density_mg_per_l))
    if body.units > counted:
        raise CollectionOverMeter(index=0, units=body.units, counted=counted)
    name = tank_id(body.mmu, body.plant, body.tank)
    tank = TANKS.get(overlay, name) or Tank(
        body.mmu, body.plant, body.tank, Units(0), Units(0), Units(0), (), 0, context.height
    )
    sources = dict(tank.sources)
    sources[body.farm] = Units(sources.get(body.farm, 0) + body.units)
    if len(sources) > SOURCES_MAX:
        raise FullTank(tank=name.hex(), most=SOURCES_MAX)
    first_ms = shown.first.t0_ms
    filled = replace(
        tank,
        collected_units=Units(tank.collected_units + body.units),
        sources=tuple(sorted(sources.items())),
        oldest_ms=min(tank.oldest_ms, first_ms) if tank.sources else first_ms,
        height=context.height,
    )
    TANKS.put(overlay, filled, name)


def draw(tank: Tank, units: int) -> tuple[Tank, tuple[Source, ...]]:
    """Take milk out of a tank; give what is left and which farms' milk it was."""
    parts = apportion(units, [Fraction(held) for _, held in tank.sources])
    taken = tuple(
        (farm, Units(part)) for (farm, _), part in zip(tank.sources, parts, strict=True) if part
    )
    left = tuple(
        (farm, Units(held - part))
        for (farm, held), part in zip(tank.sources, parts, strict=True)
        if held > part
    )
    return replace(tank, sources=left, oldest_ms=tank.oldest_ms if left else 0), taken


def find_tank(reader: Reader, sender: Address, name: Hash, units: int) -> Tank:
    """Give the sender's tank; raise unless it holds as much."""
    tank = TANKS.get(reader, name)
    if tank is None:
        raise UnknownTank(tank=name.hex())
    if tank.mmu != sender:
        raise ForeignTank(tank=name.hex())
    if units == 0:
        raise ZeroUnits
    if tank.held_units < units:
        raise ShortTank(tank=name.hex(), held=tank.held_units, units=units)
    return tank


def check_seal(reader: Reader, call: Call, body: SealRun) -> Tank:
    """Raise unless the run is new and the sender's tank holds its milk; give the tank."""
    name = run_name(body.run, call.sender)
    if (lot := RUNS.get(reader, name)) is not None:
        raise KnownRun(run=body.run.hex(), lot=lot.hex())
    if SEALED.get(reader, name) is not None:
        raise SealedAlready(run=body.run.hex())
    return find_tank(reader, call.sender, body.tank, body.units)


def apply_seal(overlay: Overlay, context: BlockContext, call: Call, body: SealRun) -> None:
    """Draw a run's milk; what is too old to become a lot is not drawn for one."""
    tank = check_seal(overlay, call, body)
    most_ms = parameters(overlay).collection_age_ms_max
    if context.time_ms - tank.oldest_ms > most_ms:
        raise OldMilk(oldest_ms=tank.oldest_ms, started_ms=context.time_ms, most_ms=most_ms)
    left, taken = draw(tank, body.units)
    TANKS.put(overlay, replace(left, sealed_units=Units(left.sealed_units + body.units)), body.tank)
    sealed = SealedRun(
        tank.mmu, tank.plant, body.tank, body.units, taken, tank.oldest_ms, context.height
    )
    SEALED.put(overlay, sealed, run_name(body.run, tank.mmu))


TANK_LAWS: Final = (
    Law(
        RecordCollection,
        apply_collection,
        check_collection,
        names=lambda body: (body.mmu, body.farm),
        claims=lambda body, sender, chain: device_claims([body.meter], chain),
    ),
    Law(SealRun, apply_seal, check_seal, by=(Role.MMU,)),
)
