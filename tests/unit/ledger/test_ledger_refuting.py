"""Refutation: readings that a window claimed void what they speak against, and nothing else."""

import pytest
from msgspec.structs import replace

from ledger.params import HOUR_MS, MARGIN_MS
from ledger.primitives.keys import verify
from ledger.state.tables import (
    DEVICES,
    LOTS,
)
from ledger.transition import signature_claims
from ledger.types.doubt import RefuteLot
from ledger.types.milk import ChallengeLot, ResolveChallenge
from ledger.types.reading import Stream, Unit
from tests.support.ledger.dairy import NOW_MS, bill, key
from tests.support.ledger.doubted import (
    BOOT,
    FIRST,
    FLOW,
    FROM_MS,
    GAUGE,
    HOLD,
    LAST,
    MEASURES,
    OPEN_UNTIL_MS,
    OUTLET,
    SECOND,
    TO_MS,
    VALVE,
    Doubted,
)

INSIDE_MS = FIRST[0] + 10_000


@pytest.fixture
def town():
    return Doubted()


BAD = {
    "cold": (HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, 75_000, 73_299)),
    "no working probe": (HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, 160_001)),
    "warm": (OUTLET, lambda t: t.envelope(OUTLET, INSIDE_MS, 3_841)),
    "a broken outlet": (OUTLET, lambda t: t.envelope(OUTLET, INSIDE_MS, -2_001)),
    "diverted": (VALVE, lambda t: t.envelope(VALVE, INSIDE_MS, 1, 0)),
    "below zero": (FLOW, lambda t: t.envelope(FLOW, INSIDE_MS, -1)),
    "too fast": (FLOW, lambda t: t.envelope(FLOW, INSIDE_MS, 0, 3_335)),
    "a total that falls": (FLOW, lambda t: t.envelope(FLOW, INSIDE_MS, 9, 8)),
    "silence": (VALVE, lambda t: t.envelope(VALVE, INSIDE_MS, 1, 1, every_ms=2_001)),
    "a silent flow meter": (FLOW, lambda t: t.envelope(FLOW, INSIDE_MS, 5, 5, every_ms=2_001)),
    "silence into it": (
        HOLD, lambda t: t.envelope(HOLD, FIRST[0] - 2_000, 75_000, 75_000, every_ms=2_001)),
    "times that fall": (
        HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, 75_000, 75_000, 75_000, offsets=(0, 9, 8))),
    "another stream": (
        HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, stream=Stream.OUTLET_TEMPERATURE)),
    "another unit": (HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, unit=Unit.FLAG)),
    "another version": (HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, version=9)),
    "tampering": (GAUGE, lambda t: t.envelope(GAUGE, INSIDE_MS, tamper=True)),
    "tampering before": (FLOW, lambda t: t.envelope(FLOW, FROM_MS, tamper=True)),
    "tampering at the end": (FLOW, lambda t: t.envelope(FLOW, FIRST[1], tamper=True)),
}  # fmt: skip
"""Readings that refute the first interval."""
GOOD = {
    "hot enough": (HOLD, lambda t: t.envelope(HOLD, INSIDE_MS, 73_300)),
    "cold enough": (OUTLET, lambda t: t.envelope(OUTLET, INSIDE_MS, 3_840)),
    "fast enough": (FLOW, lambda t: t.envelope(FLOW, INSIDE_MS, 0, 3_334)),
    "near enough": (VALVE, lambda t: t.envelope(VALVE, INSIDE_MS, 1, 1, every_ms=2_000)),
    "cold before": (HOLD, lambda t: t.envelope(HOLD, FIRST[0] - 1, 60_000)),
    "cold after": (HOLD, lambda t: t.envelope(HOLD, FIRST[1] + 1, 60_000)),
    "silence that ends with it": (
        HOLD, lambda t: t.envelope(HOLD, FIRST[1], 75_000, 75_000, every_ms=9_000)),
    "fast, half of it before": (FLOW, lambda t: t.envelope(FLOW, FIRST[0] - 500, 0, 9_999)),
    "falling times after": (
        HOLD, lambda t: t.envelope(HOLD, FIRST[1], 75_000, 75_000, 75_000, offsets=(0, 9, 8))),
    "tampering after": (FLOW, lambda t: t.envelope(FLOW, FIRST[1] + 1, tamper=True)),
    "a gauge's silence": (GAUGE, lambda t: t.envelope(GAUGE, INSIDE_MS, 5, 5, every_ms=30_000)),
    "a gauge that falls": (GAUGE, lambda t: t.envelope(GAUGE, INSIDE_MS, 5, 4)),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_a_claimed_reading_that_speaks_against_an_interval_voids_it(town, why):
    kind, make = BAD[why]
    assert town.refute(kind, make(town)) == ""
    assert [each.void for each in town.proven.intervals] == [True, False]
    assert LOTS.get(town.state, town.lot).false_units == bill(40)
    town.close()


@pytest.mark.parametrize("why", GOOD)
def test_a_reading_that_lets_milk_count_refutes_nothing(town, why):
    kind, make = GOOD[why]
    assert town.refute(kind, make(town)) == "nothing_refuted"


@pytest.mark.parametrize("why", [why for why in BAD if not why.startswith("tampering")])
def test_what_speaks_against_one_interval_leaves_the_other(town, why):
    kind, make = BAD[why]
    assert town.refute(kind, make(town), interval=1) == "nothing_refuted"


def test_tampering_voids_all_that_follows(town):
    for interval in (0, 1):
        assert town.refute(FLOW, town.envelope(FLOW, FROM_MS, tamper=True), interval=interval) == ""
    assert LOTS.get(town.state, town.lot).remaining_units == 0
    town.close()


@pytest.mark.parametrize(("seq", "boot", "code"), [
    (10, BOOT, ""), (LAST, BOOT, ""), (9, BOOT, "unclaimed_reading"),
    (LAST + 1, BOOT, "unclaimed_reading"), (20, BOOT - 1, "unclaimed_reading"),
    (20, BOOT + 1, "unclaimed_reading"),
])  # fmt: skip
def test_only_a_claimed_number_refutes(town, seq, boot, code):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000, seq=seq, boot=boot)
    assert town.refute(HOLD, cold) == code


