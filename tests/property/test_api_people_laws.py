"""Laws of people, over invented input: counts of misses, families of tokens, four eyes, digits."""

import itertools
from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from api.access.roles import Role
from api.approvals.model import Approval, ApprovalKind, ApprovalState, Decision
from api.approvals.rules import RULES, is_ripe, may_decide, next_state
from api.people.misses import PIN_RULE, MissTally, after_hit, after_miss, wait_ms
from api.people.refreshing import (
    GRACE_MS,
    Family,
    RefreshVerdict,
    first_token,
    judge,
    successor,
    token_digest,
)
from api.people.rules import password_fault, pin_fault
from api.terminals.rules import (
    STEP_UP_EACH_SEN_MAX,
    STEP_UP_SHIFT_SEN_MAX,
    commitment_of,
    match_digits,
    step_up_fault,
)

KEY = bytes(32)
UNION, SESSION = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"
TRY = st.tuples(st.booleans(), st.integers(0, 40 * 60_000))
DAY_MS = 86_400_000


@given(st.lists(TRY, max_size=120))
def test_in_no_quarter_of_an_hour_are_more_than_five_misses_in_a_row_judged(tries):
    """However tries and pauses come: between hits, five misses at most within any 15 minutes."""
    tally, now_ms, row = MissTally(), 0, []
    for right, pause_ms in tries:
        now_ms += pause_ms
        if wait_ms(tally, PIN_RULE, now_ms) != 0:
            continue
        tally = after_miss(tally, PIN_RULE, now_ms)
        if right:
            tally, row = after_hit(tally), []
            continue
        row.append(now_ms)
        newest = row[-6:]
        assert len(newest) < 6 or newest[-1] - newest[0] >= PIN_RULE.lock_ms


@given(st.lists(TRY, max_size=200))
def test_in_no_day_are_more_than_twenty_misses_judged_and_after_ten_of_one_none(tries):
    """A day begins with its first miss, so any 24 hours touch two: at most twice ten."""
    tally, now_ms, misses = MissTally(), 0, []
    for right, pause_ms in tries:
        now_ms += pause_ms
        if wait_ms(tally, PIN_RULE, now_ms) != 0:
            continue
        tally = after_miss(tally, PIN_RULE, now_ms)
        if right:
            tally = after_hit(tally)
        else:
            misses.append(now_ms)
        within = [at for at in misses if at > now_ms - DAY_MS]
        assert len(within) <= 2 * PIN_RULE.in_a_day_max


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 45_000)), max_size=30))
def test_a_session_that_is_shown_a_token_of_the_past_ends_and_no_other_does(uses):
    """A model beside the machine: the newest token, the one before it in grace, and the past."""
    tokens = [first_token(KEY, UNION, SESSION)]
    family = Family(
        current=token_digest(tokens[0]), previous=None, rotated_ms=0, expires_ms=10**12, ended=False
    )
    now_ms, newest, rotated_ms = 0, 0, 0
    for back, pause_ms in uses:
        now_ms += pause_ms
        shown = max(0, newest - back)
        verdict = judge(family, token_digest(tokens[shown]), now_ms)
        if shown == newest:
            assert verdict is RefreshVerdict.ROTATE
            tokens.append(successor(KEY, tokens[newest]))
            newest, rotated_ms = newest + 1, now_ms
            family = Family(
                current=token_digest(tokens[newest]), previous=token_digest(tokens[newest - 1]),
                rotated_ms=now_ms, expires_ms=10**12, ended=False,
            )  # fmt: skip
        elif shown == newest - 1 and now_ms < rotated_ms + GRACE_MS:
            assert verdict is RefreshVerdict.REPEAT
            assert successor(KEY, tokens[shown]) == tokens[newest]
        else:
            assert verdict is RefreshVerdict.REUSED
    assert len(set(tokens)) == len(tokens)


PEOPLE = st.sampled_from(["asker", "subject", "other"])
HELD = st.dictionaries(st.sampled_from(list(Role)), st.sampled_from(["union", "shop", "elsewhere"]))


def wish(kind: ApprovalKind, state: ApprovalState = ApprovalState.PENDING) -> Approval:
    return Approval(
        union_id="union", id="w", kind=kind, subject_id="subject", merchant_id="shop", wish={},
        state=state, requested_by="asker", requested_ms=0, not_before_ms=RULES[kind].waits_ms,
        expires_ms=7 * DAY_MS,
    )  # fmt: skip


@given(st.sampled_from(list(ApprovalKind)), PEOPLE, HELD)
def test_nothing_happens_by_its_asker_or_its_favourite_or_without_a_role_there(kind, who, roles):
    if may_decide(wish(kind), who, roles, Decision.APPROVE):
        return
    assert who == "other"
    able = RULES[kind].approvers
    assert any(
        role in able and (place != "elsewhere" or role is Role.ADMIN)
        for role, place in roles.items()
    )


@given(st.sampled_from(list(ApprovalKind)), st.integers(0, 8 * DAY_MS))
def test_what_is_decided_is_decided_once_and_ripe_no_sooner_than_its_hour(kind, now_ms):
    for state, verdict in itertools.product(ApprovalState, Decision):
        after = next_state(wish(kind, state), verdict, now_ms)
        waits = state is ApprovalState.PENDING and now_ms < 7 * DAY_MS
        stops = state is ApprovalState.APPROVED and verdict is Decision.REJECT
        assert (after is not None) == (waits or stops)
        ripe = is_ripe(wish(kind, state), now_ms)
        assert ripe == (state is ApprovalState.APPROVED and now_ms >= RULES[kind].waits_ms)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary())
def test_digits_are_four_and_a_commitment_is_of_one_key(key, nonce, server_nonce):
    digits = match_digits(key, nonce, server_nonce)
    assert len(digits) == 4
    assert digits.isdecimal()
    swapped = commitment_of(nonce, key)
    assert (commitment_of(key, nonce) == swapped) == (key == nonce)


@given(st.lists(st.integers(1, 60_00), max_size=40))
def test_a_shift_s_covered_refunds_never_pass_their_bounds(refunds):
    spent = 0
    for sen in refunds:
        if not step_up_fault(sen, spent):
            assert sen <= STEP_UP_EACH_SEN_MAX
            spent += sen
    assert spent <= STEP_UP_SHIFT_SEN_MAX


@given(st.text(max_size=140))
def test_any_text_is_judged_as_a_password_without_a_crash(text):
    fault = password_fault(text, (text, "Aminah"))
    assert fault or len(normalize("NFKC", text)) >= 12


@given(st.text(alphabet="0123456789", max_size=8))
def test_any_digits_are_judged_as_a_pin_without_a_crash(text):
    assert pin_fault(text) or len(text) == 6
