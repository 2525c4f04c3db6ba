"""A clean week: an honest plant's milk is minted but for what its instruments can't see.

The year itself is `make year`; docs/performance.md has its table.
"""

from dataclasses import replace

import pytest

from ledger.params import CLOCKS_MS
from tests.year.plant import FLOW_ML_S, YEAR, Causes
from tests.year.works import Works


def live(causes: Causes, days: int, **parts: object) -> Works:
    works = Works(causes, **parts)
    for _ in range(days):
        works.day()
    return works


def test_a_week_of_an_honest_plant_whose_clocks_are_5_s_apart_loses_less_than_a_thousandth():
    """Of a year's causes, with those that a year has seldom: an outage, a lapse, a renewal."""
    causes = replace(YEAR, lost_journals=0, idle_restarts=30, outages=15, renewals=5, lapses=15)
    works = live(causes, 7, seed=6)
    found = works.reckoning
    assert works.chain.refusals == {}
    assert found.told == [], "no loss that nothing explains"
    assert found.true_ml > 70_000_000
    assert found.lost_ppm < 1_000
    assert {"dip", "chatter", "outage", "lapse", "exchange"} <= set(works.happened)
    works.chain.close()


def test_milk_diverted_in_time_costs_what_clocks_disagree_about_and_no_quarter_minute():
    """A dip has two ends; at each, two instruments may be 5 s apart, and a step on either side."""
    works = live(Causes(skew_ms=CLOCKS_MS, dips=300), 3, seed=26)
    assert works.happened["dip"] == 6
    assert works.reckoning.told == []
    assert works.reckoning.most["dip"] < 2 * (CLOCKS_MS + 2_000) * FLOW_ML_S / 1_000
    works.chain.close()


@pytest.mark.parametrize(
    "causes",
    [
        pytest.param(Causes(cleaning=True, gauge_noise=1), id="cleaning, a gauge that errs"),
        pytest.param(Causes(outages=100), id="3 h without network as milk begins to flow"),
        pytest.param(Causes(late=40), id="readings of milkings a day late"),
        pytest.param(Causes(exchanges=True, renewals=1, idle_restarts=100), id="care at night"),
        pytest.param(Causes(lapses=60), id="permits that lapse"),
    ],
)
def test_what_is_no_fault_of_the_milk_costs_no_milk(causes):
    works = live(causes, 3)
    found = works.reckoning
    assert works.chain.refusals == {}
    assert found.told == []
    assert set(found.lost) <= {"start", "end"}
    assert found.lost_ppm < 200
