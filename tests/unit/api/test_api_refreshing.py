"""A refresh token is good once, its successor can be told again, and a copy ends the session."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from api.people.refreshing import (
    GRACE_MS,
    Family,
    ReadToken,
    RefreshVerdict,
    first_token,
    judge,
    read_token,
    successor,
    token_digest,
)

KEY, OTHER_KEY = bytes(32), bytes(31) + b"\1"
UNION, SESSION = str(ULID()), str(ULID())
FIRST = first_token(KEY, UNION, SESSION)
SECOND = successor(KEY, FIRST)
THIRD = successor(KEY, SECOND)


def family(**changes: object) -> Family:
    born = Family(
        current=token_digest(SECOND),
        previous=token_digest(FIRST),
        rotated_ms=10_000,
        expires_ms=10_000_000,
        ended=False,
    )
    return replace(born, **changes)


def test_a_token_says_whose_it_is_and_is_no_other_s():
    for token in (FIRST, SECOND, THIRD):
        assert read_token(KEY, token) == ReadToken(UNION, SESSION)
        assert read_token(OTHER_KEY, token) is None
    assert len({FIRST, SECOND, THIRD, first_token(KEY, UNION, SESSION)}) == 4


def test_a_successor_is_always_the_same_and_nobody_else_can_tell_it():
    assert successor(KEY, FIRST) == SECOND
    assert successor(OTHER_KEY, FIRST) != SECOND


@given(st.integers(0, len(FIRST) - 1), st.sampled_from("AZaz09-_."))
def test_a_token_that_was_changed_anywhere_is_none_of_ours(place, letter):
    changed = FIRST[:place] + letter + FIRST[place + 1 :]
    assert (read_token(KEY, changed) is None) == (changed != FIRST)


def test_the_current_token_rotates_and_the_one_before_is_answered_again_for_half_a_minute():
    assert judge(family(), token_digest(SECOND), 10_001) is RefreshVerdict.ROTATE
    assert judge(family(), token_digest(FIRST), 10_000) is RefreshVerdict.REPEAT
    assert judge(family(), token_digest(FIRST), 9_999 + GRACE_MS) is RefreshVerdict.REPEAT
    assert judge(family(), token_digest(FIRST), 10_000 + GRACE_MS) is RefreshVerdict.REUSED


def test_a_token_two_generations_old_was_copied_whenever_it_comes():
    later = family(current=token_digest(THIRD), previous=token_digest(SECOND))
    assert judge(later, token_digest(FIRST), 10_001) is RefreshVerdict.REUSED


def test_a_session_that_is_over_takes_no_token():
    assert judge(family(ended=True), token_digest(SECOND), 10_001) is RefreshVerdict.OVER
    assert judge(family(), token_digest(SECOND), 10_000_000) is RefreshVerdict.OVER
