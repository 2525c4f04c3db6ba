"""Gauges of a tank that take turns: none may be asked for what the level did meanwhile."""

from msgspec.structs import replace

from ledger.params import DAY_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS, LineDevice, TankLines
from ledger.state.tables import DEVICES, LINES, MILK_TANKS, TANK_LINES
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS

WINDOW_S = 200
HEARD_S = 28
"""How far past a window a gauge is heard that may yet be called silent."""
OTHER_LINE = b"o" * 32


class TwoGauges(Cheat):
    """A line whose tank loses three litres for each that flows, and has two gauges."""

    def __init__(self):
        super().__init__((FLOW, HOLD, OUTLET, VALVE, GAUGE, GAUGE), litres=(500, 500, 500))
        end = 4 * WINDOW_S + 100
        self.gauges = sorted(self.line.devices[4:], key=lambda each: each.public)
        self.good(*self.line.devices[:4], begin=0, end=end)
        for gauge in self.gauges:
            gauge.measure([(at * 1_000, (10_000 - 3 * at) * 1_000) for at in range(end + 1)])

    def window(self, number: int, quiet: DeviceRig | None = None) -> str:
        """Mint a window, for which one gauge is called silent; give the chain's code."""
        until_s = WINDOW_S * number
        if quiet is None:
            return self.mint(self.signed(self.claim(until_s)))
        whole, last_ms = quiet.envelopes, START_MS + (until_s + HEARD_S) * 1_000
        quiet.envelopes = [each for each in whole if each.reading().last_ms <= last_ms]
        code = self.mint(self.signed(self.claim(until_s, silent=[quiet.public])))
        quiet.envelopes = whole
        return code

    def stand(self, gauge: DeviceRig, **fields: int) -> None:
        """Let a gauge stand on the line from another time on, or up to another."""
        line = LINES.get(self.state, self.line.line_id)
        self.amend(
            devices=tuple(
                replace(each, **fields) if each.device == gauge.public else each
                for each in line.devices
            )
        )

    def join_elsewhere(self, gauge: DeviceRig) -> None:
        """Let another line, which claimed far ahead, draw from the tank under that gauge."""
        other = replace(
            self.line.line,
            name="line-3",
            devices=(LineDevice(gauge.public, START_MS),),
            through_ms=FOR_EVER_MS,
        )
        LINES.put(self.state, other, OTHER_LINE)
        TANK_LINES.put(self.state, TankLines((self.line.line_id, OTHER_LINE)), self.line.tank_id)


def test_gauges_that_are_silent_in_turns_are_asked_for_all_that_the_level_did():
    town = TwoGauges()
    one, other = town.gauges
    assert town.window(1, other) == ""
    assert town.tank().gauge_device == one.public
    assert town.window(2, one) == ""
    assert town.tank().gauge_device == one.public
    assert town.tank().gauge_pending_units == bill(WINDOW_S)
    assert town.window(3, other) == "level_against_flow"


def test_a_gauge_that_is_never_heard_at_an_end_lets_milk_count_for_a_day():
    for gauge_s, code in ((2 * WINDOW_S, ""), (2 * WINDOW_S - 1, "unwatched_interval")):
        town = TwoGauges()
        one, other = town.gauges
        assert town.window(1, other) == ""
        ago_ms = START_MS + gauge_s * 1_000 - DAY_MS
        MILK_TANKS.put(town.state, replace(town.tank(), gauge_ms=ago_ms), town.line.tank_id)
        assert town.window(2, one) == code


def test_a_gauge_that_stands_on_another_line_of_the_tank_tells_the_level_there():
    """Else two lines, each with a gauge of its own, would begin the account anew by turns."""
    town = TwoGauges()
    one, _ = town.gauges
    assert town.window(1) == ""
    town.stand(one, until_ms=START_MS + WINDOW_S * 1_000)
    town.join_elsewhere(one)
    assert town.window(2) == ""
    tank = town.tank()
    assert (tank.gauge_device, tank.gauge_pending_units) == (one.public, bill(WINDOW_S))


def test_another_gauge_goes_on_where_the_one_that_told_the_level_left_or_is_stopped():
    for stopped in (False, True):
        town = TwoGauges()
        one, other = town.gauges
        assert town.window(1) == ""
        assert town.tank().gauge_device == one.public
        if stopped:
            record = DEVICES.get(town.state, one.public)
            DEVICES.put(town.state, replace(record, stopped_ms=START_MS + 300_000), one.public)
        else:
            town.stand(one, until_ms=START_MS + 300_000)
        assert town.window(2) == ""
        tank = town.tank()
        level = bill(10_000 - 3 * 2 * WINDOW_S)
        assert (tank.gauge_device, tank.gauge_value_units) == (other.public, level)


def test_what_a_gauge_showed_before_it_stood_there_is_no_level():
    """On the workbench it showed nothing: milk would have risen since that nobody poured."""
    town = TwoGauges()
    one, other = town.gauges
    one.envelopes.clear()
    one.seq, one.previous, one.carried = 0, ZERO_HASH, None
    one.measure([(at * 1_000, 0) for at in range(5, WINDOW_S + 60, 10)])
    town.stand(one, from_ms=START_MS + WINDOW_S * 1_000 - 1)
    assert town.window(1) == ""
    assert town.tank().gauge_device == other.public
