"""A flow meter's total falls where no envelope shows it: its line goes on.

Whose firmware carries no sample over from envelope to envelope, or dates one back, may let its
total fall between two of them, and pass its old value within the same millisecond. What attestors
sign of that the chain takes, wherever windows end; no more counts than the total is seen to rise.
"""

import pytest
from msgspec.structs import replace

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import Line
from ledger.state.tables import LINES
from ledger.types.line import AmendLine, StopDevice
from ledger.types.reading import Unit
from tests.attacks.test_attack_stopped_lines import taken_off
from tests.support.evidence.vats import VatStory
from tests.support.ledger.cheating import FLOW, HOLD, OUTLET, VALVE, Cheat
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

END = 300
FELL_S = 61


def litres(begin: int, end: int, base: int) -> list[tuple[int, int]]:
    """A litre a second, from a total on."""
    return [(at * 1_000, base + (at - begin) * 1_000) for at in range(begin, end)]


class Falling(Cheat):
    """A line that works well, but for its flow meter, which counts well until it falls."""

    def __init__(self, *spares: object) -> None:
        super().__init__((FLOW, *spares, HOLD, OUTLET, VALVE), litres=(500, 500, 500))
        self.flow = self.line.devices[0]
        self.good(*self.line.devices[1 + len(spares) :], begin=0, end=END)
        self.flow.measure(litres(0, FELL_S, 0))

    def goes_on_from(self, *totals: int) -> None:
        """Let the total stand somewhere in the same millisecond, one after the other, and rise."""
        self.flow.carried = None
        samples = [(FELL_S * 1_000, each) for each in totals]
        self.flow.sign([*samples, *litres(FELL_S, FELL_S + 9, totals[-1])[1:]])
        self.flow.measure(litres(FELL_S + 9, END + 1, totals[-1] + 9_000))

    def registered(self) -> Line:
        line = LINES.get(self.state, self.line.line_id)
        assert line is not None
        return line

    def windows(self, *seconds: int) -> int:
        """Mint window after window, and what is left; each must be taken. Give what counted."""
        steps = self.rose = 0
        for second in (*seconds, None):
            claim = self.signed(self.claim(second))
            assert self.mint(claim) == ""
            steps += claim.counted_steps
            self.rose += claim.counted_steps + claim.lost_steps
        self.close()
        return steps


@pytest.mark.parametrize("cuts", [(), (50,), (60,), (61,), (50, 61, 62), (60, 100), (50, 90)])
@pytest.mark.parametrize("totals", [(0, 200_000), (0, 60_000), (0,), (0, 10**5, 5, 70_000)])
def test_a_total_that_falls_between_envelopes_stops_no_line(totals, cuts):
    town = Falling()
    town.goes_on_from(*totals)
    counted = town.windows(*cuts)
    assert town.registered().through_ms == START_MS + (END - 29) * 1_000
    whole = 60_000 + (END - 29 - FELL_S) * 1_000
    # Where it fell for good, no more counts than the chain sees it rise.
    assert counted == whole if len(totals) > 1 else whole - 60_000 <= counted <= whole


def test_no_more_counts_than_a_total_is_seen_to_rise():
    """It fell by half where nobody saw it, and rises far beyond where it stood."""
    town = Falling()
    town.goes_on_from(30_000)
    # It stood at 50,000, and the chain sees where it ends.
    assert town.windows(50) == 50_000 + (30_000 + (END - 29 - FELL_S) * 1_000 - 50_000)


def test_who_claims_more_than_a_total_is_seen_to_rise_is_refused():
    town = Falling()
    town.goes_on_from(30_000)
    assert town.mint(town.signed(town.claim(50))) == ""
    claim = town.signed(town.claim())
    first, *rest = claim.intervals
    assert claim.lost_steps >= 1_000
    more = {
        "intervals": (first, *rest[:-1], replace(rest[-1], steps=rest[-1].steps + 1_000)),
        "counted_steps": claim.counted_steps + 1_000,
        "lost_steps": claim.lost_steps - 1_000,
        "units": claim.units + 1_000_000,
    }
    lie = replace(claim, **more)
    assert (town.judged(lie), town.mint(lie)) == ("claim_differs", "wrong_fates")
    assert town.mint(claim) == ""


