"""Times and rates: padding, bursts, silences, samples of another day, windows that overlap."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import Units
from ledger.state.tables import LINES, LOTS
from ledger.types.window import Interval
from tests.support.evidence.rig import good_value
from tests.support.ledger.cheating import FLOW, HOLD, Cheat, good_samples, over_all
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS


def flowing(town, samples):
    """Let the flow meter measure what a test says, and all else good milk."""
    flow = town.line.of(FLOW)
    end = samples[-1][0] // 1_000
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=end)
    flow.measure(samples)
    return town


def test_no_date_is_later_than_that_of_the_first_counted_sample():
    """Idle hours ahead of a run, or behind it, make milk no fresher."""
    town = Cheat()
    idle = [(at * 1_000, 0) for at in range(60)]
    flowing(town, idle + [(at * 1_000, (at - 59) * 1_000) for at in range(60, 181)])
    claim = town.signed(town.claim())
    shelf_ms = 10 * DAY_MS
    # The judge joins what counts; the idle minute before it only makes the date earlier.
    assert claim.expires_ms == claim.intervals[0].from_ms + shelf_ms
    late = replace(claim, expires_ms=claim.expires_ms + 1)
    assert (town.judged(late), town.mint(late)) == ("claim_differs", "bad_shelf_life")
    part = claim.intervals[0]
    cut = replace(part, from_ms=START_MS + 59_000)
    fresh = replace(claim, intervals=(cut,), expires_ms=cut.from_ms + shelf_ms)
    assert town.judged(fresh) in {"", "claim_differs"}
    assert town.mint(town.signed(claim)) == ""


def test_milk_that_waits_to_be_minted_is_no_fresher():
    town = Cheat()
    town.run(120)
    claim = town.claim()
    town.time_ms += 6 * DAY_MS
    town.signed(claim)
    assert town.mint(claim) == "bad_shelf_life"


@pytest.mark.parametrize("litres", [180, 10**6, 9 * 10**9])
def test_a_burst_within_a_second_counts_nothing(litres):
    town = Cheat(litres=(10**7, 10**7, 10**7))
    before = [(at * 1_000, at * 1_000) for at in range(60)]
    after = [(at * 1_000, at * 1_000 + litres * 1_000) for at in range(60, 121)]
    flowing(town, before + after)
    claim = town.signed(town.claim())
    assert claim.counted_steps == (claim.to_ms - START_MS) - 1_000
    greedy = replace(
        claim,
        intervals=(Interval(claim.from_ms, claim.to_ms, claim.counted_steps + litres * 1_000),),
        counted_steps=claim.counted_steps + litres * 1_000,
        lost_steps=0,
        units=Units(claim.units + bill(litres)),
    )
    assert town.judged(greedy) == "claim_differs"
    # Where all attestors lie, the chain bounds a window by the line's limit over all its time.
    most = 10_000 * (claim.to_ms - claim.from_ms) * 1_000 // HOUR_MS
    assert most < 300_000
    if greedy.counted_steps > most:
        assert town.mint(greedy) == "interval_too_fast"
        assert town.mint(claim) == ""
    else:
        assert town.mint(greedy) == ""
    assert town.minted_units() <= bill(most // 1_000)
    assert town.tank().drawn_units + town.tank().lost_units <= town.tank().collected_units


def test_twice_the_limit_counts_nothing_however_it_is_cut():
    town = Cheat()
    flowing(town, [(at * 1_000, at * 6_000) for at in range(211)])
    counted = 0
    for until in [*range(10, 180, 7), 180]:
        claim = town.signed(town.claim(until))
        assert town.mint(claim) == ""
        counted += claim.counted_steps
    # One step of the meter's resolution, at most, each cut.
    assert counted <= len(range(10, 180, 7)) + 1
    town.close()


@pytest.mark.parametrize("silence", [3, 60, 3_600])
def test_flow_in_a_silence_of_the_flow_meter_counts_nothing(silence):
    town = Cheat(litres=(4_000, 4_000, 4_000))
    samples = good_samples(FLOW, 0, 60) + good_samples(FLOW, 60 + silence, 160 + silence)
    flowing(town, samples)
    claim = town.signed(town.claim())
    assert claim.lost_steps == silence * 1_000
    lie = over_all(claim, claim.counted_steps + claim.lost_steps, claim.units)
    assert town.judged(lie) == "claim_differs"


def test_a_sample_of_a_day_later_within_an_envelope_joins_nothing():
    town = Cheat()
    hold = town.line.of(HOLD)
    town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=120)
    hold.sign([(0, 75_000), (1_000, 75_000), (DAY_MS, 75_000)])
    town.time_ms = START_MS + 120_000
    claim = town.signed(town.claim(90))
    assert claim.counted_steps == 1_000
    assert town.mint(over_all(claim, 90_000, bill(90))) == "unwatched_interval"


def test_two_seconds_without_a_look_at_the_heat_is_the_most():
    for gap, whole in ((2_000, True), (2_001, False)):
        town = Cheat()
        hold = town.line.of(HOLD)
        town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=120)
        hold.measure([(at, 75_000) for at in range(0, 121_000, gap)])
        claim = town.signed(town.claim(90))
        assert (claim.lost_steps == 0) is whole
        assert (claim.counted_steps == 0) is not whole


def test_windows_neither_overlap_nor_leave_a_gap_nor_come_twice():
    town = Cheat()
    town.run(200)
    first = town.signed(town.claim(90))
    assert town.mint(first) == ""
    assert town.mint(first) == "wrong_window"
    again = replace(first, expires_ms=first.expires_ms - 1)
    assert (town.judged(again), town.mint(again)) == ("unfit_window", "wrong_window")
    second = town.claim(150)
    for moved in (-1_000, 1_000):
        shifted = replace(second, from_ms=second.from_ms + moved)
        assert (town.judged(shifted), town.mint(shifted)) == ("unfit_window", "wrong_window")
    assert town.mint(town.signed(second)) == ""
    assert LINES.get(town.state, town.line.line_id).through_ms == second.to_ms
    assert LOTS.get(town.state, first.lot_id()).units == bill(90)
    town.close()


def test_nothing_ends_ahead_of_the_chain():
    """Readings dated ahead wait until the chain's time is theirs."""
    town = Cheat(litres=(300, 300, 300))
    town.run(600)
    claim = town.signed(town.claim())
    town.time_ms = START_MS + 300_000
    assert town.mint(claim) == "wrong_window"
    town.time_ms = claim.to_ms
    assert town.mint(claim) == ""


