"""What stops a line for good: a flow meter that is opened, broken, replaced or silent.

No window may be left out, so one that attestors sign and the chain refuses ends a line, whoever
comes after. Whatever a flow meter says, what was good before and after it counts.
"""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ledger.primitives.hashing import ZERO_HASH
from ledger.rules.instruments import TOTAL_MAX
from ledger.state.lines import Line
from ledger.state.tables import DEVICES, LINES, MILK_TANKS
from ledger.types.line import AmendLine, ClearDevice, ReportTamper
from ledger.types.reading import Stream, Unit
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import DeviceRig
from tests.support.evidence.vats import VatStory
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS, Counted

END = 300
BASE = 1_000_000
"""What the flow meter had counted before, in millilitres; it counts a litre a second."""


def good(begin: int, end: int) -> list[tuple[int, int]]:
    return [(at * 1_000, BASE + at * 1_000) for at in range(begin, end)]


class Stopping(Cheat):
    """A line that works well, but for what its flow meter says."""

    def __init__(self, *kinds: object) -> None:
        super().__init__((FLOW, *kinds, HOLD, OUTLET, VALVE), litres=(500, 500, 500))
        self.flow = self.line.devices[0]
        self.good(*self.line.devices[1 + len(kinds) :], begin=0, end=END)

    def registered(self) -> Line:
        line = LINES.get(self.state, self.line.line_id)
        assert line is not None
        return line

    def windows(self, *seconds: int) -> list[WindowClaim]:
        """Mint window after window, and what is left; each must be taken."""
        claims = []
        for second in (*seconds, None):
            claim = self.signed(self.claim(second))
            assert self.mint(claim) == ""
            claims.append(claim)
        self.close()
        return claims


def counted(claims: Sequence[WindowClaim]) -> int:
    return sum(each.counted_steps for each in claims)


@pytest.mark.parametrize("cuts", [(), (100,), (100, 125)])
def test_a_flow_meter_that_was_opened_and_cleared_counts_on(cuts):
    """It tells of tampering for a hundred seconds, and windows end while it does."""
    town = Stopping()
    town.flow.measure(good(0, 60))
    opened = [town.flow.sign(good(at, at + 10), tamper=True) for at in range(60, 160, 10)]
    town.flow.measure(good(160, END + 1))
    town.time_ms = START_MS + 170_000
    assert town.do("mmu", ReportTamper(opened[0])) == ""
    last = opened[-1].reading()
    town.time_ms = START_MS + 200_000
    assert town.do("regulator", ClearDevice(town.flow.public, last.boot, last.seq)) == ""
    town.time_ms = START_MS + END * 1_000
    claims = town.windows(*cuts)
    assert claims[-1].to_ms == START_MS + (END - 29) * 1_000
    # It was stopped from the 59th second on, and in force again from the 200th.
    assert counted(claims) == 58_000 + (END - 29 - 200) * 1_000


@pytest.mark.parametrize("value", [0, 500, 10**9, 2**60])
def test_a_flow_meter_that_measures_nothing_for_a_while_counts_on(value):
    town = Stopping()
    town.flow.measure(good(0, 60))
    for at in range(60, 160, 10):
        town.odd(town.flow, [(at * 1_000, value), (at * 1_000 + 9_000, value)], unit=Unit.FLAG)
    town.flow.carried = None
    town.flow.measure(good(160, END + 1))
    assert counted(town.windows(100, 125)) == 59_000 + (END - 29 - 160) * 1_000


@pytest.mark.parametrize("cuts", [(), (59,), (75,)])
@pytest.mark.parametrize("value", [2**63 - 1, TOTAL_MAX + 1, -1])
def test_a_total_that_none_can_be_is_no_measurement(value, cuts):
    """One sample of a broken register: its envelope goes with it, and one that repeats it."""
    town = Stopping()
    spiked = [(at, value if at == 65_000 else total) for at, total in good(0, END + 1)]
    town.flow.measure(spiked)
    claims = town.windows(*cuts)
    assert counted(claims) == 59_000 + (END - 29 - 70) * 1_000 - 1_000


@pytest.mark.parametrize("many", [1, 2, 5])
def test_a_total_that_leaps_as_far_as_it_may_stops_no_line(many):
    town = Stopping()
    leaps = {at * 1_000 for at in range(65, 65 + 2 * many, 2)}
    town.flow.measure([(at, TOTAL_MAX if at in leaps else total) for at, total in good(0, END + 1)])
    [claim] = town.windows()
    assert counted([claim]) > 200_000
    assert claim.counted_steps + claim.lost_steps <= TOTAL_MAX


def test_a_total_that_leaps_again_and_again_rose_by_no_more_than_can_be_told():
    """The chain sees each leap, in the one envelope that it is shown."""
    town = Stopping()
    leaps = {65_000, 67_000, 69_000}
    town.flow.measure([(at, TOTAL_MAX if at in leaps else total) for at, total in good(0, END + 1)])
    last = town.windows(50)[-1]
    assert last.counted_steps + last.lost_steps == TOTAL_MAX


def test_a_leap_in_a_unit_of_mass_is_more_than_any_tank_holds():
    town = Stopping()
    samples = [(at, TOTAL_MAX if at == 65_000 else total) for at, total in good(0, END + 1)]
    for begin in range(0, len(samples), 10):
        part = samples[max(0, begin - 1) : begin + 10]
        town.odd(town.flow, part, unit=Unit.CENTIPOUND, stream=Stream.MASS_TOTAL)
    town.windows(65)
    tank = MILK_TANKS.get(town.state, town.line.tank_id)
    assert tank is not None
    assert tank.held_units == 0


