"""How long a simulated shopper waits after a purchase that failed."""

import httpx
import pytest

from simulator.dairy.shopper import BACK_OFF_S_MAX, STOCK_S, StepRefused, pause_after

EMPTY = StepRefused("order", 409, "OUT_OF_STOCK")
REFUSED = StepRefused("order", 429, "RATE_LIMITED")


@pytest.mark.parametrize("interval_s", [0.2, STOCK_S, 3.0])
def test_an_empty_shelf_is_looked_at_again_soon_however_often_it_was_empty(interval_s):
    pauses = [interval_s]
    for _ in range(10):
        pauses.append(pause_after(EMPTY, pauses[-1], interval_s))
    assert set(pauses[1:]) == {min(interval_s, STOCK_S)}


@pytest.mark.parametrize("fault", [REFUSED, httpx.ConnectError("away")])
def test_after_failures_in_a_row_a_shopper_waits_twice_as_long_up_to_a_bound(fault):
    pause_s, waited = 0.0, []
    for _ in range(6):
        pause_s = pause_after(fault, pause_s, 0.2)
        waited.append(pause_s)
    assert waited == [1, 2, 4, 8, BACK_OFF_S_MAX, BACK_OFF_S_MAX]
