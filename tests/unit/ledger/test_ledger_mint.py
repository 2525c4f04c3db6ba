"""Mints: what holds is minted and split exactly; each thing that does not hold has its refusal."""

from dataclasses import astuple
from fractions import Fraction
from math import floor

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, Split, default_parameters
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of, verify_many
from ledger.rules.evidence import STREAMS, consume
from ledger.rules.milk import split_mint
from ledger.rules.proving import attestor_quorum
from ledger.state.records import Device, Supply
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    CONSUMED,
    DEVICES,
    LOTS,
    PARAMETERS,
    RESERVE_ACCOUNT,
    RUNS,
    SUPPLY,
    VALIDATORS_ACCOUNT,
    account,
    run_name,
    supply,
)
from ledger.transition import Execution, apply_block, signature_claims
from ledger.types.evidence import Collection, Instrument, MilkKind
from ledger.types.milk import Attestation
from ledger.types.reading import Envelope, Stream, Unit
from ledger.types.transaction import TRANSACTION_BYTES_MAX, decode_transaction
from tests.support.ledger.dairy import (
    NOW_MS,
    PLANT,
    RUN_ENDED_MS,
    RUN_STARTED_MS,
    Dairy,
    bill,
    key,
)

DAIRY = Dairy()
LINE_KEYS = DAIRY.line_keys


def mint(claim, *, dairy=DAIRY, state=None, sender=None, body=None):
    """Put one mint into a block; give its code and the state after it."""
    state = dairy.state() if state is None else state
    body = body or dairy.mint(claim)
    transaction = dairy.next(state, body, sender or dairy.mmu)
    outcome = apply_block(state, dairy.context(), [transaction])
    return outcome.receipts[0].code, state


def with_instrument(kind, evidence, dairy=DAIRY):
    """The good claim with one instrument's evidence replaced."""
    claim = dairy.claim()
    public = dairy.line_keys[kind].public
    instruments = tuple(evidence if e.device == public else e for e in claim.instruments)
    return replace(claim, instruments=instruments)


def with_meter(evidence, units=None):
    """The good claim with the first farm's meter replaced."""
    claim = DAIRY.claim()
    first = claim.collections[0]
    changed = Collection(first.farm, first.units if units is None else Units(units), evidence)
    return replace(claim, collections=(changed, *claim.collections[1:]))


def _fee(claim):
    return DAIRY.transaction(DAIRY.mint(claim), DAIRY.mmu, 0).intent.fee_units


def test_a_claim_that_holds_makes_a_lot_and_splits_it_exactly():
    claim = DAIRY.claim()
    before = supply(DAIRY.state())
    code, state = mint(claim)
    assert code == ""
    lot = LOTS.get(state, claim.lot_id())
    assert lot.units == lot.remaining_units == bill(100)
    assert (lot.kind, lot.height) == ("whole", 1)
    assert RUNS.get(state, run_name(claim.run, address_of(DAIRY.mmu.public))) == claim.lot_id()
    assert supply(state).minted_units == before.minted_units + bill(100)
    farmers = [account(state, address_of(k.public)).units for k in DAIRY.farm_keys]
    assert farmers == [bill(36), 31_500_000, 22_500_000]
    assert account(state, address_of(DAIRY.mmu.public)).units == bill(17) - _fee(claim)
    assert account(state, VALIDATORS_ACCOUNT).units == 1_200_000
    assert account(state, ATTESTORS_ACCOUNT).units == 800_000
    assert account(state, RESERVE_ACCOUNT).units == bill(1)


def test_every_signature_that_a_mint_rests_on_is_listed_and_holds():
    transaction = DAIRY.transaction(DAIRY.mint(DAIRY.claim()), DAIRY.mmu, 0)
    claims = signature_claims(transaction, DAIRY.chain_id)
    assert len(claims) == 1 + 8 * 3 + 4
    assert all(verify_many(claims))
    assert not any(verify_many(signature_claims(transaction, bytes(32))[1:]))


@pytest.mark.parametrize("units", [1, 7, 99, 12_345_679])
def test_a_split_of_any_amount_sums_and_leaves_roundings_to_the_farmers(units):
    brought = [Fraction(1, 3), Fraction(1, 7), Fraction(2)]
    farmers_units, *others_units = astuple(split_mint(Split(), units, brought))
    assert sum(farmers_units) + sum(others_units) == units
    assert sum(farmers_units) >= Fraction(units * 9, 10)


