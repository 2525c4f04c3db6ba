"""Vouching: what an MMU must have at stake grows with what it mints (spec §20.5).

The bond is at least a part (`bond_bp`) of all that was minted within the challenge window, and
never below the floor. What a line mints in a day beyond twice its mean of the 28 days before counts
fourfold, once it has a history of so long: an unusual day is what a cheat looks like.

A *day* of the bond is a fourteenth of the challenge window: a day, where it is fourteen days long.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.milk import LowBond
from ledger.params import BASIS_POINTS, Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.state.dairy import Mmu
from ledger.state.lines import LineMinted
from ledger.state.overlay import Overlay
from ledger.state.tables import LINE_MINTED, MMUS, parameters

WINDOW_DAYS: Final = 14
HISTORY_DAYS: Final = 28
_FOLD: Final = 4

Days = tuple[tuple[int, Units], ...]


def bond_day(rules: Parameters, time_ms: int) -> int:
    """Number the bond's day that a time lies in."""
    return time_ms // (rules.challenge_window_ms // WINDOW_DAYS)


def bond_needed(rules: Parameters, mmu: Mmu, time_ms: int) -> int:
    """Give what an MMU must have at stake at a time, for what it minted and for the floor."""
    since = bond_day(rules, time_ms) - WINDOW_DAYS
    minted = sum(units for day, units in mmu.days if day >= since)
    return max(rules.mmu_bond_least_units, -(-minted * rules.bond_bp // BASIS_POINTS))


def bond_bound(rules: Parameters, mmu: Mmu, time_ms: int) -> int:
    """Give what of a bond can't be given back: what it needs, while any of its milk is contestable.

    Who has minted nothing within the challenge window may leave with all of it.
    """
    since = bond_day(rules, time_ms) - WINDOW_DAYS
    minted = any(units for day, units in mmu.days if day >= since)
    return bond_needed(rules, mmu, time_ms) if minted else 0


def vouch(overlay: Overlay, address: Address, line: Hash, units: int, time_ms: int) -> None:
    """Count a line's new units against its MMU's bond; raise `LowBond` if that is too small."""
    rules = parameters(overlay)
    day = bond_day(rules, time_ms)
    counted = _count_line(overlay, line, units, day)
    mmu = MMUS.get(overlay, address) or Mmu()
    after = replace(mmu, days=_with(mmu.days, day, counted, day - WINDOW_DAYS))
    least = bond_needed(rules, after, time_ms)
    if mmu.bond_units < least:
        raise LowBond(bond=mmu.bond_units, least=least)
    MMUS.put(overlay, after, address)


def _count_line(overlay: Overlay, line: Hash, units: int, day: int) -> int:
    """Remember what a line minted; give what that is for the bond, a part of it fourfold."""
    had = LINE_MINTED.get(overlay, line) or LineMinted(day, ())
    days = _with(had.days, day, units, day - HISTORY_DAYS)
    LINE_MINTED.put(overlay, replace(had, days=days), line)
    if day - had.since_day < HISTORY_DAYS:
        return units
    earlier = sum(part for each, part in days if each != day)
    today = dict(days)[day]
    # Twice the mean, without a fraction: both sides by the number of days.
    over = max(0, HISTORY_DAYS * today - 2 * earlier) // HISTORY_DAYS
    return units + (_FOLD - 1) * min(over, units)


def _with(days: Days, day: int, units: int, since: int) -> Days:
    """Add units to a day, and forget what lies before another."""
    kept = {each: part for each, part in days if each >= since}
    kept[day] = Units(kept.get(day, 0) + units)
    return tuple(sorted(kept.items()))
