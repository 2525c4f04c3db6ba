"""Measures: exact to the last fraction, floored once, shared without loss."""

from fractions import Fraction
from math import floor

import pytest

from ledger.rules.measure import apportion, exact_volume
from ledger.types.reading import Unit

DENSITY = 1_030_000


@pytest.mark.parametrize(
    ("unit", "steps", "units"),
    [
        (Unit.MICROLITRE, 7, Fraction(7)),
        (Unit.MILLILITRE, 7, Fraction(7_000)),
        # 1.030 kg is a litre.
        (Unit.GRAM, 1_030, Fraction(1_000_000)),
        (Unit.MILLIGRAM, 1_030_000, Fraction(1_000_000)),
        # 1 lb = 453.59237 g.
        (Unit.CENTIPOUND, 100, Fraction(45_359_237 * 10_000, 1_030_000)),
    ],
)
def test_totals_become_litres_exactly(unit, steps, units):
    assert exact_volume(unit, steps, DENSITY) == units


def test_a_hundredweight_is_forty_four_litres_and_a_bit():
    assert floor(exact_volume(Unit.CENTIPOUND, 10_000, DENSITY)) == 44_038_094


def test_shares_sum_to_the_whole_and_equal_remainders_go_to_the_earlier():
    assert apportion(100, [Fraction(1)] * 3) == [34, 33, 33]
    assert apportion(2, [Fraction(1)] * 3) == [1, 1, 0]
    assert apportion(7, [Fraction(0), Fraction(1)]) == [0, 7]
    assert apportion(10, [Fraction(1, 3), Fraction(2, 3)]) == [3, 7]


def test_shares_of_nothing_are_a_bug():
    with pytest.raises(AssertionError):
        apportion(1, [Fraction(0)])
