"""Collections by portions: what a farm's meter counted, once, at its rate, with consent."""

import pytest
from msgspec.structs import replace

from ledger.params import HOUR_MS
from ledger.primitives.keys import verify
from ledger.state.tables import DEVICES, METER_USE, MILK_TANKS
from ledger.transition import signature_claims
from ledger.types.reading import Unit
from tests.support.ledger.dairy import PLANT, bill, key
from tests.support.ledger.metering import LITRE, MINUTE_MS, CollectingTown

DUSK_MS = 30 * MINUTE_MS


@pytest.fixture
def town():
    return CollectingTown()


def collect(town, who="mmu", **changes):
    return town.do(who, town.collection(**changes))


def test_a_collection_brings_what_the_meter_counted(town):
    assert collect(town) == ""
    assert town.portions() == [("farm-0", 100)]
    tank = MILK_TANKS.get(town.state, town.tank)
    assert (tank.mmu, tank.plant, tank.name) == (town.mmu, PLANT, "raw")
    assert tank.collected_units == tank.held_units == bill(100)
    town.close()


def test_one_envelope_may_be_both_ends(town):
    only = town.envelope("meter-0", 3, town.time_ms - DUSK_MS, [0, 50 * LITRE])
    assert collect(town, litres=50, first=only, last=only) == ""


def test_more_than_the_meter_counted_is_refused(town):
    assert collect(town, units=bill(100) + 1) == "collection_over_meter"


def test_less_than_a_litre_is_dust(town):
    assert collect(town, units=bill(1) - 1) == "small_collection"
    assert collect(town, units=bill(1)) == ""


def test_a_million_litres_in_a_second_are_refused(town):
    assert collect(town, litres=10**6, span_ms=1_000) == "too_fast"


def test_a_meter_counts_no_faster_than_its_own_limit(town):
    meter = key("meter-0").public
    device = DEVICES.get(town.state, meter)
    DEVICES.put(town.state, replace(device, flow_max_l_per_h=6_000), meter)
    minutes = 10 * MINUTE_MS
    half = 500 * LITRE
    t0_ms = town.time_ms - DUSK_MS
    first = town.envelope("meter-0", 10, t0_ms, [0, half], step_ms=minutes // 2)
    for steps, code in ((2, "too_fast"), (1, "")):
        end = [half, 2 * half + steps]
        last = town.envelope("meter-0", 11, t0_ms + minutes // 2, end, step_ms=minutes // 2)
        assert collect(town, litres=1_000, first=first, last=last) == code


def test_a_meter_without_a_limit_of_its_own_counts_sixty_thousand_litres_an_hour(town):
    assert collect(town, litres=60_001, span_ms=HOUR_MS, ago_ms=HOUR_MS) == "too_fast"
    assert collect(town, litres=60_000, span_ms=HOUR_MS, ago_ms=HOUR_MS) == ""


def test_a_collection_lasts_an_hour_at_most(town):
    assert collect(town, span_ms=HOUR_MS + 2, ago_ms=2 * HOUR_MS) == "long_collection"
    assert collect(town, span_ms=HOUR_MS, ago_ms=2 * HOUR_MS) == ""


def test_milk_is_collected_within_half_of_its_age_and_not_ahead_of_time(town):
    assert collect(town, ago_ms=36 * HOUR_MS + 1) == "outside_run"
    assert collect(town, ago_ms=36 * HOUR_MS) == ""
    skew_ms = 120_000
    ahead = {"ago_ms": 10 * MINUTE_MS - skew_ms, "seq": 20, "start": 200_000}
    assert collect(town, **(ahead | {"ago_ms": ahead["ago_ms"] - 1})) == "outside_run"
    assert collect(town, **ahead) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tamper": True}, "tampered"),
        ({"version": 9}, "bad_envelope"),
        ({"stream": "hold_temperature"}, "wrong_stream"),
        ({"unit": "mdegC"}, "wrong_unit"),
        ({"samples": ((5, 1), (4, 100_001))}, "bad_envelope"),
        ({"samples": ((0, -1), (4, 100_001))}, "bad_envelope"),
        ({"samples": ((0, 1), (4, 2**53 + 1))}, "bad_envelope"),
        ({"device": key("meter-1").public}, "foreign_envelope"),
    ],
)
def test_an_envelope_that_is_not_what_it_is_shown_for_is_refused(town, changes, code):
    assert collect(town, **changes) == code