def test_collections_in_hundredths_of_a_pound_lose_nothing_but_the_one_floor():
    rise, density = 3_333, default_parameters(development=True).density_mg_per_l
    exact = Fraction(rise * 45_359_237 * 100, density)
    total = floor(3 * exact)
    assert total > 3 * floor(exact)
    parts = [
        Collection(
            address_of(farm.public), Units(floor(exact)), DAIRY.total(meter, rise, Unit.CENTIPOUND)
        )
        for farm, meter in zip(DAIRY.farm_keys, DAIRY.meter_keys, strict=True)
    ]
    flow = DAIRY.total(LINE_KEYS[Instrument.FLOW_METER], 3 * rise, Unit.CENTIPOUND)
    instruments = (flow, *DAIRY.instruments(total)[1:4])
    claim = replace(
        DAIRY.claim(), collections=tuple(parts), instruments=instruments, units=Units(total)
    )
    assert mint(claim)[0] == ""
    assert mint(replace(claim, units=Units(total + 1)))[0] == "claim_over_collections"


def test_a_later_run_of_the_same_line_mints_too():
    code, state = mint(DAIRY.claim(0))
    assert code == ""
    assert mint(DAIRY.claim(1), state=state)[0] == ""
    used = CONSUMED.get(state, DAIRY.meter_keys[0].public)
    assert (used.boot, used.seq, used.last_ms) == (1, 19, RUN_ENDED_MS + 2_000)


def test_one_run_is_minted_once():
    claim = DAIRY.claim()
    _, state = mint(claim)
    assert mint(claim, state=state)[0] == "known_run"
    assert mint(replace(DAIRY.claim(1), run=claim.run), state=state)[0] == "known_run"


def test_readings_are_used_once_whatever_the_run_is_called():
    _, state = mint(DAIRY.claim())
    assert mint(replace(DAIRY.claim(), run=bytes(32)), state=state)[0] == "used_readings"


def test_one_overlapping_reading_is_enough_to_refuse():
    state = DAIRY.state()
    last = DAIRY.claim().collections[2].meter.last.reading()
    consume(state, DAIRY.meter_keys[2].public, last, last)
    assert mint(DAIRY.claim(), state=state)[0] == "used_readings"
    assert LOTS.get(state, DAIRY.claim().lot_id()) is None


def test_one_device_can_not_serve_twice_in_one_claim():
    claim = DAIRY.claim()
    twice = (claim.collections[0], claim.collections[0])
    assert mint(replace(claim, collections=twice))[0] == "used_readings"


def later(number=1, **extra):
    """The whole claim of a later run, with its evidence changed."""
    first = number * 10
    extra = {"first_seq": first, "last_seq": first + 9, **extra}
    span = {name: extra[name] for name in ("started_ms", "ended_ms") if name in extra}
    return DAIRY.claim(
        number,
        collections=DAIRY.collections((bill(40), bill(35), bill(25)), **extra),
        instruments=DAIRY.instruments(bill(100), **extra),
        **span,
    )


AGAIN = {"started_ms": RUN_STARTED_MS, "ended_ms": RUN_ENDED_MS}


def test_a_boot_of_its_own_has_numbers_and_totals_of_its_own():
    _, state = mint(DAIRY.claim())
    started_ms = RUN_ENDED_MS
    extra = {"first_seq": 0, "last_seq": 9, "boot": 2}
    claim = later(**extra, started_ms=started_ms, ended_ms=started_ms + 2_000)
    assert mint(claim, state=state)[0] == ""
    assert mint(later(2), state=state)[0] == "used_readings"


@pytest.mark.parametrize(
    "again",
    [
        {**AGAIN, "boot": 2, "first_seq": 0, "last_seq": 9},
        {**AGAIN},
        {"started_ms": RUN_ENDED_MS - 1_001, "ended_ms": RUN_ENDED_MS + 1_000},
        {"boot": 0},
    ],
    ids=["in another boot", "under other numbers", "in part", "in an earlier boot"],
)
def test_what_was_measured_once_is_not_measured_again(again):
    _, state = mint(DAIRY.claim())
    assert mint(later(**again), state=state)[0] == "used_readings"


def test_a_total_does_not_begin_again_within_a_boot():
    _, state = mint(DAIRY.claim())
    claim = later()
    low = DAIRY.total(DAIRY.meter_keys[0], 40_000, start=44_999, first_seq=10, last_seq=19)
    first, *others = claim.collections
    bent = replace(claim, collections=(replace(first, meter=low), *others))
    assert mint(bent, state=state)[0] == "falling_total"
    kept = DAIRY.total(DAIRY.meter_keys[0], 40_000, start=45_000, first_seq=10, last_seq=19)
    good = replace(claim, collections=(replace(first, meter=kept), *others))
    assert mint(good, state=state)[0] == ""