@pytest.mark.parametrize("until", [160, 200])
def test_a_meter_that_was_silent_and_carries_nothing_over_counts_on(until):
    town = Falling()
    silent = [town.flow.public]
    assert town.mint(town.signed(town.claim(140, silent=silent))) == ""
    town.flow.carried = None
    town.flow.sign([(until * 1_000, 0), (until * 1_000, 200_000)])
    town.flow.measure(litres(until + 1, END + 1, 201_000))
    assert town.windows(until, until + 1) == (END - 29 - until) * 1_000


@pytest.mark.parametrize("cut", [None, 50, 60, 61, 62, 100])
def test_a_meter_whose_last_word_is_a_fall_is_exchanged(cut):
    town = Falling(FLOW)
    old, new = town.line.devices[:2]
    taken_off(town, new)
    old.carried = None
    old.sign([(FELL_S * 1_000, 0), (FELL_S * 1_000, 200_000), (62_000, 200_000)])
    new.measure(litres(150, END + 1, 0))
    town.time_ms = START_MS + 150_000
    assert town.do("regulator", StopDevice(old.public, START_MS + 55_000)) == ""
    assert town.do("regulator", AmendLine(town.line.line_id, (new.public,), (old.public,))) == ""
    town.time_ms = START_MS + END * 1_000
    for until in (*([cut] if cut else ()), 150):
        assert town.mint(town.signed(town.claim(until, silent=[old.public]))) == ""
    assert town.windows() == (END - 29 - 150) * 1_000


@pytest.mark.parametrize("back_s", [1, 5, 30, 59])
@pytest.mark.parametrize("cuts", [(60,), (50, 60), (60, 70), (75,), ()])
def test_what_is_dated_back_behind_a_windows_end_is_told_in_the_next(cuts, back_s):
    town = Falling()
    town.flow.carried = None
    town.flow.sign(litres(FELL_S - back_s, FELL_S - back_s + 5, FELL_S * 1_000))
    town.flow.carried = None
    town.flow.measure(litres(FELL_S + 5, END + 1, 66_000))
    # What it says of a time anew counts against that time, if that is not over.
    most = 60_000 + (END - 29 - FELL_S) * 1_000
    assert most - back_s * 1_000 - 10_000 <= town.windows(*cuts) <= most
    assert town.rose == (END - 29) * 1_000


@pytest.mark.parametrize("back_ms", [1, 5_000, 60_000])
def test_what_is_dated_back_behind_a_windows_end_drains_in_the_next(back_ms):
    """The window ends as a vat drains: it says what had drained by then, and the chain asks it."""
    town, end_ms = VatTown(VatStory()), 1_950_000
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    flow.envelopes.clear()
    flow.seq, flow.previous, flow.carried = 0, ZERO_HASH, None
    before = sum(at <= end_ms for at, _ in samples)
    flow.measure(samples[:before], 60)
    flow.carried = None
    behind = samples[before : before + 10]
    late_ms = behind[-1][0] - samples[before - 1][0] + back_ms
    flow.sign([(at - late_ms, value) for at, value in behind])
    flow.carried = None
    flow.measure(samples[before + 10 :], 60)
    assert town.windows(1_920, 1_950) > 0
    town.close()


@pytest.mark.parametrize("cuts", [(80,), (75, 85), ()])
def test_what_counts_is_told_in_the_unit_that_the_chain_reads(cuts):
    """A first window ends as its meter measures nothing: what is shown before is of two units."""
    town = Falling()
    flow = town.flow
    del flow.envelopes[5:]
    flow.seq, flow.previous, flow.carried = 5, flow.envelopes[-1].digest(), None
    flow.unit = Unit.MICROLITRE
    flow.sign(litres(50, 52, 0))
    flow.unit = None
    town.odd(flow, [(52_000, 1), (100_000, 1)], unit=Unit.FLAG)
    flow.carried = None
    flow.measure(litres(60, END + 1, 60_000))
    assert town.windows(*cuts) >= (END - 29 - 101) * 1_000
    assert town.rose == (END - 29) * 1_000
