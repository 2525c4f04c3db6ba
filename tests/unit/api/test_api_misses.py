"""Five misses in a row cost a quarter of an hour, ten a day a manager."""

from api.people.misses import DAY_MS, PIN_RULE, MissTally, after_hit, after_miss, wait_ms

QUARTER_MS = 15 * 60_000
NONE = MissTally()


def missed(times: int, tally: MissTally = NONE, now_ms: int = 1_000) -> MissTally:
    for _ in range(times):
        tally = after_miss(tally, PIN_RULE, now_ms)
    return tally


def test_the_fifth_miss_in_a_row_locks_for_a_quarter_of_an_hour():
    assert wait_ms(missed(4), PIN_RULE, 1_000) == 0
    locked = missed(5)
    assert wait_ms(locked, PIN_RULE, 1_000) == QUARTER_MS
    assert wait_ms(locked, PIN_RULE, 1_000 + QUARTER_MS - 1) == 1
    assert wait_ms(locked, PIN_RULE, 1_000 + QUARTER_MS) == 0


def test_the_tenth_miss_of_a_day_needs_a_person_however_long_one_waits():
    nine = missed(4, missed(5), 1_000 + QUARTER_MS)
    assert wait_ms(nine, PIN_RULE, 1_000 + QUARTER_MS) == 0
    ten = after_miss(nine, PIN_RULE, 2_000 + QUARTER_MS)
    assert wait_ms(ten, PIN_RULE, 2_000 + QUARTER_MS) is None
    assert wait_ms(ten, PIN_RULE, 2_000 + 100 * DAY_MS) is None


def test_a_hit_takes_its_own_miss_back_and_the_row_with_it():
    four = missed(4)
    right = after_hit(after_miss(four, PIN_RULE, 1_000))
    assert (right.in_a_row, right.locked_until_ms, right.in_the_day) == (0, 0, 4)


def test_hits_between_them_don_t_let_more_than_ten_misses_a_day_pass():
    tally, misses = MissTally(), 0
    while wait_ms(tally, PIN_RULE, 5_000) == 0:
        tally = after_hit(after_miss(tally, PIN_RULE, 5_000))  # The cashier signs in herself,
        tally = after_miss(tally, PIN_RULE, 5_000)  # and somebody else guesses once.
        misses += 1
    assert misses == PIN_RULE.in_a_day_max


def test_a_day_that_is_over_counts_anew():
    nine = missed(4, missed(5), 1_000 + QUARTER_MS)
    next_day = after_miss(nine, PIN_RULE, 1_000 + DAY_MS)
    assert next_day.in_the_day == 1
