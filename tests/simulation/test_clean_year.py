"""A clean week: an honest plant's milk is minted but for what its instruments can't see.

The year itself is `make year`; docs/performance.md has its table.
"""

import pytest

from tests.year.plant import Causes
from tests.year.works import Works


def live(causes: Causes, days: int, **parts: object) -> Works:
    works = Works(causes, **parts)
    for _ in range(days):
        works.day()
    return works


def test_a_week_of_an_honest_plant_loses_less_than_a_thousandth():
    causes = Causes(
        skew_ms=500,
        dips=50,
        chatters=25,
        cleaning=True,
        exchanges=True,
        idle_restarts=30,
        outages=15,
        renewals=5,
        lapses=15,
        late=5,
        gauge_noise=1,
    )
    works = live(causes, 7, seed=4)
    found = works.reckoning
    assert works.chain.refusals == {}
    assert found.told == [], "no loss that nothing explains"
    assert found.true_ml > 70_000_000
    assert found.lost_ppm < 1_000
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
