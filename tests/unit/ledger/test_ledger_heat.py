"""Heat: hot enough, long enough, watched all the time; and what each country's rules ask."""

import pytest
from msgspec.structs import replace

from ledger.heat_rules import HeatRuleSet
from ledger.params import DAY_MS, default_parameters
from ledger.primitives.keys import address_of
from ledger.state.records import Device
from ledger.state.tables import DEVICES
from ledger.transition import apply_block
from ledger.types.evidence import DeviceEvidence, HeatProcess, Instrument, MilkKind
from ledger.types.reading import Stream, Unit, sign_reading
from tests.support.ledger.dairy import (
    GENESIS_MS,
    PLANT,
    RUN_ENDED_MS,
    RUN_STARTED_MS,
    Dairy,
    bill,
    key,
)

DAIRY = Dairy()
MINUTE_MS = 60_000
FLOW = DAIRY.line_keys[Instrument.FLOW_METER]
HOLD = DAIRY.line_keys[Instrument.HOLD_THERMOMETER]
BATCH, CONTINUOUS = HeatProcess.BATCH, HeatProcess.CONTINUOUS

# What the regulations say, in degrees: the sources stand beside the numbers in `ledger.params`.
LIMITS = [
    ("malaysia", MilkKind.WHOLE, BATCH, 63),
    ("malaysia", MilkKind.WHOLE, CONTINUOUS, 73),
    ("malaysia", MilkKind.UHT, CONTINUOUS, 135),
    ("malaysia", MilkKind.FLAVOURED, CONTINUOUS, 73),
    ("us_pmo", MilkKind.WHOLE, BATCH, 63),
    ("us_pmo", MilkKind.FLAVOURED, BATCH, 66),
    ("us_pmo", MilkKind.WHOLE, CONTINUOUS, 72),
    ("us_pmo", MilkKind.FLAVOURED, CONTINUOUS, 75),
    ("us_pmo", MilkKind.BUFFALO, CONTINUOUS, 75),
    ("us_pmo", MilkKind.STERILISED, CONTINUOUS, 138),
    ("eu", MilkKind.GOAT, BATCH, 63),
    ("eu", MilkKind.GOAT, CONTINUOUS, 72),
    ("eu", MilkKind.UHT, CONTINUOUS, 135),
    ("india", MilkKind.BUFFALO, BATCH, 63),
    ("india", MilkKind.BUFFALO, CONTINUOUS, 71.5),
    ("india", MilkKind.UHT, CONTINUOUS, 130),
]


def mint(claim, dairy=DAIRY, flow_max=None, more=()):
    """Mint on a line with a flow limit, with more hold thermometers; give the code."""
    state = dairy.state()
    if flow_max is None and claim.process is BATCH:
        flow_max = 0
    if flow_max is not None:
        known = DEVICES.get(state, FLOW.public)
        DEVICES.put(state, replace(known, flow_max_l_per_h=flow_max), FLOW.public)
    for name in more:
        mmu = address_of(dairy.mmu.public)
        device = Device(Instrument.HOLD_THERMOMETER, PLANT, mmu, GENESIS_MS * 2)
        DEVICES.put(state, device, key(name).public)
    transaction = dairy.next(state, dairy.mint(claim), dairy.mmu)
    return apply_block(state, dairy.context(), [transaction]).receipts[0].code


def shown(instruments, dairy=DAIRY, **changes):
    """The good claim of a dairy with its line's evidence replaced."""
    return replace(dairy.claim(), instruments=instruments, **changes)


def with_hold(*evidence, claim=None):
    claim = claim or DAIRY.claim()
    kept = tuple(each for each in claim.instruments if each.device != HOLD.public)
    return replace(claim, instruments=(*kept, *evidence))


def hold(device=HOLD, degrees=75, dairy=DAIRY, **span):
    points = (round(degrees * 1_000),) * 3
    return dairy.evidence(device, Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE, points, **span)


@pytest.mark.parametrize(("rules", "kind", "process", "degrees"), LIMITS)
def test_every_rule_set_has_its_limits_and_the_probe_its_uncertainty(rules, kind, process, degrees):
    law = replace(default_parameters(development=True), heat_rules=HeatRuleSet(rules))
    assert law.hold_mdegc(kind, process) == degrees * 1_000 + 300


@pytest.mark.parametrize(("rules", "degrees"), [("malaysia", 4), ("us_pmo", 7), ("eu", 6)])
def test_every_rule_set_has_its_cooling_limit(rules, degrees):
    law = replace(default_parameters(development=True), heat_rules=HeatRuleSet(rules))
    assert law.cooling_mdegc == degrees * 1_000


# How fast: 100 litres in half an hour are 200 litres an hour.


def test_a_run_flows_no_faster_than_its_line_is_sealed_at():
    assert mint(DAIRY.claim(), flow_max=200) == ""
    assert mint(DAIRY.claim(), flow_max=199) == "too_fast"