TIMES = {
    "backwards": ({"started_ms": RUN_ENDED_MS}, "bad_run_times"),
    "future": ({"ended_ms": NOW_MS + 120_001}, "future_run"),
    "expired": ({"expires_ms": NOW_MS}, "bad_shelf_life"),
    "over too soon": ({"expires_ms": NOW_MS + 5 * DAY_MS - 1}, "bad_shelf_life"),
    "over soon": ({"expires_ms": NOW_MS + 5 * DAY_MS}, ""),
    "keeps too long": ({"expires_ms": RUN_ENDED_MS + 10 * DAY_MS + 1}, "bad_shelf_life"),
    "nothing": ({"units": Units(0)}, "zero_units"),
    "another plant": ({"plant": "plant-2"}, "foreign_device"),
    "too cold for its kind": (
        {"kind": MilkKind.UHT, "expires_ms": RUN_ENDED_MS + 180 * DAY_MS},
        "too_cold",
    ),
    "more than collected": ({"units": Units(bill(100) + 1)}, "claim_over_collections"),
}


@pytest.mark.parametrize("case", TIMES)
def test_a_claim_whose_own_words_do_not_hold_is_refused(case):
    change, code = TIMES[case]
    assert mint(replace(DAIRY.claim(), **change))[0] == code


def temperature(points, kind=Instrument.HOLD_THERMOMETER, **extra):
    stream = next(iter(STREAMS[kind]))
    unit = extra.pop("unit", Unit.MILLIDEGREE)
    stream = extra.pop("stream", stream)
    return with_instrument(kind, DAIRY.evidence(LINE_KEYS[kind], stream, unit, points, **extra))


HOT = (75_000, 75_000, 75_000)
LINE = {
    "hold at the limit but for the uncertainty": (
        lambda: temperature((75_000, 73_299, 75_000)),
        "too_cold",
    ),
    "cold at the start": (lambda: temperature((73_000, 75_000, 75_000)), "too_cold"),
    "warm outlet": (
        lambda: temperature((3_000, 4_001, 3_000), Instrument.OUTLET_THERMOMETER),
        "too_warm",
    ),
    "diverted": (
        lambda: temperature((1, 0, 1), Instrument.DIVERSION_VALVE, unit=Unit.FLAG),
        "diverted",
    ),
    "tampered": (lambda: temperature(HOT, tamper=True), "tampered"),
    "before the run": (
        lambda: temperature(HOT, started_ms=RUN_STARTED_MS - 1),
        "outside_run",
    ),
    "after the run": (lambda: temperature(HOT, ended_ms=RUN_ENDED_MS + 1), "outside_run"),
    "another stream": (lambda: temperature(HOT, stream="outlet_temperature"), "wrong_stream"),
    "another unit": (lambda: temperature(HOT, unit="degC"), "wrong_unit"),
    "less flowed": (
        lambda: with_instrument(
            Instrument.FLOW_METER, DAIRY.total(LINE_KEYS[Instrument.FLOW_METER], 99_999)
        ),
        "claim_over_flow",
    ),
    "flow backwards": (
        lambda: with_instrument(
            Instrument.FLOW_METER, DAIRY.total(LINE_KEYS[Instrument.FLOW_METER], -2)
        ),
        "falling_total",
    ),
    "tank filled": (
        lambda: replace(
            DAIRY.claim(), instruments=DAIRY.instruments(bill(100), drained_units=-bill(1))
        ),
        "falling_total",
    ),
    "less left the tank": (
        lambda: replace(
            DAIRY.claim(), instruments=DAIRY.instruments(bill(100), drained_units=99_999_000)
        ),
        "claim_over_tank",
    ),
    "flow and tank apart": (
        lambda: replace(
            DAIRY.claim(), instruments=DAIRY.instruments(bill(100), drained_units=bill(102))
        ),
        "flow_against_tank",
    ),
    "no valve": (
        lambda: replace(DAIRY.claim(), instruments=DAIRY.instruments(bill(100))[:3]),
        "wrong_instruments",
    ),
    "a milk meter on the line": (
        lambda: replace(
            DAIRY.claim(),
            instruments=(
                *DAIRY.instruments(bill(100)),
                DAIRY.total(DAIRY.meter_keys[0], 1, first_seq=100, last_seq=109),
            ),
        ),
        "foreign_operator",
    ),
    "an unknown instrument": (
        lambda: replace(
            DAIRY.claim(),
            instruments=(*DAIRY.instruments(bill(100)), DAIRY.total(key("stranger"), 1)),
        ),
        "unknown_device",
    ),
}


