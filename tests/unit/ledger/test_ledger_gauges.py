"""A window tells the level of its line's tank where it ends, once every line has claimed as far."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS, MARGIN_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import TankLines
from ledger.state.tables import DEVICES, LINES, MILK_TANKS, TANK_LINES
from ledger.types.evidence import Instrument
from ledger.types.milk import WriteOff
from ledger.types.reading import sign_reading
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import PLACES, START_MS, WindowTown, with_device

GAUGE = Instrument.TANK_GAUGE


class Gauged(WindowTown):
    """A line whose tank has a gauge, that falls by a litre a second."""

    def __init__(self, *, fall=1_000):
        super().__init__((*PLACES, GAUGE))
        level = {at: 10_000_000 - at * fall for at in range(301)}
        self.run(300, tank_gauge=level)

    @property
    def tank(self):
        return MILK_TANKS.get(self.state, self.line.tank_id)

    def gauge(self):
        return self.line.of(GAUGE).public

    def empty(self, until):
        """Claim a window in which nothing counts."""
        claim = self.claim(until)
        none = {"intervals": (), "counted_steps": 0, "units": 0}
        return replace(claim, **none, lost_steps=claim.counted_steps)

    def change(self, **fields):
        MILK_TANKS.put(self.state, replace(self.tank, **fields), self.line.tank_id)


def test_the_first_level_begins_the_account_and_the_next_bears_the_flow_out():
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    assert town.tank.gauge_device == town.gauge()
    assert town.tank.gauge_value_units == bill(10_000) - bill(100)
    assert town.mint(town.claim(200)) == ""
    assert town.tank.gauge_value_units == bill(10_000) - bill(200)
    assert town.tank.gauge_drift_units == 0


class Slow(Gauged):
    """Its gauge tells a level once a minute, as milk leaves."""

    def __init__(self):
        super().__init__()
        device = self.line.of(GAUGE)
        device.envelopes.clear()
        device.seq, device.previous, device.carried = 0, ZERO_HASH, None
        device.measure([(at * 1_000, 10_000_000 - at * 1_000) for at in range(0, 361, 60)], 2)


@pytest.mark.parametrize("first", [61, 90, 119])
def test_a_gauge_that_tells_a_level_once_a_minute_misses_nothing(first):
    town = Slow()
    assert town.mint(town.claim(first)) == ""
    assert town.tank.gauge_value_units == bill(10_000 - 120), "the lower on either side"
    assert town.mint(town.claim(180)) == ""
    assert town.tank.gauge_drift_units == bill(120 - first)
    assert town.mint(town.claim(230)) == ""
    assert town.tank.gauge_value_units == bill(10_000 - 180), "the last by then"
    assert town.tank.gauge_drift_units == bill(120 - first + 50)


def test_a_gauge_that_left_before_it_told_another_level_begins_with_its_last():
    town = Slow()
    device = town.line.of(GAUGE)
    device.envelopes[:] = device.envelopes[:2]
    until = {"until_ms": START_MS + 125_000}
    town.amend(
        devices=tuple(
            replace(each, **until) if each.device == device.public else each
            for each in town.line.line.devices
        )
    )
    assert town.mint(town.claim(240)) == ""
    assert town.tank.gauge_value_units == bill(10_000 - 180)


def test_milk_that_leaves_past_the_flow_meter_is_written_off_before_any_counts():
    town = Gauged(fall=1_100)
    assert town.mint(town.claim(100)) == ""
    assert town.mint(town.claim(200)) == "level_against_flow"
    tank = town.line.tank_id
    assert town.do("mmu", WriteOff(tank, bill(9), "spilled")) == ""
    assert town.mint(town.claim(200)) == ""
    assert town.tank.gauge_drift_units == -bill(1)


def test_milk_that_flows_and_does_not_fall_is_collected_or_written_off_within_days():
    town = Gauged(fall=900)
    assert town.mint(town.claim(100)) == ""
    assert town.mint(town.claim(200)) == ""
    assert town.tank.gauge_drift_units == bill(10)
    ((_, owed),) = town.tank.gauge_owed
    late_ms = 36 * HOUR_MS + town.dairy.genesis.parameters.clock_skew_ms_max
    town.change(gauge_owed=((START_MS + 250_000 - late_ms - 1, owed),))
    assert town.mint(town.claim(250)) == "rise_unexplained"
    assert town.do("mmu", WriteOff(town.line.tank_id, bill(9), "spilled")) == ""
    assert town.mint(town.claim(250)) == ""


def test_a_window_without_litres_is_noted_and_not_refused():
    town = Gauged(fall=2_000)
    assert town.mint(town.claim(100)) == ""
    assert town.mint(town.empty(200)) == ""
    assert town.tank.gauge_drift_units == -bill(100)
    assert town.mint(town.claim(210)) == "level_against_flow"


@pytest.mark.parametrize(
    "unfit", [{"stopped_ms": START_MS + 150_000}, {"calibrated_until_ms": START_MS + 150_000}]
)
def test_a_gauge_out_of_force_tells_no_level_though_nothing_counts(unfit):
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    empty = town.empty(200)
    device = DEVICES.get(town.state, town.gauge())
    DEVICES.put(town.state, replace(device, **unfit), town.gauge())
    assert town.mint(empty) == ""
    assert town.tank.gauge_value_units == bill(10_000) - bill(100)
    assert town.tank.gauge_pending_units == bill(100)


def test_what_is_no_measurement_tells_no_level_though_nothing_counts():
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    empty = town.empty(200)
    end = next(each.end for each in empty.devices if each.device == town.gauge())
    other = replace(end.reading(), stream="other")
    shown = sign_reading(other, town.dairy.chain_id, town.line.of(GAUGE).key)
    assert town.mint(with_device(empty, town.gauge(), end=shown, worst=None)) == ""
    assert town.tank.gauge_pending_units == bill(100)


def test_the_gauge_that_told_the_last_level_tells_the_next():
    """Who may choose between two would hide a fall in what they differ by."""
    town = WindowTown((*PLACES, GAUGE, GAUGE))
    town.run(200)
    gauges = [each.public for each in town.line.devices if each.instrument is GAUGE]
    for told, until in ((max(gauges), 100), (min(gauges), 150)):
        tank = MILK_TANKS.get(town.state, town.line.tank_id)
        value = bill(10_000) - bill(until - 50)
        began = {"gauge_device": told, "gauge_value_units": value, "gauge_ms": START_MS}
        if until == 100:
            began |= {"gauge_value_units": bill(10_000)}
        MILK_TANKS.put(town.state, replace(tank, **began), town.line.tank_id)
        assert town.mint(town.claim(until)) == ""
        assert MILK_TANKS.get(town.state, town.line.tank_id).gauge_device == told


def test_a_level_waits_for_the_other_lines_of_the_tank():
    town = Gauged(fall=2_000)  # Another line draws as much.
    assert town.mint(town.claim(100)) == ""
    other = replace(town.line.line, name="line-3", devices=())
    LINES.put(town.state, other, b"o" * 32)
    TANK_LINES.put(town.state, TankLines((town.line.line_id, b"o" * 32)), town.line.tank_id)
    assert town.mint(town.claim(200)) == ""
    assert town.tank.gauge_value_units == bill(10_000) - bill(200)
    assert town.tank.gauge_pending_units == bill(100)
    # What the other flowed by then is kept too; then the level is told.
    town.change(gauge_pending_units=bill(200 - 100 + 100 + 50))
    LINES.put(town.state, replace(other, through_ms=START_MS + 250_000), b"o" * 32)
    assert town.mint(town.claim(250)) == ""
    assert town.tank.gauge_pending_units == 0
    assert town.tank.gauge_value_units == bill(10_000) - bill(500)
    assert town.tank.gauge_drift_units == 0


def test_a_line_that_stands_behind_for_a_day_is_not_waited_for():
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    other = replace(town.line.line, name="line-3", devices=())
    LINES.put(town.state, other, b"o" * 32)
    TANK_LINES.put(town.state, TankLines((town.line.line_id, b"o" * 32)), town.line.tank_id)
    day_ago_ms = START_MS + 200_000 - DAY_MS
    for gauge_ms, drift_is_told in ((day_ago_ms, False), (day_ago_ms - 1, True)):
        before = dict(town.state.changes)
        town.change(gauge_ms=gauge_ms)
        assert town.mint(town.claim(200)) == ""
        assert (town.tank.gauge_pending_units == 0) is drift_is_told
        for name in set(town.state.changes) - set(before):
            town.state.put(name, None)
        for name, raw in before.items():
            town.state.put(name, raw)


def test_what_other_lines_flowed_beyond_the_level_is_no_rise():
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    late_ms = 37 * HOUR_MS
    ahead = replace(town.line.line, name="line-3", devices=(), through_ms=START_MS + 260_000)
    LINES.put(town.state, ahead, b"o" * 32)
    TANK_LINES.put(town.state, TankLines((town.line.line_id, b"o" * 32)), town.line.tank_id)
    # A minute of 10,000 L/h is 166.7 L.
    owed = ((START_MS - late_ms, bill(160)),)
    town.change(gauge_drift_units=bill(160), gauge_owed=owed)
    assert town.mint(town.claim(200)) == ""
    town.change(gauge_drift_units=bill(250), gauge_owed=((START_MS - late_ms, bill(250)),))
    assert town.mint(town.claim(250)) == "rise_unexplained"


def test_nothing_counts_while_the_gauge_is_silent():
    town = Gauged()
    assert town.mint(town.claim(100)) == ""
    claim = town.claim(200)
    silent = with_device(claim, town.gauge(), silent=True)
    assert town.mint(silent) == "unwatched_interval"
    last_ms = next(d.end for d in claim.devices if d.device == town.gauge()).reading().last_ms
    only = replace(claim.intervals[0], to_ms=last_ms - MARGIN_MS, steps=1)
    fewer = {"counted_steps": 1, "lost_steps": claim.counted_steps - 1, "units": 1_000}
    assert town.mint(replace(silent, intervals=(only,), **fewer)) == ""
    assert town.tank.gauge_pending_units == bill(100)


def test_a_gauge_that_is_stopped_or_tells_too_seldom_lets_nothing_count():
    town = Gauged()
    claim, key = town.claim(100), town.gauge()
    device = DEVICES.get(town.state, key)
    DEVICES.put(town.state, replace(device, stopped_ms=START_MS + 50_000), key)
    assert town.mint(claim) == "unwatched_interval"
    DEVICES.put(town.state, device, key)
    end = next(each.end for each in claim.devices if each.device == key).reading()
    for gap_ms, code in ((90_001, "unwatched_interval"), (90_000, "")):
        last_ms = end.t0_ms + end.samples[-1][0]
        samples = ((0, 10_000_000), (gap_ms, 10_000_000))
        rare = replace(end, t0_ms=last_ms - gap_ms, samples=samples)
        shown = sign_reading(rare, town.dairy.chain_id, town.line.of(GAUGE).key)
        assert town.mint(with_device(claim, key, end=shown, worst=None)) == code


def test_a_line_without_a_gauge_tells_of_its_flow_if_its_tank_has_one():
    town = WindowTown()
    town.run(120)
    tank = MILK_TANKS.get(town.state, town.line.tank_id)
    gauged = replace(tank, gauge_device=b"g" * 32, gauge_ms=START_MS + 60_000 - DAY_MS - 1)
    MILK_TANKS.put(town.state, gauged, town.line.tank_id)
    assert town.mint(town.claim(60)) == "unwatched_interval"
    MILK_TANKS.put(town.state, replace(gauged, gauge_ms=START_MS), town.line.tank_id)
    assert town.mint(town.claim(60)) == ""
    assert MILK_TANKS.get(town.state, town.line.tank_id).gauge_pending_units == bill(60)