def test_the_two_ends_are_of_one_boot_unit_and_in_order(town):
    good = town.collection()
    later = town.time_ms - 25 * MINUTE_MS
    other_boot = town.envelope("meter-0", 11, later, [55_000, 105_000], boot=2)
    other_unit = town.envelope("meter-0", 11, later, [55_000, 105_000], unit=Unit.MICROLITRE)
    twin = town.envelope("meter-0", 10, later, [55_000, 105_000])
    early = town.envelope("meter-0", 11, later - 1, [55_000, 105_000])
    assert town.do("mmu", replace(good, last=other_boot)) == "foreign_envelope"
    assert town.do("mmu", replace(good, last=other_unit)) == "foreign_envelope"
    assert town.do("mmu", replace(good, last=twin)) == "unordered_envelopes"
    assert town.do("mmu", replace(good, last=early)) == "unordered_envelopes"
    assert town.do("mmu", replace(good, first=good.last, last=good.first)) == "unordered_envelopes"
    assert town.do("mmu", good) == ""


def test_only_a_milk_meter_collects(town):
    assert collect(town, meter="flow_meter") == "wrong_instrument"
    assert collect(town, meter="nobody") == "unknown_device"


def test_a_meter_that_was_not_in_force_brings_nothing(town):
    meter = key("meter-0").public
    device = DEVICES.get(town.state, meter)
    end_ms = town.time_ms - 20 * MINUTE_MS
    for fields in (
        {"stopped_ms": end_ms},
        {"calibrated_until_ms": end_ms},
        {"calibrated_from_ms": town.time_ms - 30 * MINUTE_MS + 1},
    ):
        DEVICES.put(town.state, replace(device, **fields), meter)
        assert collect(town) == "out_of_force"
    DEVICES.put(town.state, replace(device, stopped_ms=end_ms + 1), meter)
    assert collect(town) == ""


# Resets.


def test_a_reset_that_hides_in_the_range_brings_less_never_more(town):
    """The total fell between the two envelopes: 100 L before it are not seen."""
    t0_ms = town.time_ms - DUSK_MS
    first = town.envelope("meter-0", 10, t0_ms, [0, 10 * LITRE])
    falling = town.envelope("meter-0", 12, t0_ms + 5 * MINUTE_MS, [0, 40 * LITRE])
    assert collect(town, litres=40, first=first, last=falling) == "falling_total"
    hidden = town.envelope("meter-0", 13, t0_ms + 6 * MINUTE_MS, [40 * LITRE, 50 * LITRE])
    assert collect(town, litres=51, first=first, last=hidden) == "collection_over_meter"
    assert collect(town, litres=50, first=first, last=hidden) == ""


def test_a_reset_that_the_last_envelope_shows_is_refused(town):
    t0_ms = town.time_ms - DUSK_MS
    first = town.envelope("meter-0", 10, t0_ms, [0, 10 * LITRE])
    last = town.envelope("meter-0", 11, t0_ms + MINUTE_MS, [10 * LITRE, 60 * LITRE, 0, 30 * LITRE])
    assert collect(town, litres=30, first=first, last=last) == "falling_total"


def test_what_comes_after_a_reset_counts_from_its_first_sample(town):
    assert collect(town, litres=100, seq=1, start=900 * LITRE) == ""
    t0_ms = town.time_ms - DUSK_MS + 10 * MINUTE_MS
    below = town.envelope("meter-0", 4, t0_ms + 2 * MINUTE_MS, [30 * LITRE, 60 * LITRE])
    assert collect(town, litres=30, first=below, last=below) == "used_readings"
    fell = town.envelope("meter-0", 3, t0_ms, [1_000 * LITRE, 7, 30 * LITRE])
    assert collect(town, units=30 * 10**6 - 6_999, first=fell, last=fell) == "collection_over_meter"
    assert collect(town, units=30 * 10**6 - 7_000, first=fell, last=fell) == ""
    assert collect(town, litres=30, first=below, last=below) == ""
    town.close()


# Each stretch once.


def test_a_stretch_is_collected_once(town):
    assert collect(town) == ""
    assert collect(town) == "used_readings"
    assert collect(town, who="carol") == "role_missing"
    assert collect(town, tank="other") == "used_readings"


def test_a_used_value_shown_again_is_refused(town):
    """A later number and time, but the total of before: a device in one boot can't have it."""
    assert collect(town, seq=10) == ""
    assert collect(town, seq=20, ago_ms=15 * MINUTE_MS) == "used_readings"
    assert collect(town, seq=20, ago_ms=15 * MINUTE_MS, start=105_000) == ""


def test_later_numbers_of_earlier_times_are_refused(town):
    assert collect(town, seq=10) == ""
    assert collect(town, seq=20, ago_ms=31 * MINUTE_MS, start=200_000) == "used_readings"


def stretch(town, number, **changes):
    """One of ten stretches of a meter, each of 10 L in a minute."""
    fields = {
        "litres": 10,
        "seq": 10 * number,
        "start": number * 10 * LITRE,
        "ago_ms": HOUR_MS - 2 * number * MINUTE_MS,
        "span_ms": MINUTE_MS,
    }
    return collect(town, **(fields | changes))