@pytest.mark.parametrize("case", LINE)
def test_a_line_that_does_not_prove_the_run_is_refused(case):
    make, code = LINE[case]
    assert mint(make())[0] == code


def test_a_tank_within_one_percent_of_the_flow_is_accepted_and_none_is_needed():
    claim = DAIRY.claim()
    close = replace(claim, instruments=DAIRY.instruments(bill(100), drained_units=101_010_000))
    assert mint(close)[0] == ""
    assert mint(replace(claim, instruments=claim.instruments[:4]))[0] == ""


def test_the_coldest_hold_and_warmest_outlet_that_the_rules_allow_are_accepted():
    line = DAIRY.instruments(bill(100), hold_mdegc=73_300, outlet_mdegc=4_000)
    assert mint(replace(DAIRY.claim(), instruments=line))[0] == ""


def meter(rise=40_000, **extra):
    return DAIRY.total(DAIRY.meter_keys[0], rise, **extra)


def broken(field, value):
    return replace(meter(), **{field: value})


def shifted(seq, t0_ms=RUN_STARTED_MS + 900_000, step_ms=1_000):
    """An envelope of the meter with the number that a case wants."""
    meter, values = DAIRY.meter_keys[0], [5_000, 6_000]
    return DAIRY.envelope(meter, seq, t0_ms, "volume_total", "mL", values, step_ms=step_ms)


METER = {
    "no reading": (lambda: broken("first", Envelope(b"\xc0", bytes(64))), "bad_envelope"),
    "another's envelope": (lambda: broken("last", DAIRY.total(key("x"), 1).last),
                           "foreign_envelope"),
    "another boot's envelope": (lambda: broken("last", meter(boot=2).last), "foreign_envelope"),
    "a first that is not the first": (lambda: broken("first", shifted(1)), "unordered_envelopes"),
    "a last that is not the last": (lambda: broken("last", shifted(8)), "unordered_envelopes"),
    "a worst outside": (lambda: broken("worst", shifted(10)), "unordered_envelopes"),
    "two readings of one number": (lambda: broken("worst", shifted(9)), "unordered_envelopes"),
    "time runs backwards": (
        lambda: replace(meter(), first=meter(started_ms=RUN_STARTED_MS + 1_000_000).first),
        "unordered_envelopes",
    ),
    "a reading that reaches past the next one's start": (
        lambda: broken("first", shifted(0, RUN_STARTED_MS, RUN_ENDED_MS - RUN_STARTED_MS - 500)),
        "unordered_envelopes",
    ),
    "units change": (lambda: broken("first", meter(unit=Unit.MICROLITRE).first), "wrong_unit"),
    "a level where a total is wanted": (
        lambda: DAIRY.evidence(DAIRY.meter_keys[0], Stream.TANK_VOLUME, "mL", (1, 2, 3)),
        "wrong_stream",
    ),
    "collected too long ago": (
        lambda: meter(started_ms=RUN_STARTED_MS - 3 * DAY_MS - 1), "outside_run",
    ),
    "counted less": (lambda: meter(39_999), "collection_over_meter"),
    "an instrument of the line": (
        lambda: DAIRY.total(LINE_KEYS[Instrument.FLOW_METER], 40_000), "wrong_instrument",
    ),
    "a neighbour's meter": (lambda: DAIRY.total(DAIRY.meter_keys[1], 40_000), "foreign_operator"),
    "no registered meter": (lambda: DAIRY.total(key("x"), 40_000), "unknown_device"),
}  # fmt: skip


@pytest.mark.parametrize("case", METER)
def test_a_meter_that_does_not_prove_its_collection_is_refused(case):
    make, code = METER[case]
    assert mint(with_meter(make()))[0] == code


def test_samples_out_of_order_of_time_are_no_reading():
    good = meter().first.reading()
    bad = replace(good, samples=((5, 5_000), (4, 5_000)))
    evidence = broken("first", Envelope(encode(bad), bytes(64)))
    assert mint(with_meter(evidence))[0] == "bad_envelope"


def test_a_collection_brings_something():
    assert mint(with_meter(meter(), units=0))[0] == "zero_collection"


