"""A vat's thermometer that was tampered with, or stopped, once its hold was told of.

Its word is all that proves the hold. While milk drains it need not be heard; but what it says of
tampering refutes all that counts after it, so nothing may count there that attestors sign.
"""

import pytest
from msgspec.structs import replace

from ledger.evidence import trim_bundle
from ledger.primitives.merkle import merkle_path
from ledger.state.tables import DEVICES, PROVEN
from ledger.types.doubt import ReadingPlace, RefuteLot
from ledger.types.line import ClearDevice, ReportTamper, StopDevice
from ledger.types.window import Interval
from tests.support.evidence.vats import FLOW, HOLD, Pour, VatStory
from tests.support.ledger.dairy import bill
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

DRAIN = Pour(1_900, 180, 2_000)
STORY = VatStory(drains=(DRAIN,), sizes=(60, 20, 60, 60, 60))
HELD_S, HALF_S, DRAINED_S = 1_850, 1_990, 2_100
WHOLE, HALF = 360_000, (HALF_S - 1_900) * 2_000


def town_at_half():
    """A vat whose thermometer finds its lid open where half has drained; give it, and its word."""
    town = VatTown(STORY)
    device = town.line.of(HOLD)
    place = next(
        place
        for place, each in enumerate(device.envelopes)
        if each.reading().last_ms >= START_MS + HALF_S * 1_000
    )
    rest = [each.reading() for each in device.envelopes[place:]]
    del device.envelopes[place:]
    before = device.envelopes[-1].reading()
    device.seq, device.previous = before.seq + 1, device.envelopes[-1].digest()
    device.carried = (before.last_ms, before.samples[-1][1])
    for number, reading in enumerate(rest):
        samples = [(reading.t0_ms + at - START_MS, value) for at, value in reading.samples[1:]]
        device.sign(samples, tamper=number == 0)
    return town, device.envelopes[place]


def refuted(town, claim, bundle):
    """Try all readings of a lot's thermometer against all of it; give the codes."""
    device = town.line.of(HOLD).public
    leaves = [each.digest() for part in claim.devices for each in bundle[part.device]]
    codes = set()
    for envelope in bundle[device]:
        index = leaves.index(envelope.digest())
        place = ReadingPlace(index, tuple(merkle_path(leaves, index)))
        for number in range(len(PROVEN.get(town.state, claim.lot_id()).intervals)):
            body = RefuteLot(claim.lot_id(), number, device, (envelope,), place)
            codes.add(town.do("alice", body))
    return codes


@pytest.mark.parametrize("cuts", [(), (HELD_S,), (HELD_S, HALF_S - 70)])
def test_a_drain_ends_where_its_thermometer_tells_of_tampering(cuts):
    town, told = town_at_half()
    counted = 0
    for cut in cuts:
        claim = town.signed(town.until(cut))
        assert town.mint(claim) == ""
        counted += claim.counted_steps
    assert town.do("alice", ReportTamper(told)) == ""
    claim = town.claim()
    bundle = trim_bundle(town.line.facts(town.state), town.line.bundle(town.state), claim)
    assert town.mint(town.signed(claim)) == ""
    first_s = (told.reading().t0_ms - START_MS) / 1_000
    told_of = counted + claim.counted_steps
    assert (first_s - 1_904) * 2_000 <= told_of <= (first_s - 1_900) * 2_000 < HALF
    # What it says past the window's end is the next one's.
    assert refuted(town, claim, bundle) == {"nothing_refuted", "unclaimed_reading"}


def test_a_thermometer_that_was_cleared_before_the_claim_tells_of_it_all_the_same():
    town, told = town_at_half()
    assert town.do("alice", ReportTamper(told)) == ""
    reading = told.reading()
    clearing = ClearDevice(town.line.of(HOLD).public, reading.boot, reading.seq)
    assert town.do("regulator", clearing) == ""
    claim = town.signed(town.until(DRAINED_S))
    assert 0 < claim.counted_steps < HALF


def test_a_thermometer_that_is_stopped_since_the_hold_takes_it_back():
    town = VatTown(STORY)
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    device = town.line.of(HOLD).public
    assert town.do("regulator", StopDevice(device, START_MS + 1_500_000)) == ""
    claim = town.signed(town.until(DRAINED_S))
    assert (claim.counted_steps, claim.vat) == (0, None)


def test_attestors_that_lie_count_nothing_after_a_thermometer_was_stopped():
    town = VatTown(STORY)
    honest = town.until(DRAINED_S)
    [whole] = honest.intervals
    device = town.line.of(HOLD).public
    assert town.do("regulator", StopDevice(device, START_MS + HALF_S * 1_000)) == ""
    assert town.mint(honest) == "unwatched_interval"
    times = [START_MS + at for at, _ in town.day.samples(FLOW) if at < HALF_S * 1_000]
    steps = town.day.totals[(times[-1] - START_MS) // 1_000]
    until = replace(
        honest,
        intervals=(Interval(whole.from_ms, times[-1], steps),),
        counted_steps=steps,
        lost_steps=honest.lost_steps + whole.steps - steps,
        units=bill(steps // 1_000),
        vat=None,
    )
    assert town.mint(until) == ""


def test_a_thermometer_whose_calibration_lapses_ends_the_drain():
    town = VatTown(STORY)
    device = town.line.of(HOLD).public
    record = DEVICES.get(town.state, device)
    ends_ms = START_MS + HALF_S * 1_000
    DEVICES.put(town.state, replace(record, calibrated_until_ms=ends_ms), device)
    assert HALF - 8_000 <= town.windows(HELD_S) <= HALF


def test_a_thermometer_that_falls_silent_as_milk_drains_loses_nothing():
    town = VatTown(STORY)
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    device = town.line.of(HOLD)
    device.envelopes.clear()
    claim = town.signed(town.until(DRAINED_S, silent=[device.public]))
    assert claim.counted_steps == WHOLE
    # Of how long it was hot it says no more.
    assert claim.vat.hot_ms == claim.from_ms
    assert town.mint(claim) == ""
