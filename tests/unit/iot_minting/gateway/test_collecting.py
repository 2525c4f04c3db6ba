"""Which of a meter's readings are collected: whole, in force, permitted, an hour at most."""

from dataclasses import replace

import pytest

from iot_minting.gateway.collecting import (
    CollectRules,
    FarmMeter,
    Stretch,
    consent_spans,
    flow_starts,
    plan_collection,
    why_not,
)
from iot_minting.gateway.pieces import Piece
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.keys import address_of
from ledger.types.evidence import Instrument
from tests.support.evidence.rig import MEASURES, START_MS, DeviceRig
from tests.support.ledger.dairy import key

ALWAYS = [(0, 2**53)]
LITRE_ML = 1_000
MINUTE_MS = 60_000
MEASURES.setdefault(Instrument.MILK_METER, MEASURES[Instrument.FLOW_METER])


def rules(now_ms=2**52):
    return CollectRules(1_030_000, 0, now_ms)


def a_meter(**changes):
    fields = {
        "key": key("collected").public,
        "farm": address_of(key("farm").public),
        "plant": "p",
        "tank": "t",
        "limit_l_per_h": 0,
        "force": ALWAYS,
        "consent": ALWAYS,
        "day_full": frozenset(),
        "open": (Stretch((-1, -1), None),),
        **changes,
    }
    return FarmMeter(**fields)


class Milking:
    """A meter that counts a litre a second, a minute an envelope."""

    def __init__(self):
        self.rig = DeviceRig(key("collected"), Instrument.MILK_METER)
        self.at_ms = self.value = 0

    def minutes(self, count, litres=60, **how):
        for _ in range(count):
            self.at_ms += MINUTE_MS
            self.value += litres * LITRE_ML
            self.rig.sign([(self.at_ms, self.value)], **how)
        return self

    @property
    def pieces(self):
        return [Piece.of(each, 0) for each in self.rig.envelopes]


def numbers(found):
    if found is None:
        return None
    return found.first.reading().seq, found.last.reading().seq, found.units // 1_000_000


def follow(meter, found):
    """Do what the chain does: the meter's use goes on behind a collection."""
    last = found.last.reading()
    return replace(meter, open=(Stretch((last.boot, last.seq), None),))


def all_of(meter, pieces, when=None):
    brought = []
    while (found := plan_collection(meter, pieces, when or rules(), due=True)) is not None:
        brought.append(numbers(found))
        meter = follow(meter, found)
    return brought


def test_all_that_rose_is_brought_once_it_is_due():
    milking = Milking().minutes(5)
    assert plan_collection(a_meter(), milking.pieces, rules(), due=False) is None
    assert all_of(a_meter(), milking.pieces) == [(0, 4, 240)]


def test_any_cutting_brings_the_same_milk():
    milking = Milking().minutes(30)
    whole = sum(units for _, _, units in all_of(a_meter(), milking.pieces))
    for cut in range(1, 29):
        first = plan_collection(a_meter(), milking.pieces[:cut], rules(), due=True)
        meter = a_meter() if first is None else follow(a_meter(), first)
        rest = all_of(meter, milking.pieces[cut:] if first else milking.pieces)
        assert sum(units for _, _, units in rest) + (numbers(first)[2] if first else 0) == whole


def test_no_collection_is_longer_than_an_hour():
    milking = Milking().minutes(150)
    brought = all_of(a_meter(), milking.pieces)
    assert sum(units for _, _, units in brought) == 149 * 60
    assert len(brought) == 3
    for found in brought[:2]:
        assert milking.pieces[found[1]].last_ms - milking.pieces[found[0]].first_ms <= HOUR_MS


def test_less_than_a_litre_waits_for_more():
    milking = Milking().minutes(2, litres=0)
    assert all_of(a_meter(), milking.pieces) == []
    assert all_of(a_meter(), milking.minutes(1).pieces) == [(0, 2, 60)]


def test_a_tampered_reading_parts_what_is_collected():
    milking = Milking().minutes(3).minutes(1, tamper=True).minutes(3)
    assert all_of(a_meter(), milking.pieces) == [(0, 2, 120), (4, 6, 180)]


def test_a_restart_parts_it_and_loses_nothing():
    milking = Milking().minutes(3)
    milking.rig.restart()
    assert all_of(a_meter(), milking.minutes(2).pieces) == [(0, 2, 120), (0, 1, 120)]


def test_a_reset_counts_from_its_first_sample():
    milking = Milking().minutes(3)
    milking.value = 0
    brought = all_of(a_meter(), milking.minutes(3).pieces)
    assert [units for _, _, units in brought] == [120, 120]