def test_a_clock_set_forward_is_a_silence_and_set_back_stands_still():
    for shift in (+60, -20):
        town = Cheat()
        flow = town.line.of(FLOW)
        end = 300
        town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=end)
        flow.measure(good_samples(FLOW, 0, 100))
        later = [
            ((at + shift) * 1_000, good_value(FLOW, at * 1_000)) for at in range(101, end - 60)
        ]
        town.odd(flow, later[:60])
        flow.measure(later[60:])
        claim = town.signed(town.claim())
        # What rose while its clock stood still, or was ahead, is lost; nothing counts twice.
        assert claim.counted_steps + claim.lost_steps + claim.diverted_steps <= (end - 60) * 1_000
        assert all(a.to_ms <= b.from_ms for a, b in pairwise(claim.intervals))
        assert town.mint(claim) == ""
        town.close()


def test_a_total_that_is_reset_counts_from_there_and_never_more_than_the_rate():
    town = Cheat(litres=(10**6, 10**6, 10**6))
    values = [at * 1_000 for at in range(60)] + [at * 1_000 for at in range(60)]
    saw = [(at * 1_000, value) for at, value in enumerate(values + [0, 2_000_000_000] * 30)]
    flowing(town, saw)
    claim = town.signed(town.claim())
    # Two good minutes, less the reset; of the saw, whose teeth are too fast, nothing.
    assert claim.counted_steps == 59_000 * 2
    assert town.mint(claim) == ""
    town.close()


def test_a_device_that_dates_a_reading_a_lifetime_ahead_sees_nothing_more():
    """Bounded only: it is exchanged. Its line goes on, and nothing counts until it is."""
    town = Cheat(litres=(300, 300, 300))
    hold = town.line.of(HOLD)
    town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=400)
    hold.measure(good_samples(HOLD, 0, 60))
    town.odd(hold, [(10**12, 75_000)])
    hold.carried = None
    hold.measure(good_samples(HOLD, 62, 400))
    counted = []
    for until in (100, 200, 300):
        claim = town.signed(town.claim(until))
        assert town.mint(claim) == ""
        counted.append(claim.counted_steps)
    assert counted == [60_000, 0, 0]
    town.close()
