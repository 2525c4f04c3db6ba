"""A plant that wants attestors slashed: nothing that they saw and found good speaks against them.

Its instruments sign odd envelopes, linked as they should be: a clock set back, another unit, a
total that moves in no time. Whoever shows one of them alone must not refute what was counted.
"""

import pytest
from msgspec.structs import replace

from ledger.evidence import check_window, trim_bundle
from ledger.primitives.merkle import merkle_path
from ledger.state.tables import ATTESTOR_BONDS, PROVEN
from ledger.types.doubt import ReadingPlace, RefuteLot
from ledger.types.evidence import Instrument
from ledger.types.milk import PostBond
from ledger.types.reading import sign_reading
from tests.support.evidence.rig import good_value
from tests.support.ledger.dairy import Dairy, bill
from tests.support.ledger.town import PURSES, parameters
from tests.support.ledger.window import PLACES, START_MS, WindowTown

FLOW, HOLD = Instrument.FLOW_METER, Instrument.HOLD_THERMOMETER
HARMLESS = {"nothing_refuted", "unclaimed_reading"}
"""Of what a window shows, readings past its end are the next one's."""
NAMES = [f"attestor-{number}" for number in range(4)]


def bonded_town(kinds=PLACES):
    rules = parameters(challenge_window_ms=14 * 86_400_000)
    purses = PURSES | dict.fromkeys(NAMES, bill(200))
    town = WindowTown(kinds, dairy=Dairy(parameters=rules, balances=purses))
    for name in NAMES:
        assert town.do(name, PostBond(bill(100))) == ""
    return town


def good(device, begin, end, step=1):
    kind = device.instrument
    return [(at * 1_000, good_value(kind, at * 1_000)) for at in range(begin, end + 1, step)]


def odd(device, dairy, samples, **fields):
    """Sign an envelope of a device's chain as no honest one is, and let its chain go on."""
    device.carried = None
    reading = device.sign(samples).reading()
    if fields.pop("falls", False):
        fields["samples"] = ((9_000, 74_500), (0, 1))
    envelope = sign_reading(replace(reading, **fields), dairy.chain_id, device.key)
    device.envelopes[-1], device.previous = envelope, envelope.digest()
    return envelope


def minted(town):
    """Let honest attestors judge what the line measured, and mint it; give the claim."""
    town.time_ms = START_MS + 120_000
    facts, bundle = town.line.facts(town.state), town.line.bundle(town.state)
    claim = town.claim()
    shown = trim_bundle(facts, bundle, claim)
    check_window(facts, claim, shown)
    assert town.mint(claim) == ""
    assert claim.counted_steps > 50_000
    leaves = [each.digest() for part in claim.devices for each in shown[part.device]]
    return claim, leaves


def refute_with_all(town, device, claim, leaves):
    """Try every envelope of a device, with its place, against every interval; give the codes."""
    lot, codes = claim.lot_id(), set()
    for envelope in device.envelopes:
        if envelope.digest() not in leaves:
            continue
        index = leaves.index(envelope.digest())
        place = ReadingPlace(index, tuple(merkle_path(leaves, index)))
        for number in range(len(PROVEN.get(town.state, lot).intervals)):
            codes.add(town.do("alice", RefuteLot(lot, number, device.public, (envelope,), place)))
    return codes


def bonds(town):
    return {ATTESTOR_BONDS.get(town.state, town.address(name)).bond_units for name in NAMES}


@pytest.mark.parametrize(
    "samples",
    [
        [(30_000, 60_000)],
        [(30_000, 60_000), (31_000, 60_000), (61_000, 75_000), (62_000, 75_000)],
        [(30_000, 75_000), (61_500, 75_000)],
    ],
    ids=["cold", "cold and on", "silent"],
)
def test_a_clock_set_back_denies_what_it_speaks_of(samples):
    town = bonded_town()
    for device in town.line.devices:
        device.measure(good(device, 0, 60))
        if device.instrument is HOLD:
            odd(device, town.dairy, samples)
        device.measure(good(device, 63, 120))
    claim, leaves = minted(town)
    assert refute_with_all(town, town.line.of(HOLD), claim, leaves) <= HARMLESS
    assert bonds(town) == {bill(100)}
    town.close()


