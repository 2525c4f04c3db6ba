"""Portions: what comes into a tank and goes out of it, in order of metering (spec §19.2).

Milk is drawn oldest first: only what was metered before it flowed, and not too long before. What a
stopped device counted is void as soon as a draw meets it, old milk lapses when a tank is touched,
and flow that a tank could not answer for is a debt that late milk pays first.

Invariant: what a tank holds is the sum of its portions. Functions that raise leave the clearing up
to the caller, as every rule does.
"""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from ledger.errors.milk import ForeignTank, ShortTank, UnknownTank
from ledger.errors.tank import TooManyPortions
from ledger.params import DAY_MS, HOUR_MS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.measure import LEVEL_MAX
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import ProvenSource
from ledger.state.records import NOBODY, Device, in_force
from ledger.state.tables import DEVICES, MILK_TANKS, TANK_HOURS, parameters
from ledger.state.tanks import DEBTS_MAX, PORTIONS_MAX, MilkTank, Portion, TankHour

LAPSE_GRACE_MS: Final = DAY_MS
"""For how long milk stays that a window ending now can't use: a late claim may yet."""
Fits = Callable[[Portion], bool]


def tank_of(reader: Reader, name: Hash) -> MilkTank:
    """Give a tank; one into which nothing came yet is empty and has no name."""
    return MILK_TANKS.get(reader, name) or MilkTank(NOBODY, "", "", 0)


def find_milk_tank(reader: Reader, name: Hash, units: int) -> MilkTank:
    """Give a tank that milk came into; raise unless it holds as much."""
    tank = tank_of(reader, name)
    if not tank.name:
        raise UnknownTank(tank=name.hex())
    if tank.held_units < units:
        raise ShortTank(tank=name.hex(), held=tank.held_units, units=units)
    return tank


def draw(
    overlay: Overlay, name: Hash, units: int, before_ms: int, not_before_ms: int
) -> tuple[ProvenSource, ...]:
    """Draw milk for what counts, oldest first; give whose it was.

    It was metered up to `before_ms`, and began no earlier than `not_before_ms`. Raises `ShortTank`
    with what there is if that is less.
    """
    hours = _hours(overlay, name, before_ms, not_before_ms)
    tank, taken = _cut(overlay, name, units, _between(before_ms, not_before_ms), hours)
    held = sum(portion.units for portion in taken)
    if held < units:
        raise ShortTank(tank=name.hex(), held=held, units=units)
    MILK_TANKS.put(overlay, replace(tank, drawn_units=Units(tank.drawn_units + units)), name)
    return sources_of(taken)


def draw_lost(overlay: Overlay, name: Hash, units: int, before_ms: int) -> None:
    """Take out what flowed and did not count; what the tank lacks, late milk of that time owes."""
    tank, taken = _cut(
        overlay, name, units, _between(before_ms, 0), _hours(overlay, name, before_ms)
    )
    lost = sum(portion.units for portion in taken)
    tank = replace(tank, lost_units=Units(tank.lost_units + lost))
    if lost < units:
        rules = parameters(overlay)
        # What stands in another tank may be moved here as long as it has not lapsed there.
        late_ms = lapse_age_ms(rules) + rules.clock_skew_ms_max
        tank = _owe(tank, units - lost, before_ms, late_ms)
    MILK_TANKS.put(overlay, tank, name)


def take_out(overlay: Overlay, name: Hash, units: int) -> tuple[MilkTank, list[Portion]]:
    """Take milk out of a tank, oldest first, whatever its age; raise `ShortTank` if it lacks it.

    The caller books where it went, and writes the tank.
    """
    hours = tank_of(overlay, name).hours
    tank, taken = _cut(overlay, name, units, lambda portion: True, hours)
    held = sum(portion.units for portion in taken)
    if held < units:
        raise ShortTank(tank=name.hex(), held=held, units=units)
    return tank, taken


