"""Clocks that stand apart: which milk was diverted in time, and which went forward cold."""

import pytest

from ledger.params import CLOCKS_MS, COLD_VOID_MS
from ledger.types.evidence import Instrument
from tests.support.evidence.rig import START_MS, LineRig, good_value
from tests.support.evidence.windows import claim_all

HOLD, VALVE = Instrument.HOLD_THERMOMETER, Instrument.DIVERSION_VALVE
COLD_S = range(50, 60)
"""When samples are cold; milk is, from the last good one before to the first after: 49 to 60 s."""
VOID = (49 - COLD_VOID_MS // 1_000, 60 + COLD_VOID_MS // 1_000)


def gap(*diverted: range) -> tuple[int, int]:
    """Give the seconds between which nothing counts of milk that was cold, and so diverted."""

    def value(instrument: Instrument, at_ms: int) -> int:
        at_s = at_ms // 1_000
        if instrument is HOLD and at_s in COLD_S:
            return 60_000
        if instrument is VALVE and any(at_s in each for each in diverted):
            return 0
        return good_value(instrument, at_ms)

    rig = LineRig()
    rig.run(140, value=value)
    intervals = claim_all(rig).intervals
    return (
        (intervals[0].to_ms - START_MS) // 1_000,
        (intervals[-1].from_ms - START_MS) // 1_000,
    )


@pytest.mark.parametrize("late_s", range(-7, 8))
def test_a_valve_whose_clock_is_off_by_five_seconds_diverted_in_time(late_s: int) -> None:
    assert CLOCKS_MS == 5_000
    # It shows 0 from a second after milk is cold at the latest, to a second before it is hot.
    begin, end = gap(range(50 + late_s, 60 + late_s))
    if abs(late_s) <= 6:
        assert (begin, end) == (min(49, 49 + late_s), max(60, 60 + late_s))
    else:
        assert (begin <= VOID[0], end >= VOID[1]) == (late_s > 0, late_s < 0)


@pytest.mark.parametrize(
    ("diverted", "is_void"),
    [
        # From 56 s on it is 7 s late: 5 by its clock, and 2 that nobody minds.
        (range(56, 70), False),
        (range(57, 70), True),
        (range(40, 54), False),
        (range(40, 53), True),
    ],
)
def test_what_was_cold_for_two_seconds_beyond_any_clock_is_void(
    diverted: range, is_void: bool
) -> None:
    begin, end = gap(diverted)
    assert (begin == VOID[0] or end == VOID[1]) is is_void


@pytest.mark.parametrize(
    ("diverted", "is_void"),
    [
        # One sample shows no time, two a second apart a second either way, and so on.
        ([range(54, 55)], True),
        ([range(54, 56)], True),
        ([range(53, 56)], True),
        ([range(53, 57)], False),
        # A blink now and then, each too far from the next.
        ([range(51, 53), range(57, 59)], False),
        ([range(50, 51), range(54, 55), range(58, 59)], True),
    ],
)
def test_a_valve_excuses_no_longer_than_it_diverted(diverted: list[range], is_void: bool) -> None:
    begin, end = gap(*diverted)
    assert (begin <= VOID[0] or end >= VOID[1]) is is_void


def test_of_two_diversions_the_longer_may_reach_back_beyond_the_shorter() -> None:
    # The one from 56 s on covers from 51 s on; the one of a second before it from 52 s on.
    assert gap(range(53, 55), range(56, 70))[0] == 49
