"""A window tells the level of its line's tank where it ends, once every line has claimed as far."""

from msgspec.structs import replace

from ledger.params import DAY_MS, MARGIN_MS
from ledger.state.lines import TankLines
from ledger.state.tables import DEVICES, LINES, MILK_TANKS, TANK_LINES
from ledger.types.evidence import Instrument
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


def test_what_flows_and_does_not_leave_the_tank_is_refused():
    town = Gauged(fall=900)
    assert town.mint(town.claim(100)) == ""
    assert town.mint(town.claim(200)) == "level_against_flow"


def test_a_level_waits_for_the_other_lines_of_the_tank():
    town = Gauged(fall=2_000)  # Another line draws as much.
    assert town.mint(town.claim(100)) == ""
    assert town.mint(town.claim(200)) == "level_against_flow"
    other = replace(town.line.line, name="line-2", devices=())
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
    day = START_MS // DAY_MS
    gauged = replace(tank, gauge_device=b"g" * 32, gauge_day=day)
    MILK_TANKS.put(town.state, gauged, town.line.tank_id)
    assert town.mint(town.claim(60)) == ""
    assert MILK_TANKS.get(town.state, town.line.tank_id).gauge_pending_units == bill(60)
