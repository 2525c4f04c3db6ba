"""Collecting: milk comes into tanks with its farm's consent, is moved, or condemned (spec §19).

A collection brings what a farm's meter counted, once, at the meter's own rate, and only so far as
the farm permitted it when it was metered. A day's litres are clipped, never refused while some are
left: what is over is not milk of the chain.
"""

from math import floor
from typing import Final

from msgspec.structs import replace

from ledger.errors.evidence import (
    CollectionOverMeter,
    OutsideRun,
    UnknownDevice,
    WrongInstrument,
)
from ledger.errors.money import ShortLot, ZeroUnits
from ledger.errors.tank import (
    DayFull,
    LargeMove,
    NotPermitted,
    OutOfForce,
    SameTank,
    SmallCollection,
)
from ledger.params import DAY_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law, require_role
from ledger.rules.losses import lose_milk
from ledger.rules.lots import find_lot
from ledger.rules.metering import (
    COLLECTION_LEAST_UNITS,
    Metered,
    check_rate,
    read_meter,
    use_meter,
)
from ledger.rules.permits import permit_at, permit_terms
from ledger.rules.portions import (
    find_milk_tank,
    lapse,
    portions_of,
    put,
    take_out,
    tank_of,
)
from ledger.state.lines import PERMIT_DAYS_MAX
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Device, Reason, Role, in_force
from ledger.state.tables import DEVICES, MILK_TANKS, PERMITS, parameters
from ledger.state.tanks import MilkTank, Portion
from ledger.types.evidence import Instrument
from ledger.types.milk import tank_id
from ledger.types.reading import reading_bytes
from ledger.types.tank import CondemnMilk, MoveMilk
from ledger.types.window import CollectMilk

MOVED_MAX: Final = 1_024
"""The most portions that move at once: they may come back, and move again, for a small fee."""


def check_collect(reader: Reader, call: Call, body: CollectMilk) -> None:
    """Raise unless there is milk worth a collection, for an MMU, by it or a collector."""
    if body.units < COLLECTION_LEAST_UNITS:
        raise SmallCollection(units=body.units, least=COLLECTION_LEAST_UNITS)
    require_role(reader, body.mmu, Role.MMU)
    if call.sender != body.mmu:
        require_role(reader, call.sender, Role.COLLECTOR)


def apply_collect(overlay: Overlay, context: BlockContext, call: Call, body: CollectMilk) -> None:
    """Check a farm's meter and its consent, use the meter, and put the milk into the tank."""
    check_collect(overlay, call, body)
    rules = parameters(overlay)
    metered = read_meter(body.meter, body.first, body.last)
    device = _check_meter(overlay, context, metered)
    check_rate(metered, device.flow_max_l_per_h, rules.density_mg_per_l)
    counted = floor(metered.volume(rules.density_mg_per_l))
    if body.units > counted:
        raise CollectionOverMeter(index=0, units=body.units, counted=counted)
    farm = Address(device.operator)
    units = _use_permit(overlay, call.sender, body, farm, metered)
    earliest_ms = max(0, context.time_ms - rules.collection_late_ms_max)
    use_meter(overlay, metered, earliest_ms, rules.density_mg_per_l)
    name = tank_id(body.mmu, body.plant, body.tank)
    tank = _named(overlay, context, name, MilkTank(body.mmu, body.plant, body.tank, 0))
    start_ms, end_ms = metered.start.time_ms, metered.end.time_ms
    filled = replace(
        tank,
        collected_units=Units(tank.collected_units + units),
        gauge_credit_units=Units(tank.gauge_credit_units + units),
    )
    put(overlay, name, filled, [Portion(farm, body.meter, start_ms, end_ms, units)])


def _check_meter(reader: Reader, context: BlockContext, metered: Metered) -> Device:
    """Give the meter; raise unless it is one, in force as it counted, and that was lately."""
    name, rules = metered.device.hex(), parameters(reader)
    from_ms, to_ms = metered.start.time_ms, metered.end.time_ms
    earliest_ms = context.time_ms - rules.collection_late_ms_max
    latest_ms = context.time_ms + rules.clock_skew_ms_max
    if from_ms < earliest_ms or to_ms > latest_ms:
        raise OutsideRun(
            device=name,
            from_ms=from_ms,
            to_ms=to_ms,
            started_ms=max(0, earliest_ms),
            ended_ms=latest_ms,
        )
    device = DEVICES.get(reader, metered.device)
    if device is None:
        raise UnknownDevice(device=name)
    if device.instrument is not Instrument.MILK_METER:
        raise WrongInstrument(
            device=name, registered=device.instrument, wanted=Instrument.MILK_METER
        )
    if not in_force(device, from_ms, to_ms):
        raise OutOfForce(device=name, from_ms=from_ms, to_ms=to_ms)
    return device