def test_every_reading_shown_flows_no_faster_either():
    claim = DAIRY.claim()
    flow = claim.instruments[0]
    middle_ms = (RUN_STARTED_MS + RUN_ENDED_MS) // 2
    # Half a litre in a second is 1,800 litres an hour.
    spurt = DAIRY.envelope(
        FLOW, 4, middle_ms, Stream.VOLUME_TOTAL, Unit.MILLILITRE, (50_000, 50_500)
    )
    fast = replace(flow, worst=spurt)
    assert mint(shown((fast, *claim.instruments[1:])), flow_max=1_800) == ""
    assert mint(shown((fast, *claim.instruments[1:])), flow_max=1_799) == "too_fast"


def test_milk_that_flows_in_no_time_is_too_fast_at_any_seal():
    claim = DAIRY.claim()
    at_once = DAIRY.envelope(FLOW, 0, RUN_STARTED_MS, "volume_total", "mL", (0, 100_000))
    body = replace(at_once.reading(), samples=((0, 0), (0, 100_000)))
    envelope = sign_reading(body, DAIRY.chain_id, FLOW)
    flow = DeviceEvidence(FLOW.public, 1, 0, 0, envelope, envelope, envelope)
    assert mint(shown((flow, *claim.instruments[1:])), flow_max=10**9) == "too_fast"


# Nothing looks away.


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ({"started_ms": RUN_STARTED_MS + 2_000}, ""),
        ({"started_ms": RUN_STARTED_MS + 2_001}, "unwatched"),
        ({"ended_ms": RUN_ENDED_MS - 2_000}, ""),
        ({"ended_ms": RUN_ENDED_MS - 2_001}, "unwatched"),
    ],
)
def test_instruments_watch_from_the_first_flow_to_the_last(span, code):
    assert mint(with_hold(hold(**span))) == code


@pytest.mark.parametrize("kind", [Instrument.OUTLET_THERMOMETER, Instrument.DIVERSION_VALVE])
def test_outlet_and_valve_are_watched_too(kind):
    device, claim = DAIRY.line_keys[kind], DAIRY.claim()
    outlet = kind is Instrument.OUTLET_THERMOMETER
    stream = Stream.OUTLET_TEMPERATURE if outlet else Stream.VALVE_FORWARD
    unit, value = (Unit.MILLIDEGREE, 3_000) if outlet else (Unit.FLAG, 1)
    short = DAIRY.evidence(device, stream, unit, (value,) * 3, ended_ms=RUN_ENDED_MS - 9_000)
    instruments = tuple(short if e.device == device.public else e for e in claim.instruments)
    assert mint(shown(instruments)) == "unwatched"


def test_two_thermometers_may_watch_one_after_the_other():
    half_ms = RUN_STARTED_MS + 900_000
    spare = key("spare")
    first, second = hold(ended_ms=half_ms), hold(spare, started_ms=half_ms + 1_000)
    assert mint(with_hold(first, second), more=["spare"]) == ""
    late = hold(spare, started_ms=half_ms + 5_000)
    assert mint(with_hold(first, late), more=["spare"]) == "unwatched"


# Vats: held for half an hour, then drained.


def batch(dairy=DAIRY, held_minutes=30, gap_minutes=0, degrees=64, kind=MilkKind.WHOLE):
    """A vat that is held from the start of the run, and drains in its last minutes."""
    started_ms = RUN_ENDED_MS - 60 * MINUTE_MS
    drains_ms = started_ms + (held_minutes + gap_minutes) * MINUTE_MS
    line = list(dairy.instruments(bill(100), started_ms=drains_ms))
    ended_ms = started_ms + held_minutes * MINUTE_MS
    line[1] = hold(degrees=degrees, dairy=dairy, started_ms=started_ms, ended_ms=ended_ms)
    expires_ms = RUN_ENDED_MS + dairy.genesis.parameters.shelf_days[kind] * DAY_MS
    return shown(
        tuple(line), dairy, started_ms=started_ms, process=BATCH, kind=kind, expires_ms=expires_ms
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, ""),
        ({"gap_minutes": 5}, ""),
        ({"degrees": 63.3}, ""),
        ({"degrees": 63.299}, "too_cold"),
        ({"degrees": 65}, ""),
        ({"degrees": 65.001}, "too_hot"),
        ({"held_minutes": 29}, "short_hold"),
        ({"held_minutes": 29, "gap_minutes": 1}, "short_hold"),
        ({"held_minutes": 31, "gap_minutes": -2}, "short_hold"),
        ({"kind": MilkKind.UHT}, "wrong_process"),
    ],
)
def test_a_vat_is_held_hot_for_half_an_hour_and_then_drains(change, code):
    assert mint(batch(**change)) == code


def test_where_no_rule_says_how_hot_a_vat_may_be_it_may_be_hotter():
    law = replace(default_parameters(development=True), heat_rules=HeatRuleSet.EU)
    dairy = Dairy(parameters=law)
    assert mint(batch(dairy, degrees=68), dairy) == ""


def test_the_same_readings_are_too_cold_for_continuous_flow():
    assert mint(replace(batch(), process=CONTINUOUS)) == "too_cold"


def test_the_process_is_what_the_line_was_admitted_for():
    assert mint(batch(), flow_max=1) == "wrong_process"
    assert mint(DAIRY.claim(), flow_max=0) == "wrong_process"
