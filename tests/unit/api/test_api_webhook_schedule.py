"""When deliveries are tried again: over a day, spread by chance, and never for ever."""

from hypothesis import given
from hypothesis import strategies as st

from api.webhooks.schedule import (
    GIVEN_UP_MS,
    HEARD_S_MAX,
    REST_MS_MAX,
    RETRY_AFTER_S,
    is_given_up,
    next_try_ms,
    rest_ms,
)

DAY_S = 86_400


def test_the_tries_reach_over_a_day_whatever_chance_says() -> None:
    for chance in (0.0, 0.5, 0.999):
        now_ms, tries = 0, 1
        while (again := next_try_ms(tries, now_ms, chance)) is not None:
            now_ms, tries = again, tries + 1
        assert tries == len(RETRY_AFTER_S) + 1
        assert now_ms >= 0.8 * DAY_S * 1_000
    assert sum(RETRY_AFTER_S) > DAY_S


@given(st.integers(1, 8), st.floats(0, 1, exclude_max=True), st.integers(0, 10**9))
def test_a_wait_is_the_schedules_by_a_fifth_or_what_was_asked_for(
    tries: int, chance: float, asked_s: int
) -> None:
    wait_ms = next_try_ms(tries, 0, chance, asked_s)
    assert wait_ms is not None
    planned = 1_000 * RETRY_AFTER_S[tries - 1]
    assert wait_ms >= min(asked_s, HEARD_S_MAX) * 1_000
    assert 0.8 * planned - 1 <= wait_ms <= max(1.2 * planned, HEARD_S_MAX * 1_000)


def test_an_endpoint_rests_longer_and_longer_and_is_given_up_after_three_days() -> None:
    rests = [rest_ms(failures) for failures in range(1, 100)]
    assert rests == sorted(rests)
    assert rests[0] == 1_000
    assert rests[-1] == REST_MS_MAX
    assert not is_given_up(None, 10**15)
    assert not is_given_up(5, GIVEN_UP_MS + 4)
    assert is_given_up(5, GIVEN_UP_MS + 5)