def _use_permit(
    overlay: Overlay, sender: Address, body: CollectMilk, farm: Address, metered: Metered
) -> Units:
    """Take a collection out of the day that its farm permits; give what of it that leaves."""
    from_ms, to_ms = metered.start.time_ms, metered.end.time_ms
    terms = permit_terms(overlay, farm, body.meter, body.mmu, from_ms, to_ms)
    held = permit_at(overlay, farm, body.meter, to_ms)
    if held is None or terms is None or sender not in (terms.mmu, terms.collector):
        raise NotPermitted(farm=farm.hex(), device=body.meter.hex(), from_ms=from_ms, to_ms=to_ms)
    name, permit = held
    day, most = to_ms // DAY_MS, terms.litres_a_day * UNITS_PER_BILL
    used = dict(permit.days)
    left = day_left(used, day, most)
    if left <= 0:
        raise DayFull(units=used.get(day, 0), day=day)
    units = Units(min(body.units, left))
    used[day] = Units(used.get(day, 0) + units)
    days = tuple(sorted(used.items())[-PERMIT_DAYS_MAX:])
    PERMITS.put(overlay, replace(permit, days=days), name)
    return units


def day_left(used: dict[int, Units], day: int, most: int) -> int:
    """Give what is left of a day: its litres, and what the day before left of its own.

    What a day took of the day before is gone there too, in whichever order they are collected.
    """
    allowed = most + max(0, most - used.get(day - 1, 0))
    if (after := used.get(day + 1, 0)) > most:
        allowed = min(allowed, 2 * most - after)
    return allowed - used.get(day, 0)


def _named(overlay: Overlay, context: BlockContext, name: Hash, new: MilkTank) -> MilkTank:
    """Give a tank without its old milk; it takes its name from the first that comes in."""
    tank = lapse(overlay, name, context.time_ms)
    if tank.name:
        return tank
    return replace(tank, mmu=new.mmu, plant=new.plant, name=new.name, height=context.height)


def check_move(reader: Reader, call: Call, body: MoveMilk) -> None:
    """Raise unless the sender's tank holds as much, and the other is another."""
    if body.units == 0:
        raise ZeroUnits
    name = tank_id(call.sender, body.plant, body.tank)
    if body.tank == body.into:
        raise SameTank(tank=name.hex())
    find_milk_tank(reader, name, body.units)


def _check_size(reader: Reader, name: Hash, units: int) -> None:
    """Raise `LargeMove` if so many units are more portions than may move at once."""
    count = 0
    for hour in tank_of(reader, name).hours:
        for portion in portions_of(reader, name, hour):
            if units <= 0:
                return
            units -= portion.units
            count += 1
            if count > MOVED_MAX:
                raise LargeMove(tank=name.hex(), most=MOVED_MAX)


def apply_move(overlay: Overlay, context: BlockContext, call: Call, body: MoveMilk) -> None:
    """Move portions, oldest first; each keeps its origin."""
    check_move(overlay, call, body)
    source, target = (tank_id(call.sender, body.plant, each) for each in (body.tank, body.into))
    lapse(overlay, source, context.time_ms)
    _check_size(overlay, source, body.units)
    tank, portions = take_out(overlay, source, body.units)
    moved = replace(
        tank,
        moved_units=Units(tank.moved_units + body.units),
        gauge_due_units=Units(tank.gauge_due_units + body.units),
    )
    MILK_TANKS.put(overlay, moved, source)
    into = _named(overlay, context, target, MilkTank(call.sender, body.plant, body.into, 0))
    filled = replace(
        into,
        arrived_units=Units(into.arrived_units + body.units),
        gauge_credit_units=Units(into.gauge_credit_units + body.units),
    )
    put(overlay, target, filled, portions)


def check_condemn(reader: Reader, call: Call, body: CondemnMilk) -> None:
    """Raise unless the tank or lot has as much."""
    if body.units == 0:
        raise ZeroUnits
    if MILK_TANKS.get(reader, body.subject) is not None:
        find_milk_tank(reader, body.subject, body.units)
        return
    remaining = find_lot(reader, body.subject).remaining_units
    if remaining < body.units:
        raise ShortLot(lot=body.subject.hex(), remaining=remaining, units=body.units)


def apply_condemn(overlay: Overlay, context: BlockContext, call: Call, body: CondemnMilk) -> None:
    """Void milk of a tank, oldest first; or take it out of a lot as if that were recalled."""
    check_condemn(overlay, call, body)
    if MILK_TANKS.get(overlay, body.subject) is None:
        lot = find_lot(overlay, body.subject)
        lose_milk(overlay, body.subject, lot, body.units, Reason.RECALLED)
        return
    lapse(overlay, body.subject, context.time_ms)
    tank, _ = take_out(overlay, body.subject, body.units)
    void = replace(
        tank,
        void_units=Units(tank.void_units + body.units),
        gauge_due_units=Units(tank.gauge_due_units + body.units),
    )
    MILK_TANKS.put(overlay, void, body.subject)


def _collect_claims(body: CollectMilk, sender: Address, chain: Hash) -> list[Claim]:
    envelopes = {(body.meter, each.body, each.signature) for each in (body.first, body.last)}
    return [(key, reading_bytes(chain, raw), sig) for key, raw, sig in sorted(envelopes)]


COLLECTING_LAWS: Final = (
    Law(
        CollectMilk,
        apply_collect,
        check_collect,
        names=lambda body: (body.mmu,),
        claims=_collect_claims,
    ),
    Law(MoveMilk, apply_move, check_move, by=(Role.MMU,)),
    Law(CondemnMilk, apply_condemn, check_condemn, by=(Role.REGULATOR,)),
)
