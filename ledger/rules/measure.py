"""Measure: totals to litres and litres to shares, in exact arithmetic.

Every conversion is a rational number, which is floored once, at its end; what is shared is shared
by largest remainder, so that the parts sum to the whole.

Volume is at 20 degrees C: a volume total is compensated by its meter, a mass total is divided by
the density at 20 degrees C.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import Final

from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.types.reading import Unit

UNITS_OF: Final = {Unit.MICROLITRE: 1, Unit.MILLILITRE: 1_000}
"""Units (microlitres) in one step of a volume total."""

MILLIGRAMS_OF: Final = {
    Unit.MILLIGRAM: Fraction(1),
    Unit.GRAM: Fraction(1_000),
    # 1 lb = 0.45359237 kg exactly (international yard and pound agreement, 1959).
    Unit.CENTIPOUND: Fraction(45_359_237, 10_000),
}
"""Milligrams in one step of a mass total."""

LEVEL_MAX: Final = 2**53
"""In units, nine million cubic metres: more than any tank holds. What a broken gauge shows must
fit into a record, or nobody could claim beyond it."""


def exact_volume(unit: Unit, difference: int, density_mg_per_l: int) -> Fraction:
    """Convert a total's difference to units, exactly. The unit is one of volume or mass."""
    if unit in UNITS_OF:
        return Fraction(difference * UNITS_OF[unit])
    return difference * MILLIGRAMS_OF[unit] * UNITS_PER_BILL / density_mg_per_l


def level_units(unit: Unit, value: int, density_mg_per_l: int) -> int:
    """Give what a gauge shows in whole units: none for what is below zero, at most `LEVEL_MAX`."""
    return min(floor(exact_volume(unit, max(0, value), density_mg_per_l)), LEVEL_MAX)


def apportion(total: int, weights: Sequence[Fraction]) -> list[int]:
    """Share a total by weights, by largest remainder; equal remainders go to the earlier.

    The parts sum to the total exactly. Weights are not negative, and not all zero.
    """
    whole = sum(weights)
    assert whole > 0
    assert all(weight >= 0 for weight in weights)
    exact = [total * weight / whole for weight in weights]
    parts = [floor(share) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