def test_milk_collected_before_the_run_counts():
    early = meter(started_ms=RUN_STARTED_MS - 2 * DAY_MS, ended_ms=RUN_STARTED_MS - DAY_MS)
    assert mint(with_meter(early))[0] == ""


def test_a_single_envelope_may_prove_a_whole_range():
    device = DAIRY.meter_keys[0]
    only = DAIRY.envelope(device, 3, RUN_STARTED_MS, "volume_total", "mL", [0, 40_000])
    evidence = replace(meter(), first_seq=3, last_seq=3, first=only, worst=only, last=only)
    assert mint(with_meter(evidence))[0] == ""


def test_a_calibration_must_outlast_the_run():
    for until_ms, code in ((RUN_ENDED_MS, "calibration_short"), (RUN_ENDED_MS + 1, "")):
        state = DAIRY.state()
        farm, device = address_of(DAIRY.farm_keys[0].public), DAIRY.meter_keys[0].public
        DEVICES.put(state, Device(Instrument.MILK_METER, PLANT, farm, until_ms), device)
        assert mint(DAIRY.claim(), state=state)[0] == code


def test_only_a_licensed_mmu_mints():
    assert mint(DAIRY.claim(), sender=key("alice"))[0] == "role_missing"


@pytest.mark.parametrize(("registered", "needed"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5)])
def test_a_quorum_is_more_than_two_thirds_of_the_attestors(registered, needed):
    assert attestor_quorum(registered) == needed


def test_a_quorum_of_attestors_must_agree():
    claim = DAIRY.claim()
    assert mint(claim, body=DAIRY.mint(claim, 3))[0] == ""
    assert mint(claim, body=DAIRY.mint(claim, 2))[0] == "no_quorum"


def test_attestors_are_registered_and_stand_in_order_once():
    claim = DAIRY.claim()
    good = DAIRY.mint(claim).attestations
    stranger = Attestation(bytes(32), bytes(64))
    for attestations, code in (
        ((stranger, *good), "unknown_attestor"),
        (good[::-1], "unordered_attestors"),
        ((good[0], good[0], good[1]), "unordered_attestors"),
    ):
        body = replace(DAIRY.mint(claim), attestations=attestations)
        assert mint(claim, body=body)[0] == code


def test_one_attestor_is_enough_on_a_development_network_alone():
    lone = Dairy(attestors=1)
    assert mint(lone.claim(), dairy=lone)[0] == ""
    claim = lone.claim()
    state = lone.state()
    PARAMETERS.put(state, default_parameters(development=False))
    assert mint(claim, dairy=lone, state=state)[0] == "no_quorum"


def test_supply_never_passes_the_largest_amount():
    state = DAIRY.state()
    SUPPLY.put(state, Supply(Units(UNITS_MAX), Units(0), Units(UNITS_MAX)))
    execution = Execution(state, DAIRY.context())
    receipt = execution.include(DAIRY.transaction(DAIRY.mint(DAIRY.claim()), DAIRY.mmu, 0))
    assert receipt.code == "supply_overflow"


def test_the_largest_mint_fits_a_transaction_and_holds():
    """16 farms, 16 instruments, 64 attestors, ten samples an envelope."""
    dairy = Dairy(farms=16, attestors=64)
    state = dairy.state()
    mmu = address_of(dairy.mmu.public)
    until_ms = NOW_MS + DAY_MS
    span = {"started_ms": RUN_STARTED_MS, "ended_ms": RUN_ENDED_MS}
    extra = {"samples": 10, "first_seq": 10**9, "last_seq": 10**9 + 9, **span}
    units = [bill(1)] * 16
    more = []
    for number in range(11):
        probe = key(f"probe-{number}")
        DEVICES.put(state, Device(Instrument.HOLD_THERMOMETER, PLANT, mmu, until_ms), probe.public)
        more.append(
            dairy.evidence(probe, Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE, (75_000,) * 3, **extra)
        )
    claim = dairy.claim(
        units=units,
        collections=dairy.collections(units, start=10**12, **extra),
        instruments=(*dairy.instruments(bill(16), **extra), *more),
    )
    transaction = dairy.transaction(dairy.mint(claim), dairy.mmu, 0)
    raw = encode(transaction)
    assert len(raw) <= TRANSACTION_BYTES_MAX
    assert decode_transaction(raw) == transaction
    assert apply_block(state, dairy.context(), [transaction]).receipts[0].code == ""