def taken_off(town: Stopping, device: DeviceRig) -> None:
    """Let a device be registered, and stand nowhere."""
    left = tuple(each for each in town.registered().devices if each.device != device.public)
    town.amend(devices=left)
    record = DEVICES.get(town.state, device.public)
    DEVICES.put(town.state, replace(record, line=ZERO_HASH), device.public)


@pytest.mark.parametrize("bench", [0, 5_000])
def test_a_flow_meter_that_comes_back_for_one_that_never_spoke_counts_on(bench):
    """What it counted on the workbench meanwhile is nobody's milk."""
    town = Stopping(FLOW)
    old, new = town.line.devices[:2]
    taken_off(town, new)
    old.measure([*good(0, 101), *((at, total + bench) for at, total in good(101, END + 1))])
    town.time_ms = START_MS + 100_000
    assert town.do("regulator", AmendLine(town.line.line_id, (new.public,), (old.public,))) == ""
    town.time_ms = START_MS + 140_000
    first = town.signed(town.claim())
    assert (first.to_ms, town.mint(first)) == (START_MS + 100_000, "")
    town.time_ms = START_MS + 200_000
    assert town.do("regulator", AmendLine(town.line.line_id, (old.public,), (new.public,))) == ""
    town.time_ms = START_MS + 240_000
    assert town.mint(town.signed(town.claim(200, silent=[new.public]))) == ""
    assert town.registered().flow_device == ZERO_HASH
    town.time_ms = START_MS + END * 1_000
    [last] = town.windows()
    assert counted([first, last]) == 100_000 + (END - 29 - 200) * 1_000


def town_of_one_repaired(until: int) -> Stopping:
    """A flow meter is silent from 60 s on, opened from 150 s until a time, and in order again."""
    town = Stopping()
    town.flow.measure(good(0, 60))
    for at in range(150, until, 10):
        town.odd(town.flow, good(at, at + 10), unit=Unit.FLAG)
    town.flow.carried = None
    town.flow.measure(good(until, END + 1))
    later = town.flow.envelopes[6:]
    del town.flow.envelopes[6:]
    assert town.mint(town.signed(town.claim(140, silent=[town.flow.public]))) == ""
    assert town.registered().flow_value == BASE + 59_000
    town.flow.envelopes += later
    return town


@pytest.mark.parametrize("until", [160, 200])
def test_a_flow_meter_that_fell_silent_and_was_repaired_counts_on(until):
    """What flowed until it measures again is lost; what flows from then on counts."""
    [claim] = town_of_one_repaired(until).windows()
    assert claim.counted_steps == (END - 29 - until) * 1_000
    assert claim.lost_steps == (until - 59) * 1_000


@pytest.mark.parametrize("beyond", [1, 10, 20])
def test_a_device_that_fell_silent_just_past_a_windows_end_is_heard_as_far_as_is_shown(beyond):
    town = Stopping()
    town.flow.measure(good(0, END + 1))
    hold = town.line.of(HOLD)
    hold.envelopes = [
        each
        for each in hold.envelopes
        if each.reading().last_ms <= START_MS + (130 + beyond) * 1_000
    ]
    claim = town.signed(town.claim(130, silent=[hold.public]))
    assert claim.counted_steps >= 100_000
    assert town.mint(claim) == ""


def test_a_gauge_that_speaks_first_after_a_window_is_not_missed_in_it():
    """It is called silent, since nothing more is heard of it."""
    town = VatTown(VatStory(spare=GAUGE))
    spare, cut = town.line.devices[-1], 1_850
    at_s = cut + 10
    spare.envelopes.clear()
    spare.seq, spare.previous, spare.carried = 0, ZERO_HASH, None
    spare.measure([(at * 1_000, town.day.levels[at]) for at in range(at_s, at_s + 5)])
    claim = town.signed(town.until(cut, silent=[spare.public]))
    assert (claim.vat is not None, town.mint(claim)) == (True, "")


def test_a_total_that_was_set_back_as_its_meter_was_repaired_is_shown_to_be():
    """It began at nothing again, unseen, and has risen past where it stood before."""
    town = Stopping()
    town.flow.measure([(at, total - BASE) for at, total in good(0, 60)])
    town.odd(town.flow, good(150, 160), unit=Unit.FLAG)
    town.flow.carried = None
    town.flow.measure([(at, total - BASE - 160_000) for at, total in good(160, END + 1)])
    later = town.flow.envelopes[6:]
    del town.flow.envelopes[6:]
    assert town.mint(town.signed(town.claim(140, silent=[town.flow.public]))) == ""
    town.flow.envelopes += later
    [claim] = town.windows()
    assert claim.counted_steps == (END - 29 - 160) * 1_000 > town.registered().flow_value - 1_000
    assert claim.lost_steps == 0


def test_a_flow_meter_of_which_nothing_new_is_shown_did_not_flow():
    town = Stopping()
    town.flow.measure(good(0, 60))
    assert town.mint(town.signed(town.claim(100, silent=[town.flow.public]))) == ""
    claim = town.signed(town.claim(140, silent=[town.flow.public]))
    assert town.judged(replace(claim, lost_steps=5)) == "claim_differs"
    assert town.mint(claim) == ""


@pytest.mark.parametrize("value", [-1, TOTAL_MAX + 1])
def test_where_all_attestors_lie_no_such_total_counts_either(value):
    assert Counted().samples(FLOW, value) == "bad_reading"
