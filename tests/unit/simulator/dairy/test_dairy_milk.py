"""Herds, lines and homes: seeded, plausible, exact."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from iot_minting.settings import load_settings, write_config
from ledger.primitives.keys import address_of
from ledger.types.evidence import Instrument
from simulator.dairy.chain import find_minter
from simulator.dairy.cli import app
from simulator.dairy.errors import NoMinter
from simulator.dairy.herd import YIELD_ML, Herd, milking_curve
from simulator.dairy.line import HOLD_MDEGC, OUTLET_MDEGC, run_readings
from simulator.dairy.player import CollectedMilk, schedule
from simulator.dairy.recording import read_recording
from simulator.dairy.replay import replay_identities
from simulator.dairy.setup import (
    LINE_INSTRUMENTS,
    DairyConfig,
    device_key,
    identify,
    prepare,
    read_seed,
)
from tests.support.ledger.dairy import Dairy

SEED = b"\x33" * 32


def test_the_same_seed_is_the_same_dairy(tmp_path):
    first, again = identify(SEED, 5), identify(SEED, 5)
    assert first == again
    assert identify(b"\x34" * 32, 5).devices[0].key != first.devices[0].key
    made = prepare(tmp_path, SEED)
    assert [d.key for d in made.devices] == [d.key for d in first.devices]
    assert read_seed(tmp_path) == SEED
    # A home that is there keeps its seed.
    assert prepare(tmp_path, b"\x35" * 32).farms == made.farms


def test_a_dairy_has_farms_with_meters_and_a_whole_line():
    dairy = identify(SEED, 5)
    assert len(dairy.farms) >= 3
    kinds = [device.kind for device in dairy.devices]
    assert kinds.count(Instrument.MILK_METER) == len(dairy.farms)
    assert set(kinds) == {Instrument.MILK_METER, *LINE_INSTRUMENTS}
    meters = {d.operator for d in dairy.devices if d.kind is Instrument.MILK_METER}
    assert meters == {farm.address for farm in dairy.farms}
    assert {d.operator for d in dairy.devices if d.kind is not Instrument.MILK_METER} == {None}
    assert all(device_key(SEED, d).public == d.key for d in dairy.devices)
    assert len({d.key for d in dairy.devices}) == len(dairy.devices)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_cow_gives_a_plausible_milking(seed, cows):
    herd = Herd(cows, Random(seed))
    low, high = YIELD_ML
    assert all(low <= herd.milk() <= high for _ in range(2 * cows))
    assert herd.pause_s(1.0) > 0


@given(st.integers(0, 10**9), st.integers(0, 50_000), st.integers(9, 5_000))
def test_a_milking_curve_rises_from_the_total_before_to_the_total_after(total, amount, ms):
    samples = milking_curve(total, amount, 1_000, 1_000 + ms)
    values = [value for _, value in samples]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (total, total + amount)
    assert samples[-1][0] == 1_000 + ms


@given(st.integers(1, 10**11), st.integers(0, 10**12), st.integers(1, 8_000))
def test_a_run_counts_exactly_its_milk_on_the_flow_meter(units, total, ms):
    ticks = run_readings(units, total, 5_000, ms, Random(1))
    flow = [v for t in ticks for _, v in t.readings[Instrument.FLOW_METER]]
    assert flow == sorted(flow)
    assert (flow[0], flow[-1]) == (total, total + units)
    for tick in ticks:
        for kind, (low, high) in (
            (Instrument.HOLD_THERMOMETER, HOLD_MDEGC),
            (Instrument.OUTLET_THERMOMETER, OUTLET_MDEGC),
        ):
            assert all(low <= value <= high for _, value in tick.readings[kind])


def test_the_simulated_heat_obeys_the_rules_of_malaysia():
    rules = Dairy().genesis.parameters
    from ledger.types.evidence import MilkKind

    assert HOLD_MDEGC[0] >= rules.hold_mdegc(MilkKind.WHOLE)
    assert OUTLET_MDEGC[1] <= rules.cooling_mdegc


def recording():
    rows = ["Yield,Device,Begin", "1,a,2021-04-01 08:00", "2,b,2021-04-01 09:00"]
    return read_recording("\n".join(rows), "yield=Yield:lb")


def test_gaps_are_divided_by_the_speed_and_nothing_else():
    milkings = recording().milkings
    assert schedule(milkings, 60) == [0, 60]
    assert schedule(milkings, 0) == [0, 0]


def test_a_batch_is_floored_once_and_begins_anew():
    batch = CollectedMilk(1_030_000, recording().unit)
    batch.add(1, 10)
    batch.add(1, 11)
    # 0.02 lb are 9.0718474 g, and 8.807618... mL at 1.030.
    assert batch.close() == 8_807
    assert batch.close() == 0
    assert batch.expected == [8_807]


def test_a_replay_has_a_meter_for_each_recorded_device_and_a_line():
    identities = replay_identities(SEED, "replay-7", recording(), 5)
    assert [d.name for d in identities[:2]] == ["meter-1", "meter-2"]
    assert {d.kind for d in identities} == {Instrument.MILK_METER, *LINE_INSTRUMENTS}
    assert {d.plant for d in identities} == {"replay-7"}


def test_the_minter_is_the_one_that_genesis_licenses():
    dairy = Dairy()
    assert find_minter(dairy.genesis) == address_of(dairy.mmu.public)
    from msgspec.structs import replace

    with pytest.raises(NoMinter):
        find_minter(replace(dairy.genesis, roles=()))


def test_settings_are_read_back(tmp_path):
    settings = DairyConfig(ingest_key="ab" * 32, run_seconds=3.5)
    write_config(tmp_path, settings)
    assert load_settings(tmp_path, DairyConfig) == settings


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["replay", "nowhere.csv"], "nowhere.csv"),
        (["run"], "config.toml"),
    ],
)
def test_a_command_that_can_not_work_says_why_on_stderr(tmp_path, arguments, told):
    result = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert told in result.stderr
    assert "Traceback" not in result.stderr
