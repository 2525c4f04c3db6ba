"""The even clock: it follows a wall that goes forward, and never goes back with it."""

from hypothesis import given
from hypothesis import strategies as st

from iot_minting.even_clock import EvenClock

HOUR_MS = 3_600_000


class Wall:
    """A wall clock that somebody sets while true time goes on."""

    def __init__(self):
        self.steady_ms, self.offset_ms = 5_000, 1_700_000_000_000

    def clock(self):
        return EvenClock(lambda: self.steady_ms + self.offset_ms, lambda: self.steady_ms)


def test_a_wall_set_back_costs_no_time():
    wall = Wall()
    clock = wall.clock()
    began_ms = clock.now_ms()
    wall.offset_ms -= HOUR_MS
    wall.steady_ms += 250
    assert clock.now_ms() == began_ms + 250


def test_a_wall_set_forward_is_followed_at_once_and_its_way_back_is_not():
    wall = Wall()
    clock = wall.clock()
    began_ms = clock.now_ms()
    wall.offset_ms += HOUR_MS
    assert clock.now_ms() == began_ms + HOUR_MS
    wall.offset_ms -= HOUR_MS
    wall.steady_ms += 7
    assert clock.now_ms() == began_ms + HOUR_MS + 7


def test_nothing_is_dated_before_the_floor():
    wall = Wall()
    clock = wall.clock()
    floor_ms = clock.now_ms() + HOUR_MS
    assert clock.raise_to(floor_ms) == floor_ms
    wall.steady_ms += 1
    assert clock.now_ms() == floor_ms + 1


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-HOUR_MS, HOUR_MS)), max_size=30))
def test_two_looks_lie_as_far_apart_as_true_time_at_least(steps):
    wall = Wall()
    clock = wall.clock()
    for passed_ms, step_ms in steps:
        before_ms = clock.now_ms()
        wall.steady_ms += passed_ms
        wall.offset_ms += step_ms
        assert clock.now_ms() - before_ms >= passed_ms
        assert clock.now_ms() >= wall.steady_ms + wall.offset_ms
