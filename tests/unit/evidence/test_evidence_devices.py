"""When what a device shows may serve the judge: told of tampering, in force, on the line, heard."""

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import UnheardDevice, UnreportedTamper
from ledger.evidence import claim_window
from ledger.state.lines import FOR_EVER_MS, LineDevice
from ledger.types.evidence import Instrument, MilkKind
from tests.support.evidence.rig import START_MS, LineRig, good_value
from tests.support.evidence.windows import but, claim_all

FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)
Samples = list[tuple[int, int]]


def good(kind: Instrument, begin: int, end: int) -> Samples:
    return [(at * 1_000, good_value(kind, at * 1_000)) for at in range(begin, end + 1)]


def registered(rig: LineRig, kind: Instrument, **fields: object) -> None:
    """Change what the chain says of a device."""
    key = rig.of(kind).public
    rig.records[key] = replace(rig.records[key], **fields)


def spans(rig: LineRig) -> list[tuple[int, int]]:
    """Give what counts, in seconds after the start."""
    claim = claim_all(rig)
    return [
        ((each.from_ms - START_MS) // 1_000, (each.to_ms - START_MS) // 1_000)
        for each in claim.intervals
    ]


def test_who_is_heard_to_the_end_is_heard_for_a_margin_beyond_it() -> None:
    rig = LineRig()
    rig.run(120)
    bundle, hold = rig.bundle(), rig.of(HOLD).public
    bundle[hold] = [e for e in bundle[hold] if e.reading().last_ms < START_MS + 77_000]
    assert bundle[hold][-1].reading().last_ms >= START_MS + 60_000
    with pytest.raises(UnheardDevice):
        claim_window(rig.facts, bundle, MilkKind.WHOLE, START_MS + 60_000)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cleared": (0, 5)}, False),
        ({"cleared": (0, 7)}, True),
        ({"stopped_ms": START_MS + 60_001}, False),
        ({"stopped_ms": START_MS + 60_000}, True),
        ({"calibrated_from_ms": START_MS + 60_501}, True),
        ({"calibrated_from_ms": START_MS + 60_500}, False),
        ({"calibrated_from_ms": START_MS + 60_501, "earlier": (0, START_MS + 60_000)}, False),
    ],
)
def test_tampering_is_told_by_a_stop_from_it_on_or_settled_by_number_or_admission(
    fields: dict[str, object], told: bool
) -> None:
    rig = LineRig()
    rig.run(60)
    rig.of(OUTLET).sign([(60_500, 3_000)], tamper=True)
    assert rig.of(OUTLET).seq == 8
    rig.run(120, begin_ms=61_000)
    registered(rig, OUTLET, **fields)
    if told:
        assert spans(rig)
        return
    with pytest.raises(UnreportedTamper):
        claim_all(rig)


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({"stopped_ms": START_MS + 30_000}, [(0, 29)]),
        ({"calibrated_until_ms": START_MS + 30_000}, [(0, 29)]),
        ({"calibrated_from_ms": START_MS + 30_000}, [(30, 91)]),
        (
            {"earlier": (START_MS, START_MS + 30_000), "calibrated_from_ms": START_MS + 60_000},
            [(0, 29), (60, 91)],
        ),
    ],
)
@pytest.mark.parametrize("kind", [FLOW, HOLD, OUTLET, VALVE])
def test_a_device_serves_while_one_of_its_calibrations_lasts(
    kind: Instrument, fields: dict[str, int], counted: list[tuple[int, int]]
) -> None:
    rig = LineRig()
    rig.run(120)
    registered(rig, kind, **fields)
    assert spans(rig) == counted


def test_what_a_new_device_had_no_part_in_is_not_asked_of_it_in_the_next_window() -> None:
    """Its first word lies in the margin of the first window, which shows it: no more is known."""
    rig = LineRig(FLOW, HOLD, HOLD, OUTLET, VALVE)
    spare = rig.devices[2]
    for device in rig.devices:
        device.measure(good(device.instrument, 70 if device is spare else 0, 120))
    rig.accept(claim_all(rig, to_ms=60_000))
    assert rig.tips[spare.public].again
    # The step that ends with its first word is its own too.
    assert claim_all(rig).lost_steps == 1_000


def exchanged(off: int) -> LineRig:
    """Let one thermometer take over from another at 60.5 s, which says something else since 62."""
    rig = LineRig(FLOW, HOLD, HOLD, OUTLET, VALVE)
    old, new = rig.devices[1:3]
    for device in rig.devices:
        samples = good(device.instrument, 0, 120)
        if device is old:
            samples = [(at, off if at >= 62_000 else value) for at, value in samples]
        device.measure(samples)
    times = {old.public: (START_MS, START_MS + 60_500)}
    times[new.public] = (START_MS + 60_500, FOR_EVER_MS)
    devices = tuple(
        LineDevice(each.device, *times.get(each.device, (each.from_ms, each.until_ms)))
        for each in rig.line.devices
    )
    rig.line = replace(rig.line, devices=devices)
    return rig