@pytest.mark.parametrize(
    "fields",
    [{"unit": "mL"}, {"stream": "other"}, {"version": 1}, {"falls": True}],
    ids=["unit", "stream", "version", "falling"],
)
def test_an_envelope_that_does_not_measure_denies_what_it_speaks_of(fields):
    town = bonded_town()
    for device in town.line.devices:
        device.measure(good(device, 0, 60))
        if device.instrument is HOLD:
            odd(device, town.dairy, [(30_000, 74_500)], **fields)
        device.measure(good(device, 61, 120))
    claim, leaves = minted(town)
    assert refute_with_all(town, town.line.of(HOLD), claim, leaves) <= HARMLESS
    assert bonds(town) == {bill(100)}


def test_what_does_not_measure_denies_its_time_though_the_chain_goes_on_as_before():
    """The next envelope does not speak of that time again: the odd one alone does."""
    town = bonded_town()
    for device in town.line.devices:
        device.measure(good(device, 0, 60))
        if device.instrument is HOLD:
            odd(device, town.dairy, [(30_000, 74_500)], unit="mL")
            device.carried = None
        device.measure(good(device, 61, 120))
    claim, leaves = minted(town)
    assert refute_with_all(town, town.line.of(HOLD), claim, leaves) <= HARMLESS
    assert bonds(town) == {bill(100)}


@pytest.mark.parametrize("moved", [-5_000, 5_000])
def test_a_total_that_moves_in_no_time_parts_intervals(moved):
    town = bonded_town()
    for device in town.line.devices:
        samples = good(device, 0, 120)
        if device.instrument is FLOW:
            after = [(at, value + moved) for at, value in samples[60:]]
            samples = samples[:61] + after
        device.measure(samples, 16)
    claim, leaves = minted(town)
    assert len(claim.intervals) == 2
    assert refute_with_all(town, town.line.of(FLOW), claim, leaves) <= HARMLESS
    assert bonds(town) == {bill(100)}


@pytest.mark.parametrize("fields", [{}, {"unit": "mL"}], ids=["cold", "no measurement"])
def test_a_spare_that_begins_to_speak_judges_the_moment_it_does(fields):
    town = bonded_town((*PLACES, HOLD))
    *others, spare = town.line.devices
    for device in others:
        device.measure(good(device, 0, 120))
    odd(spare, town.dairy, [(40_000, 60_000), (41_000, 60_000)], **fields)
    spare.measure(good(spare, 42, 120))
    claim, leaves = minted(town)
    assert refute_with_all(town, spare, claim, leaves) <= HARMLESS
    assert bonds(town) == {bill(100)}


def test_a_second_reading_of_a_number_costs_the_plant_and_no_attestor():
    town = bonded_town()
    town.run(120)
    claim, _ = minted(town)
    hold = town.line.of(HOLD)
    seen = hold.envelopes[3].reading()
    cold = tuple((offset, 60_000) for offset, _ in seen.samples)
    twin = sign_reading(replace(seen, samples=cold), town.dairy.chain_id, hold.key)
    body = RefuteLot(claim.lot_id(), 0, hold.public, (twin,))
    assert town.do("alice", body) == ""
    assert PROVEN.get(town.state, claim.lot_id()).intervals[0].void
    assert bonds(town) == {bill(100)}
    town.close()


def test_a_number_that_the_chain_left_out_costs_no_attestor():
    town = bonded_town()
    for device in town.line.devices:
        device.measure(good(device, 0, 60))
        device.boot, device.seq = device.boot + 5, 0
        device.measure(good(device, 61, 120))
    claim, _ = minted(town)
    hold = town.line.of(HOLD)
    seen = hold.envelopes[3].reading()
    cold = tuple((offset, 60_000) for offset, _ in seen.samples)
    hidden = replace(seen, boot=2, seq=0, samples=cold)
    body = RefuteLot(
        claim.lot_id(), 0, hold.public, (sign_reading(hidden, town.dairy.chain_id, hold.key),)
    )
    assert town.do("alice", body) == ""
    assert bonds(town) == {bill(100)}


def test_cold_milk_that_attestors_signed_costs_each_of_them():
    town = bonded_town()
    town.run(140, hold_thermometer={50: 60_000})
    town.time_ms = START_MS + 140_000
    honest = town.claim()
    # All of them lie: one interval over the cold sample, which none of the three envelopes shows.
    (first, second) = honest.intervals
    whole = replace(first, to_ms=second.to_ms, steps=honest.counted_steps)
    lie = replace(honest, intervals=(whole,))
    assert town.mint(lie) == ""
    shown = {device.public: device.envelopes for device in town.line.devices}
    leaves = [each.digest() for part in lie.devices for each in shown[part.device][: part.count]]
    hold = town.line.of(HOLD)
    assert "" in refute_with_all(town, hold, lie, leaves)
    assert bonds(town) == {bill(80)}
    town.close()