def test_both_of_two_readings_are_claimed(town):
    cold, beyond = (town.envelope(HOLD, INSIDE_MS, 60_000, seq=seq) for seq in (20, LAST + 1))
    assert town.refute(HOLD, cold, beyond) == "unclaimed_reading"


def test_two_readings_of_one_number_void_and_cost_no_attestor(town):
    """Each of them is good, and who signed saw one of them."""
    one, other = town.envelope(HOLD, INSIDE_MS), town.envelope(HOLD, INSIDE_MS, firmware="other")
    assert town.refute(HOLD, one, one) == "nothing_refuted"
    assert town.refute(HOLD, one, other, place=town.place(one)) == ""
    assert town.proven.intervals[0].void
    assert town.bond("attestor-0") == bill(50)


def test_a_place_must_be_the_readings_own(town):
    cold, other = (town.envelope(HOLD, INSIDE_MS, 60_000, seq=seq) for seq in (20, 21))
    place = town.place(other)
    assert town.refute(HOLD, cold, place=place) == "unclaimed_reading"
    assert town.refute(HOLD, other, place=replace(place, index=2)) == "unclaimed_reading"
    assert town.refute(HOLD, other, place=place) == ""
    assert town.bond("attestor-0") == bill(40)


def test_a_device_that_was_not_claimed_refutes_nothing(town):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    town.change(spans=tuple(s for s in town.proven.spans if s.device != town.key(HOLD).public))
    assert town.refute(HOLD, cold) == "unclaimed_reading"


def test_a_reading_shown_for_another_device_refutes_nothing(town):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000, signer=town.key(VALVE))
    assert town.refute(VALVE, cold) == "foreign_envelope"


def test_what_is_no_reading_refutes_nothing(town):
    assert town.refute(HOLD, town.raw(HOLD, b"")) == "bad_envelope"


def test_every_reading_shown_must_be_signed_by_its_device(town):
    true = town.envelope(HOLD, INSIDE_MS)
    forged = town.envelope(HOLD, INSIDE_MS, 60_000, signer=key("alice"))
    body = RefuteLot(town.lot, 0, town.key(HOLD).public, (true, forged))
    transaction = town.dairy.next(town.state, body, key("alice"))
    claims = signature_claims(transaction, town.dairy.chain_id)
    assert [verify(*claim) for claim in claims] == [True, True, False]


def test_an_interval_is_refuted_once(town):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, cold) == ""
    assert town.refute(HOLD, cold, who="bob") == "void_interval"


def test_no_interval_is_refuted_that_is_not_there(town):
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 1), interval=2) == "unknown_interval"