@pytest.mark.parametrize("off", [74_500, 20_000])
def test_what_a_device_says_off_the_line_neither_serves_nor_voids(off: int) -> None:
    """The step in which one took over from the other is lost, since neither stood through it."""
    assert claim_all(exchanged(off)).lost_steps == 1_000


def test_milk_is_diverted_if_all_valves_say_so() -> None:
    for shown, diverted in (((0, 1), False), ((1, 0), False), ((0, 0), True)):
        rig = LineRig(FLOW, HOLD, OUTLET, VALVE, VALVE)
        for device in rig.devices[:3]:
            device.measure(good(device.instrument, 0, 120))
        for valve, value in zip(rig.devices[3:], shown, strict=True):
            valve.measure([(at * 1_000, value) for at in range(121)])
        claim = claim_all(rig)
        assert claim.counted_steps == 0
        assert (claim.lost_steps == 0) is diverted
        assert (claim.diverted_steps == 0) is not diverted


@pytest.mark.parametrize("spare", [VALVE, GAUGE])
@pytest.mark.parametrize("speaks_s", [None, 60])
def test_a_spare_is_not_missed_before_it_speaks(spare: Instrument, speaks_s: int | None) -> None:
    """Milk was diverted, and a line was cleaned, before a second valve or gauge was ever heard."""
    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE, spare)
    for device in rig.devices:
        kind = device.instrument
        value = {GAUGE: 10_000_000, VALVE: 0 if spare is VALVE else 1, OUTLET: 9_000}
        samples = [(at, value.get(kind, was)) for at, was in good(kind, 0, 120)]
        if device is not rig.devices[-1]:
            device.measure(samples)
        elif speaks_s is not None:
            device.measure(samples[speaks_s:])
    claim = claim_all(rig, cleaning=spare is GAUGE)
    steps = claim.diverted_steps if spare is VALVE else claim.cleaning_steps
    # The step in which it began to speak is nobody's.
    lost = 0 if speaks_s is None else 1_000
    assert (claim.counted_steps, claim.lost_steps) == (0, lost)
    assert steps == claim.to_ms - START_MS - lost


@pytest.mark.parametrize("kind", [VALVE, GAUGE])
def test_who_takes_over_goes_on_with_what_flows_back_or_cleans(kind: Instrument) -> None:
    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE, kind)
    for device in rig.devices:
        value = {GAUGE: 10_000_000, VALVE: 0 if kind is VALVE else 1, OUTLET: 9_000}
        samples = good(device.instrument, 0, 120)
        device.measure([(at, value.get(device.instrument, was)) for at, was in samples])
    old, new = rig.of(kind).public, rig.devices[-1].public
    taken_ms = START_MS + 60_500
    times = {old: (START_MS, taken_ms), new: (taken_ms, FOR_EVER_MS)}
    devices = tuple(
        LineDevice(each.device, *times.get(each.device, (each.from_ms, each.until_ms)))
        for each in rig.line.devices
    )
    rig.line = replace(rig.line, devices=devices)
    claim = claim_all(rig, cleaning=kind is GAUGE)
    assert (claim.counted_steps, claim.lost_steps) == (0, 0)


def test_a_valve_out_of_force_diverts_nothing() -> None:
    rig = LineRig()
    rig.run(120, value=but(VALVE, lambda at: 0))
    registered(rig, VALVE, stopped_ms=START_MS + 30_000)
    assert claim_all(rig).diverted_steps == 29_000


def test_cleaning_is_what_neither_counts_nor_is_diverted_while_a_gauge_stands() -> None:
    """Of a gauge whose chain has a gap nobody knows whether it stood."""
    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE)
    for device in rig.devices:
        kind = device.instrument
        samples = good(kind, 0, 120)
        if kind is GAUGE:
            samples = [(at, 10_000_000) for at, _ in samples]
        if kind is VALVE:
            samples = [(at, 0 if 30_000 <= at <= 40_000 else 1) for at, _ in samples]
        if kind is OUTLET:
            samples = [(at, 9_000 if at >= 50_000 else 3_000) for at, _ in samples]
        device.measure(samples[:61])
        if kind is GAUGE:
            device.carried = None
        device.measure(samples[61:])
    claim = claim_all(rig, cleaning=True)
    assert (claim.counted_steps, claim.diverted_steps) == (29_000 + 8_000, 10_000)
    # Two steps as the valve turned, and all since it was warm; but for the one in the gap.
    cleaned = claim.to_ms - START_MS - 47_000 - claim.lost_steps
    assert (claim.lost_steps, claim.cleaning_steps) == (1_000, cleaned)