def test_what_a_collection_passes_over_stays_open_in_any_order(town):
    for number in (5, 2, 9, 7, 3, 0, 8, 1, 6, 4):
        assert stretch(town, number) == ""
        assert stretch(town, number) == "used_readings"
    assert sum(litres for _, litres in town.portions()) == 100
    # But for the beginning nothing is open: the total rose by nothing between these.
    assert [gap.since for gap in METER_USE.get(town.state, key("meter-0").public).gaps] == [None]
    town.close()


def test_a_collection_that_overlaps_a_gap_is_refused(town):
    assert stretch(town, 1) == ""
    assert stretch(town, 5) == ""
    wide = {"litres": 40, "span_ms": 8 * MINUTE_MS}
    assert stretch(town, 3, **wide) == "used_readings"
    assert stretch(town, 0, **wide) == "used_readings"
    # The numbers lie in the gap, the times or the totals do not.
    assert stretch(town, 3, ago_ms=MINUTE_MS) == "used_readings"
    assert stretch(town, 3, start=48 * LITRE) == "used_readings"
    assert stretch(town, 3, start=11 * LITRE) == "used_readings"
    assert stretch(town, 3) == ""


def test_a_ninth_gap_is_refused_until_one_is_collected(town):
    def every_other(number):
        return stretch(town, 2 * number, ago_ms=HOUR_MS - 2 * number * MINUTE_MS)

    assert [every_other(number) for number in range(8)] == [""] * 8
    assert every_other(8) == "too_many_gaps"
    assert stretch(town, 1, ago_ms=HOUR_MS - 80_000, span_ms=30_000) == ""
    assert every_other(8) == ""
    town.close()


def test_a_gap_that_is_too_late_to_collect_or_too_small_is_closed(town):
    meter = key("meter-0").public
    assert stretch(town, 0) == ""
    assert stretch(town, 1, start=10 * LITRE + 999) == ""
    assert len(METER_USE.get(town.state, meter).gaps) == 1
    assert stretch(town, 2, start=22 * LITRE) == ""
    assert len(METER_USE.get(town.state, meter).gaps) == 2
    town.time_ms += 36 * HOUR_MS
    assert stretch(town, 9) == ""
    assert len(METER_USE.get(town.state, meter).gaps) == 1


def test_a_later_boot_goes_on_and_what_lies_between_stays_open(town):
    assert stretch(town, 1) == ""
    assert stretch(town, 3, boot=2, seq=5, start=50 * LITRE) == ""
    assert stretch(town, 2, boot=1) == ""
    assert stretch(town, 2, boot=2, seq=1, start=0, ago_ms=HOUR_MS - 5 * MINUTE_MS) == ""
    town.close()


def test_a_boot_that_begins_where_the_last_one_ended_leaves_no_gap(town):
    assert stretch(town, 1) == ""
    ended_ms = HOUR_MS - 3 * MINUTE_MS
    assert stretch(town, 2, boot=2, seq=0, ago_ms=ended_ms) == ""
    assert len(METER_USE.get(town.state, key("meter-0").public).gaps) == 1


def test_a_gap_with_a_restart_in_it_stays_open_however_little_the_total_rose(town):
    """Between the boots it may have been reset: 10 L lie in a gap of half a litre."""
    assert stretch(town, 1) == ""
    assert stretch(town, 4, boot=2, seq=9, start=20 * LITRE + 500) == ""
    assert stretch(town, 2, boot=2, seq=1, start=3 * LITRE) == ""
    town.close()


def test_a_gap_that_ends_with_a_reset_stays_open(town):
    assert stretch(town, 1) == ""
    fell_ms = town.time_ms - HOUR_MS + 8 * MINUTE_MS
    fell = town.envelope("meter-0", 60, fell_ms, [30 * LITRE, 0, 10 * LITRE])
    assert collect(town, litres=10, first=fell, last=fell) == ""
    assert stretch(town, 2) == ""
    town.close()


def test_earlier_numbers_of_later_times_are_refused(town):
    assert stretch(town, 5) == ""
    assert stretch(town, 6, seq=4, start=60 * LITRE) == "used_readings"


def test_both_envelopes_must_be_signed_by_the_meter(town):
    good = town.collection()
    forged = replace(good, last=replace(good.last, signature=bytes(64)))
    for body, signed in ((good, 2), (forged, 1)):
        transaction = town.dairy.next(town.state, body, key("mmu"))
        _, *shown = signature_claims(transaction, town.dairy.chain_id)
        assert [verify(*claim) for claim in shown].count(True) == signed
