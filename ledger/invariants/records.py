"""What must hold of one record alone: bounds, sums and orders within it.

Cheap enough for every record that a block touches. That no amount is negative and none is a
fraction is in the records' types: what breaks it does not decode.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from ledger.params import BASIS_POINTS, DAY_STEP_BP_MAX, Parameters
from ledger.primitives.committee import Committee
from ledger.state.dairy import Mmu, ProductLot
from ledger.state.lines import LineMinted
from ledger.state.market import Mandate, Price, Subsidy
from ledger.state.prefixes import DECODERS
from ledger.state.proven import Proven
from ledger.state.records import Lot, Supply
from ledger.state.stakes import Offences, Slashes, Unbonding, Validator
from ledger.state.table import Table
from ledger.state.tables import (
    COMMITTEES,
    LINE_MINTED,
    LOTS,
    MANDATES,
    METER_USE,
    MILK_TANKS,
    MMUS,
    OFFENCES,
    PARAMETERS,
    PRICE,
    PRODUCTS,
    PROVEN,
    SLASHES,
    SUBSIDY,
    SUPPLY,
    TANK_HOURS,
    UNBONDING,
    VALIDATORS,
)
from ledger.state.tanks import MeterUse, MilkTank, TankHour

R = TypeVar("R")
Rule = Callable[[bytes, Parameters], str]


def _of(table: Table[R], says: Callable[[R, Parameters], str]) -> tuple[bytes, Rule]:
    return table.prefix, lambda raw, rules: says(table.decode(raw), rules)


def _lot(lot: Lot, rules: Parameters) -> str:
    if not 0 <= lot.remaining_units <= lot.units:
        return f"{lot.remaining_units} of {lot.units} units remain"
    if (
        not lot.packed_unsold_units <= min(lot.packed_units, lot.remaining_units)
        or lot.packed_units > lot.units
    ):
        return (
            f"{lot.packed_units} packed, {lot.packed_unsold_units} unsold, "
            f"{lot.remaining_units} of {lot.units} remain"
        )
    if lot.false_units > lot.units:
        return f"{lot.false_units} of {lot.units} units were ruled false"
    return ""


def _parameters(found: Parameters, rules: Parameters) -> str:
    return found.why_wrong()


def _product(product: ProductLot, rules: Parameters) -> str:
    return (
        ""
        if product.sold_units <= product.units
        else f"{product.sold_units} of {product.units} sold"
    )


def _milk_tank(tank: MilkTank, rules: Parameters) -> str:
    if tank.held_units < 0 or (tank.held_units > 0) != bool(tank.hours):
        return f"{tank.held_units} units held in {len(tank.hours)} hours"
    times = [at for at, _ in tank.debts]
    if list(tank.hours) != sorted(set(tank.hours)) or times != sorted(set(times)):
        return "its hours or debts are not in order"
    if not all(units for _, units in tank.debts):
        return "a debt of nothing"
    return ""


def _tank_hour(hour: TankHour, rules: Parameters) -> str:
    orders = [portion.order for portion in hour.portions]
    if orders != sorted(orders):
        return "its portions are not in order of metering"
    if any(not each.units or each.first_ms > each.last_ms for each in hour.portions):
        return "a portion holds nothing, or ends before it begins"
    return ""


def _proven(proven: Proven, rules: Parameters) -> str:
    counted = sum(interval.units for interval in proven.intervals)
    drawn = sum(source.units for source in proven.sources)
    if counted != drawn:
        return f"its intervals count {counted} units, its sources are {drawn}"
    if proven.locked_units > counted:
        return f"{proven.locked_units} of {counted} units are locked"
    edges = [edge for each in proven.intervals for edge in (each.from_ms, each.to_ms)]
    inside = [proven.from_ms, *edges, proven.to_ms]
    return "" if inside == sorted(inside) else "its intervals are not in order"


def _line_minted(minted: LineMinted, rules: Parameters) -> str:
    return _days([day for day, _ in minted.days])


def _mmu(mmu: Mmu, rules: Parameters) -> str:
    return _days([day for day, _ in mmu.days])


def _days(days: list[int]) -> str:
    return "" if days == sorted(set(days)) else "its days are not in order"


def _meter_use(use: MeterUse, rules: Parameters) -> str:
    ends = [point for gap in use.gaps for point in (gap.since, gap.until) if point]
    if ends != sorted(ends) or any(point > use.through for point in ends):
        return "its gaps are not in order, or lie beyond what was used"
    if any(gap.since is None for gap in use.gaps[1:]):
        return "a gap from the beginning is not the first"
    return ""


def _supply(books: Supply, rules: Parameters) -> str:
    if books.redeemed_units != sum(books.by_reason_units):
        return f"{books.redeemed_units} redeemed, but by reason {books.by_reason_units}"
    if books.units != books.remaining_units + books.deficit_units:
        return (
            f"supply {books.units}, "
            f"but {books.remaining_units} remain, {books.deficit_units} in deficit"
        )
    return ""


def _validator(validator: Validator, rules: Parameters) -> str:
    if validator.own_shares > validator.shares:
        return f"{validator.own_shares} own shares of {validator.shares}"
    # A share is worth a unit until a slash: nothing makes it worth more.
    if validator.stake_units > validator.shares:
        return f"{validator.stake_units} units at stake by {validator.shares} shares"
    return ""


def _unbonding(pool: Unbonding, rules: Parameters) -> str:
    return "" if pool.units <= pool.begun_units else f"{pool.units} units of {pool.begun_units}"


def _committee(committee: Committee, rules: Parameters) -> str:
    keys = [seat.key for seat in committee.seats]
    if not keys or keys != sorted(set(keys)) or any(seat.stake < 1 for seat in committee.seats):
        return "seats stand in ascending order of key, each with stake"
    return ""


def _offences(offences: Offences, rules: Parameters) -> str:
    ascending = list(offences.faults) == sorted(set(offences.faults))
    return "" if ascending else f"faults {offences.faults} are punished twice"


def _slashes(books: Slashes, rules: Parameters) -> str:
    if (
        books.slashed_units != books.reserve_units + books.reporters_units
        or 20 * books.reporters_units > books.slashed_units
    ):
        return (
            f"{books.slashed_units} slashed, {books.reserve_units} to reserve, "
            f"{books.reporters_units} to reporters"
        )
    return ""


def _price(price: Price, rules: Parameters) -> str:
    feeders = [feed.feeder for feed in price.feeds]
    if len(feeders) != len(set(feeders)):
        return "one feeder spoke twice in a round"
    if not price.value:
        return ""
    inside = rules.price.floor <= price.value <= rules.price.ceiling
    lowest = min((each.low for each in price.hours), default=0)
    highest = max((each.high for each in price.hours), default=0)
    apart = lowest * BASIS_POINTS < highest * (BASIS_POINTS - DAY_STEP_BP_MAX)
    if not inside or not lowest <= price.value <= highest or apart:
        return f"price {price.value}, within a day from {lowest} to {highest}"
    return ""


def _mandate(mandate: Mandate, rules: Parameters) -> str:
    if mandate.charged_units > min(
        mandate.total_units_max, mandate.charges * mandate.charge_units_max
    ):
        return f"{mandate.charged_units} charged in {mandate.charges} charges"
    if mandate.charges > mandate.charged_until:
        return f"{mandate.charges} charges in {mandate.charged_until} periods"
    elapsed = (mandate.charged_ms - mandate.start_ms) // mandate.period_ms + 1
    if mandate.charged_until != (elapsed if mandate.charged_ms else 0):
        return f"{mandate.charged_until} periods closed by a charge at {mandate.charged_ms}"
    return ""


def _subsidy(subsidy: Subsidy, rules: Parameters) -> str:
    if subsidy.paid_units > subsidy.funded_units or subsidy.head > subsidy.tail:
        return (
            f"{subsidy.paid_units} of {subsidy.funded_units} paid, "
            f"claims {subsidy.head} to {subsidy.tail}"
        )
    return ""


_RULES: Final[dict[bytes, Rule]] = dict(
    (
        _of(COMMITTEES, _committee),
        _of(LINE_MINTED, _line_minted),
        _of(LOTS, _lot),
        _of(MANDATES, _mandate),
        _of(METER_USE, _meter_use),
        _of(MILK_TANKS, _milk_tank),
        _of(MMUS, _mmu),
        _of(OFFENCES, _offences),
        _of(PARAMETERS, _parameters),
        _of(PRICE, _price),
        _of(PRODUCTS, _product),
        _of(PROVEN, _proven),
        _of(SLASHES, _slashes),
        _of(SUBSIDY, _subsidy),
        _of(SUPPLY, _supply),
        _of(TANK_HOURS, _tank_hour),
        _of(UNBONDING, _unbonding),
        _of(VALIDATORS, _validator),
    )
)


def why_wrong(key: bytes, raw: bytes, rules: Parameters) -> str:
    """Say what does not hold of a record, or give an empty text."""
    rule, read = _RULES.get(key[:1]), DECODERS.get(key[:1])
    if read is None:
        return f"record {key.hex()}: no table has such records"
    why = ""
    try:
        if rule is not None:
            why = rule(raw, rules)
        else:
            read(raw)
    except (msgspec.DecodeError, ValueError) as error:
        why = f"it does not decode: {error}"
    return f"record {key.hex()}: {why}" if why else ""