def put(overlay: Overlay, name: Hash, tank: MilkTank, portions: Iterable[Portion]) -> None:
    """Let milk into a tank that has booked it as come in, and write the tank.

    Milk from before an unpaid debt pays that first. Raises `TooManyPortions` for an hour in which
    more meters brought milk than can be kept apart.
    """
    arrived: dict[int, list[Portion]] = {}
    for portion in portions:
        tank, left = _pay_debts(tank, portion)
        if left.units:
            arrived.setdefault(left.last_ms // HOUR_MS, []).append(left)
    for hour, coming in sorted(arrived.items()):
        held = sorted((*portions_of(overlay, name, hour), *coming), key=lambda each: each.order)
        held = _merged(held, len(held) - PORTIONS_MAX)
        if len(held) > PORTIONS_MAX:
            raise TooManyPortions(tank=name.hex(), hour=hour, most=PORTIONS_MAX)
        TANK_HOURS.put(overlay, TankHour(tuple(held)), name + epoch_name(hour))
    hours = tuple(sorted({*tank.hours, *arrived}))
    MILK_TANKS.put(overlay, replace(tank, hours=hours), name)


def write_off(overlay: Overlay, sender: Address, name: Hash, units: int, time_ms: int) -> None:
    """Write milk of the sender's own tank off."""
    check_write_off(overlay, sender, name, units)
    lapse(overlay, name, time_ms)
    tank, _ = take_out(overlay, name, units)
    # A rise that nobody explained is made good by as much of the chain's own milk.
    risen = min(units, max(0, tank.gauge_drift_units))
    lost = replace(
        tank,
        lost_units=Units(tank.lost_units + units),
        gauge_drift_units=tank.gauge_drift_units - risen,
        gauge_due_units=Units(tank.gauge_due_units + units - risen),
    )
    MILK_TANKS.put(overlay, lost, name)


def check_write_off(reader: Reader, sender: Address, name: Hash, units: int) -> None:
    """Raise unless the sender's tank holds as much."""
    if find_milk_tank(reader, name, units).mmu != sender:
        raise ForeignTank(tank=name.hex())


def lapse(overlay: Overlay, name: Hash, time_ms: int) -> MilkTank:
    """Let milk go that is too old for any window that ended lately; give the tank."""
    limit_ms = max(0, time_ms - lapse_age_ms(parameters(overlay)))
    before = tank_of(overlay, name)
    hours = _hours(overlay, name, limit_ms)
    tank, taken = _cut(overlay, name, None, lambda portion: portion.first_ms < limit_ms, hours)
    lapsed = sum(portion.units for portion in taken)
    tank = replace(
        tank,
        lapsed_units=Units(tank.lapsed_units + lapsed),
        gauge_due_units=Units(tank.gauge_due_units + lapsed),
    )
    if tank != before:
        MILK_TANKS.put(overlay, tank, name)
    return tank


def lapse_age_ms(rules: Parameters) -> int:
    """Give how old milk becomes before it lapses."""
    return rules.collection_age_ms_max + LAPSE_GRACE_MS


def sources_of(portions: Iterable[Portion]) -> tuple[ProvenSource, ...]:
    """Sum portions by farm and meter, ascending."""
    sums: dict[tuple[Address, PublicKey], int] = {}
    for portion in portions:
        origin = Address(portion.farm), PublicKey(portion.device)
        sums[origin] = sums.get(origin, 0) + portion.units
    return tuple(
        ProvenSource(farm, device, Units(units)) for (farm, device), units in sorted(sums.items())
    )


def portions_of(reader: Reader, name: Hash, hour: int) -> tuple[Portion, ...]:
    """List the portions of an hour, in order of metering."""
    found = TANK_HOURS.get(reader, name + epoch_name(hour))
    return found.portions if found else ()


def _between(before_ms: int, not_before_ms: int) -> Fits:
    return lambda portion: portion.last_ms <= before_ms and portion.first_ms >= not_before_ms


def _voids(reader: Reader) -> Fits:
    """Tell of portions whether their device was stopped since; it is read once."""
    devices: dict[bytes, Device | None] = {}

    def is_void(portion: Portion) -> bool:
        if portion.device not in devices:
            devices[portion.device] = DEVICES.get(reader, portion.device)
        device = devices[portion.device]
        assert device is not None, "a portion of a meter that is not there"
        return not in_force(device, portion.first_ms, portion.last_ms)

    return is_void


def _hours(reader: Reader, name: Hash, before_ms: int, since_ms: int = 0) -> list[int]:
    """List the hours of a tank that began by a time, and were not over by another.

    A claim of many intervals would read all old milk for each.
    """
    hours = tank_of(reader, name).hours
    return [
        each for each in hours if each * HOUR_MS <= before_ms and (each + 1) * HOUR_MS > since_ms
    ]


def _cut(
    overlay: Overlay, name: Hash, units: int | None, fits: Fits, hours: Iterable[int]
) -> tuple[MilkTank, list[Portion]]:
    """Cut up to so many units (None: all) out of what fits in some hours, in order.

    Gives the tank and the cuts. What it meets on the way and is void goes too.
    """
    tank, is_void = tank_of(overlay, name), _voids(overlay)
    taken: list[Portion] = []
    void = 0
    empty: set[int] = set()
    for hour in hours:
        if units == 0:
            break
        portions, kept = portions_of(overlay, name, hour), []
        for portion in portions:
            part = 0
            if units == 0 or not fits(portion):
                pass
            elif is_void(portion):
                void += portion.units
                continue
            else:
                part = portion.units if units is None else min(portion.units, units)
                units = None if units is None else units - part
                taken.append(replace(portion, units=Units(part)))
            if part < portion.units:
                kept.append(replace(portion, units=Units(portion.units - part)))
        if not kept:
            empty.add(hour)
            TANK_HOURS.remove(overlay, name + epoch_name(hour))
        elif kept != list(portions):
            TANK_HOURS.put(overlay, TankHour(tuple(kept)), name + epoch_name(hour))
    left = replace(
        tank,
        hours=tuple(hour for hour in tank.hours if hour not in empty),
        void_units=Units(tank.void_units + void),
        gauge_due_units=Units(tank.gauge_due_units + void),
    )
    return left, taken


def _merged(portions: list[Portion], many: int) -> list[Portion]:
    """Join so many neighbours of one meter, those that stand closest; fewer if there are fewer.

    What is joined is as old as the oldest and as late as the latest: never easier to draw.
    """
    if many <= 0:
        return portions
    latest: dict[tuple[bytes, bytes], int] = {}
    pairs = []
    for place, portion in enumerate(portions):
        origin = (portion.farm, portion.device)
        if origin in latest:
            before = latest[origin]
            pairs.append((portion.last_ms - portions[before].last_ms, before, place))
        latest[origin] = place
    joined = {before: place for _, before, place in sorted(pairs)[:many]}
    kept = list(portions)
    for before, place in sorted(joined.items()):
        kept[place] = replace(
            kept[place],
            first_ms=min(kept[before].first_ms, kept[place].first_ms),
            units=Units(kept[before].units + kept[place].units),
        )
    left = [portion for place, portion in enumerate(kept) if place not in joined]
    return sorted(left, key=lambda each: each.order)


def _pay_debts(tank: MilkTank, portion: Portion) -> tuple[MilkTank, Portion]:
    """Let a portion pay the debts of its time; give what is left of it."""
    debts, left = [], portion.units
    for until_ms, owed in tank.debts:
        paid = min(owed, left) if portion.last_ms <= until_ms else 0
        left = Units(left - paid)
        if paid < owed:
            debts.append((until_ms, Units(owed - paid)))
    paid = portion.units - left
    tank = replace(tank, debts=tuple(debts), lost_units=Units(tank.lost_units + paid))
    return tank, replace(portion, units=left)


def _owe(tank: MilkTank, units: int, before_ms: int, late_ms: int) -> MilkTank:
    """Add a debt; forget those of which no milk can come any more.

    Too many are joined to the later time, from the oldest on: more milk owes them then, not less.
    None is more than any tank holds: a broken meter's would pass what a record can tell.
    """
    debts = dict(tank.debts)
    debts[before_ms] = Units(min(debts.get(before_ms, 0) + units, LEVEL_MAX))
    kept = [(at, owed) for at, owed in sorted(debts.items()) if at >= before_ms - late_ms]
    while len(kept) > DEBTS_MAX:
        (_, first), (at, second), *rest = kept
        kept = [(at, Units(min(first + second, LEVEL_MAX))), *rest]
    return replace(tank, debts=tuple(kept))