def test_a_lot_without_a_window_is_not_refuted(town):
    town.lot = town.dairy.genesis.stock[0].lot_id()
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == "unproven_lot"
    town.lot = bytes(32)
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == "unknown_lot"


def test_a_lot_past_doubt_stays(town):
    town.time_ms = OPEN_UNTIL_MS
    tampered = town.envelope(HOLD, FROM_MS, tamper=True)
    assert town.refute(HOLD, tampered) == ""
    town.time_ms += 1
    assert town.refute(HOLD, tampered, interval=1) == "window_over"


@pytest.mark.parametrize("doubt", ["question", "challenge"])
def test_a_doubt_that_stands_keeps_the_window_open(town, doubt):
    town.time_ms = OPEN_UNTIL_MS
    if doubt == "question":
        assert town.ask(HOLD, 30) == ""
    else:
        town.must("alice", ChallengeLot(town.lot, bill(10), bytes(32)))
    town.time_ms += 1
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, cold) == ""
    town.time_ms += HOUR_MS
    if doubt == "question":
        assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30)) == ""
    else:
        town.must("carol", ResolveChallenge(town.lot, town.address("alice"), 0))
    tampered = town.envelope(HOLD, FROM_MS, tamper=True)
    assert town.refute(HOLD, tampered, interval=1) == "window_over"
    town.close()


def test_what_a_device_measured_before_it_joined_or_after_it_left_was_not_judged(town):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    silent = town.envelope(HOLD, INSIDE_MS, 75_000, 75_000, every_ms=5_000)
    junk = town.envelope(HOLD, INSIDE_MS, unit=Unit.FLAG)
    for fields in ({"until_ms": INSIDE_MS - 1}, {"from_ms": INSIDE_MS + 9_001}):
        town.change(spans=town.spans(HOLD, **{"from_ms": 0, "until_ms": 2**53, **fields}))
        for shown in (cold, silent, junk):
            assert town.refute(HOLD, shown) == "nothing_refuted"
        # Who opens it once it is off the line harms nobody; before it joined, all that follows.
        opened = town.envelope(HOLD, INSIDE_MS, tamper=True)
        assert (town.refute(HOLD, opened) == "") is ("from_ms" in fields)


def test_a_sample_at_the_moment_of_joining_speaks_of_what_follows_alone(town):
    first, _ = town.proven.intervals
    cold = town.envelope(HOLD, first.to_ms, 60_000)
    town.change(spans=town.spans(HOLD, from_ms=first.to_ms))
    assert town.refute(HOLD, cold) == "nothing_refuted"
    town.change(spans=town.spans(HOLD, from_ms=first.to_ms - 1))
    assert town.refute(HOLD, cold) == ""


def test_a_silence_that_lasts_into_its_time_on_the_line_is_judged(town):
    silent = town.envelope(HOLD, INSIDE_MS, 75_000, 75_000, every_ms=5_000)
    town.change(spans=town.spans(HOLD, from_ms=INSIDE_MS + 1))
    assert town.refute(HOLD, silent) == ""


def test_a_vats_thermometer_is_not_judged_while_it_drains(town):
    limits = replace(town.proven.judged_by, hold_least_mdegc=None, flow_max_l_per_h=0)
    town.change(judged_by=limits)
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 20_000)) == "nothing_refuted"
    assert town.refute(FLOW, town.envelope(FLOW, INSIDE_MS, 0, 10**9)) == "nothing_refuted"
    assert town.refute(OUTLET, town.envelope(OUTLET, INSIDE_MS, 20_000)) == ""


def test_limits_are_those_of_the_mint(town):
    limits = replace(town.proven.judged_by, hold_least_mdegc=72_000)
    town.change(judged_by=limits)
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 72_000)) == "nothing_refuted"
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 71_999)) == ""


def admitted(town, kind, **fields):
    device = town.key(kind).public
    DEVICES.put(town.state, replace(DEVICES.get(town.state, device), **fields), device)


def judged(town, kind, **fields):
    """Say how a device stood when the window was judged."""
    town.change(spans=town.spans(kind, **fields))


def test_tampering_from_before_the_device_was_admitted_is_nobodys_matter(town):
    early = town.envelope(HOLD, FROM_MS, tamper=True)
    judged(town, HOLD, calibrated_ms=(FROM_MS + 9_001,))
    assert town.refute(HOLD, early) == "nothing_refuted"
    judged(town, HOLD, calibrated_ms=(FROM_MS + 9_000,))
    assert town.refute(HOLD, early) == ""


