"""Gauges that join a line later: what they showed before they stood there is no level of its."""

import pytest

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from tests.support.evidence.vats import DAY_S, GAUGE, Pour, VatStory
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

JOINS_S = 1_990
DRAIN = Pour(1_900, 180, 2_000)
CUTS = ((), (1_000,), (1_900,), (1_989,), (JOINS_S,), (1_991,), (2_000,))


def late_town(bench: int, joins_s: int = JOINS_S, every_s: int = 1) -> VatTown:
    """Let a spare gauge show a level on a workbench, then stand on the line as the vat drains."""
    town = VatTown(VatStory(fills=(), cold=(), drains=(DRAIN,), spare=GAUGE, every_ms=2_000))
    spare, levels = town.line.devices[-1], town.day.levels
    spare.envelopes.clear()
    spare.seq, spare.previous, spare.carried = 0, ZERO_HASH, None
    shown = ((at * 1_000, bench if at < joins_s else levels[at]) for at in range(0, DAY_S, every_s))
    spare.measure(list(shown), 60)
    town.stand(spare, START_MS + joins_s * 1_000, FOR_EVER_MS)
    return town


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("bench", [0, 400_000])
def test_what_a_gauge_showed_on_the_workbench_ends_no_drain(bench, cuts):
    assert late_town(bench).windows(*cuts) == 360_000


@pytest.mark.parametrize(("joins_s", "counts"), [(20, 360_000), (90, 0)])
def test_a_half_hour_begins_with_a_level_of_the_gauge_that_took_over(joins_s, counts):
    """What came in between its joining and its first level would be no rise."""
    town = late_town(0, joins_s, every_s=70)
    for old in [each for each in town.line.devices if each.instrument is GAUGE][:-1]:
        town.stand(old, START_MS, START_MS + joins_s * 1_000)
    assert town.windows(100, 1_000) == counts