def test_a_pause_of_hours_is_passed_over():
    milking = Milking().minutes(2)
    milking.at_ms += 3 * HOUR_MS
    assert all_of(a_meter(), milking.minutes(3).pieces) == [(0, 1, 60), (3, 4, 120)]


def test_only_what_is_permitted_and_in_force_is_brought():
    milking = Milking().minutes(10)
    from_ms, until_ms = START_MS + 3 * MINUTE_MS, START_MS + 7 * MINUTE_MS
    for span in ({"consent": [(from_ms, until_ms)]}, {"force": [(from_ms, until_ms)]}):
        assert all_of(a_meter(**span), milking.pieces) == [(3, 6, 240)]


def test_a_full_day_brings_nothing_and_the_next_does():
    milking = Milking().minutes(3)
    day = milking.pieces[0].last_ms // DAY_MS
    full = a_meter(day_full=frozenset({day}))
    assert all_of(full, milking.pieces) == []
    assert why_not(full, milking.pieces) == "its farm's day is full"
    milking.at_ms += DAY_MS
    milking.rig.restart(lost=True)
    assert all_of(full, milking.minutes(3).pieces) == [(0, 2, 120)]


def test_what_is_too_fast_waits_until_it_is_no_more():
    milking = Milking().minutes(1, litres=0).minutes(1, litres=2_000)
    assert all_of(a_meter(), milking.pieces) == []
    assert all_of(a_meter(limit_l_per_h=60_001), milking.pieces) == []
    assert all_of(a_meter(), milking.minutes(1, litres=0).pieces) == [(0, 2, 2_000)]


def test_too_late_or_from_the_future_is_not_brought():
    milking = Milking().minutes(5)
    assert all_of(a_meter(), milking.pieces, rules(START_MS + 3 * MINUTE_MS)) == [(0, 2, 120)]
    late = CollectRules(1_030_000, START_MS + 2 * MINUTE_MS, 2**52)
    assert all_of(a_meter(), milking.pieces, late) == [(2, 4, 180)]


def test_a_gap_that_was_passed_over_is_collected_first():
    milking = Milking().minutes(9)
    meter = a_meter(open=(Stretch((0, 1), (0, 4)), Stretch((0, 6), None)))
    found = plan_collection(meter, milking.pieces, rules(), due=False)
    assert numbers(found) == (2, 3, 120)
    meter = replace(meter, open=meter.open[1:])
    assert all_of(meter, milking.pieces) == [(7, 8, 120)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"consent": []}, "its farm has no permit for this MMU"),
        ({"force": []}, "it is stopped, or its calibration is over"),
        ({}, ""),
    ],
)
def test_a_meter_says_what_it_waits_for(changes, why):
    assert why_not(a_meter(**changes), Milking().minutes(1).pieces) == why
    assert why_not(a_meter(), Milking().minutes(1, tamper=True).pieces) == "it reports tampering"
    assert why_not(a_meter(), []) == ""


def test_terms_for_one_mmu_that_follow_each_other_are_one_time():
    terms = [(0, 10, True), (10, 20, True), (20, 30, False), (30, 40, True), (40, 40, True)]
    assert consent_spans(terms) == [(0, 20), (30, 40)]


def test_a_collection_ends_where_a_line_begins_to_draw():
    milking = Milking().minutes(6)
    at = START_MS + 3 * MINUTE_MS
    for start_ms, until in ((at, 2), (at + 1, 2), (at - 1, 1)):
        part = CollectRules(1_030_000, 0, 2**52, (start_ms,))
        brought = all_of(a_meter(), milking.pieces, part)
        assert [last for _, last, _ in brought] == [until, 5]
        assert sum(units for _, _, units in brought) == 300


def test_what_is_less_than_a_litre_is_not_parted():
    milking = Milking().minutes(1, litres=0).minutes(3)
    part = CollectRules(1_030_000, 0, 2**52, (START_MS + MINUTE_MS,))
    assert all_of(a_meter(), milking.pieces, part) == [(0, 3, 180)]


def test_a_flow_starts_where_its_total_rises_after_a_rest():
    flow = DeviceRig(key("starting"), Instrument.FLOW_METER)
    flow.sign([(0, 0), (1_000, 0), (1_500, 5), (2_000, 9), (2_300, 9), (2_600, 12)])
    flow.sign([(3_000, 12), (3_400, 12), (3_800, 15)])
    pieces = [Piece.of(each, 0) for each in flow.envelopes]
    assert [at - START_MS for at in flow_starts(pieces)] == [1_000, 3_400]