def test_what_became_of_a_device_since_changes_nothing_of_what_refutes(town):
    """Two calibrations later nobody would know which one it was under."""
    early, later = (town.envelope(HOLD, at, tamper=True) for at in (FROM_MS, FROM_MS + 9_001))
    judged(town, HOLD, calibrated_ms=(FROM_MS + 9_001,))
    after = {"earlier": (TO_MS, TO_MS + 1), "calibrated_from_ms": TO_MS + 2, "cleared": (BOOT, 99)}
    admitted(town, HOLD, **after)
    assert town.refute(HOLD, early) == "nothing_refuted"
    assert town.refute(HOLD, later) == ""


def test_tampering_that_was_cleared_refutes_what_was_counted_before_the_clearing(town):
    tampered = town.envelope(HOLD, FROM_MS, tamper=True)
    cleared_ms = FIRST[1] + 1_000
    judged(town, HOLD, calibrated_ms=(0, cleared_ms), cleared=(BOOT, 20))
    admitted(town, HOLD, earlier=(0, FROM_MS), calibrated_from_ms=cleared_ms, cleared=(BOOT, 20))
    assert town.refute(HOLD, tampered, interval=1) == "nothing_refuted"
    assert town.refute(HOLD, tampered) == ""
    # The regulator has looked into it: the device goes on.
    assert DEVICES.get(town.state, town.key(HOLD).public).stopped_ms > NOW_MS


@pytest.mark.parametrize(
    ("cleared_ms", "code"), [(FIRST[1] + 1_000, "nothing_refuted"), (SECOND[0], "")]
)
def test_a_cleared_report_that_runs_on_refutes_what_it_speaks_of_alone(town, cleared_ms, code):
    tampered = town.envelope(HOLD, cleared_ms - 5_000, tamper=True)
    assert tampered.reading().last_ms > cleared_ms
    judged(town, HOLD, calibrated_ms=(0, cleared_ms), cleared=(BOOT, 20))
    assert town.refute(HOLD, tampered, interval=1) == code


def test_a_report_that_runs_on_and_was_not_cleared_at_the_mint_refutes_all_that_follows(town):
    cleared_ms = FIRST[1] + 1_000
    tampered = town.envelope(HOLD, cleared_ms - 5_000, tamper=True)
    judged(town, HOLD, calibrated_ms=(0, cleared_ms), cleared=(BOOT, 19))
    admitted(town, HOLD, cleared=(BOOT, 20))
    assert town.refute(HOLD, tampered, interval=1) == ""


def test_of_a_new_device_that_nobody_relied_on_only_what_the_window_shows_refutes(town):
    """A spare need not be in force before it speaks; what it said within the window, it said."""
    shown_ms = FROM_MS - MARGIN_MS
    old, shown = (town.envelope(HOLD, shown_ms - ago, tamper=True) for ago in (9_001, 9_000))
    judged(town, HOLD, after=None, calibrated_ms=(TO_MS,))
    assert town.refute(HOLD, old) == "nothing_refuted"
    assert town.refute(HOLD, shown) == ""
    judged(town, HOLD, after=(BOOT, 9), calibrated_ms=(TO_MS,))
    assert town.refute(HOLD, old, interval=1) == ""


def test_two_readings_of_one_number_from_before_the_device_was_admitted_refute_nothing(town):
    one, other = (town.envelope(HOLD, FROM_MS, firmware=each) for each in ("a", "b"))
    judged(town, HOLD, calibrated_ms=(FROM_MS + 9_001,))
    assert town.refute(HOLD, one, other) == "nothing_refuted"
    late = town.envelope(HOLD, FROM_MS + 1)
    assert town.refute(HOLD, one, late) == ""


def test_tampering_stops_the_device_and_nothing_else_does(town):
    device = town.key(HOLD).public
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    assert DEVICES.get(town.state, device).stopped_ms > NOW_MS
    tampered = town.envelope(HOLD, INSIDE_MS, tamper=True)
    assert town.refute(HOLD, tampered, interval=1) == ""
    assert DEVICES.get(town.state, device).stopped_ms == INSIDE_MS


def test_every_instrument_of_the_builder_is_good(town):
    for kind in MEASURES:
        assert town.refute(kind, town.envelope(kind, INSIDE_MS)) == "nothing_refuted"
