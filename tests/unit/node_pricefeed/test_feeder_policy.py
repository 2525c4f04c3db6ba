"""When a price is fed, told by the real ledger in memory: once, in time, and never a wrong one."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, address_of
from ledger.types.transaction import Intent, sign
from ledger.types.transfer import Transfer
from node.client.views import Submission
from node.pricefeed.events import FeedOutcome
from node.pricefeed.policy import LICENCE, NODES, PURSE, QUOTE, REST_MAX_MS, SOURCE
from tests.support.node.fake_node import CUSTOMER, FOREVER, FakeNode
from tests.support.node.feeders import (
    HOUR_MS,
    MINUTE_MS,
    RM,
    DrivenFeeder,
    chain_of_feeders,
    feeder_key,
    quote,
    run,
)


class RefusingNode(FakeNode):
    """A node that takes nothing in, whatever it is."""

    def take(self, raw):
        return Submission(None, "sender_frozen", "a regulator has stopped this account")


@pytest.fixture
def node():
    return FakeNode(chain_of_feeders(1), automatic=False)


def test_the_first_price_is_fed_at_once_and_the_next_when_it_is_an_hour_old(node):
    feeder = DrivenFeeder(node)
    run(feeder, 3, price=4 * RM)
    [(first_ms, round_, value, code)] = feeder.feeds()
    assert (round_, value, code) == (0, 4 * RM, "")
    run(feeder, 58, MINUTE_MS, 4_100_000)
    assert len(feeder.feeds()) == 1
    run(feeder, 4, MINUTE_MS, 4_100_000)
    [_, (second_ms, round_, value, code)] = feeder.feeds()
    assert (round_, value, code) == (1, 4_100_000, "")
    assert second_ms - first_ms >= HOUR_MS
    assert [told.outcome for told in feeder.counted] == [FeedOutcome.FED] * 2


def test_the_same_bytes_are_sent_until_they_are_final(node):
    feeder = DrivenFeeder(node)
    feeder.source = quote(4 * RM, feeder.clock_ms)
    feeder.step()
    pending = feeder.memory.pending
    node.silence()
    for _ in range(5):
        feeder.step()
    assert feeder.policy.problems[NODES]
    node.silence(False)
    feeder.kill()
    feeder.step()
    assert feeder.memory.pending == pending
    node.make_block(feeder.clock_ms)
    feeder.step()
    assert feeder.memory.pending is None
    assert [entry[3] for entry in feeder.feeds()] == [""]


@pytest.mark.parametrize("death", range(12))
def test_a_death_before_any_effect_neither_feeds_twice_nor_leaves_a_gap(node, death):
    feeder = DrivenFeeder(node)
    feeder.effects_until_death = death
    run(feeder, 12, price=4 * RM)
    assert [entry[3] for entry in feeder.feeds()] == [""]
    assert feeder.memory.pending is None


def test_a_node_that_takes_a_feed_and_does_not_say_so_gets_no_second_one(node):
    feeder = DrivenFeeder(node)
    node.mute = True
    run(feeder, 4, price=4 * RM)
    assert [entry[3] for entry in feeder.feeds()] == [""]
    assert [told.outcome for told in feeder.counted] == [FeedOutcome.FED]


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["fine", "silent", "mute", "die", "no block", "source away", "lie"]),
        st.integers(0, 8),
        st.sampled_from([2_000, 10_000, 20 * MINUTE_MS]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(faults=FAULTS)
def test_whatever_fails_meanwhile_feeds_lie_an_hour_apart_and_go_on_after_it(faults):
    node = FakeNode(chain_of_feeders(1), automatic=False)
    feeder = DrivenFeeder(node)
    for fault, death, passed_ms in faults:
        node.silence(fault == "silent")
        node.mute = fault == "mute"
        feeder.effects_until_death = death if fault == "die" else None
        truth = quote(4 * RM, feeder.clock_ms)
        feeder.source = {"source away": "away", "lie": quote(40 * RM, feeder.clock_ms)}.get(
            fault, truth
        )
        if fault == "lie" and not feeder.feeds():
            feeder.source = truth  # With no price to hold it against, none can tell.
        feeder.step(passed_ms)
        if fault != "no block":
            node.make_block(feeder.clock_ms)
    node.silence(False)
    node.mute = False
    feeder.effects_until_death = None
    run(feeder, 12, REST_MAX_MS, 4 * RM)
    feeds = feeder.feeds()
    taken = [when for when, _, _, code in feeds if not code]
    assert taken
    assert feeder.clock_ms - taken[-1] <= HOUR_MS + 4 * REST_MAX_MS
    assert all(b - a >= HOUR_MS for a, b in pairwise(taken))
    assert {value for _, _, value, _ in feeds} == {4 * RM}


@pytest.mark.parametrize(
    ("price", "code"),
    [(4_000 * RM, "out_of_bounds"), (4_000, "out_of_bounds"), (40 * RM, "jumped"), (RM, "jumped")],
)
def test_a_source_that_lies_by_its_unit_is_never_fed(node, price, code):
    feeder = DrivenFeeder(node)
    run(feeder, 3, price=4 * RM)
    run(feeder, 70, MINUTE_MS, price)
    assert {value for _, _, value, _ in feeder.feeds()} == {4 * RM}
    assert feeder.quotes[-1] == code
    assert feeder.policy.problems[QUOTE]
    told = [each for each in feeder.told if each.part == QUOTE and each.code]
    assert len(told) == 1, "a problem is told once, not at every look"


def test_small_lies_do_not_add_up_within_a_day(node):
    feeder = DrivenFeeder(node)
    price = 4 * RM
    for _ in range(20):
        run(feeder, 62, MINUTE_MS, price)
        price = price * 115 // 100
    assert max(value for _, _, value, _ in feeder.feeds()) <= 4 * RM * 120 // 100


def test_a_stale_source_is_not_fed_and_one_that_goes_back_neither(node):
    feeder = DrivenFeeder(node)
    run(feeder, 3, price=4 * RM)
    feeder.source = quote(4 * RM, feeder.clock_ms - 25 * HOUR_MS)
    run(feeder, 70, MINUTE_MS)
    assert feeder.quotes[-1] == "stale"
    feeder.source = quote(4 * RM, node.chain.time_ms - MINUTE_MS)
    run(feeder, 2, MINUTE_MS)
    assert feeder.quotes[-1] == "went_back"
    assert len(feeder.feeds()) == 1


@pytest.mark.parametrize("raw", [b"", b'{"myr_per_litre": 4.0}', b"as_of,myr_per_litre\n"])
def test_after_a_reading_that_is_no_quote_the_one_before_it_is_not_fed(node, raw):
    feeder = DrivenFeeder(node)
    run(feeder, 3, price=4 * RM)
    feeder.source = raw
    run(feeder, 70, MINUTE_MS)
    assert len(feeder.feeds()) == 1
    assert feeder.policy.problems.keys() == {SOURCE}


@pytest.mark.parametrize(("ahead_ms", "feeds"), [(2 * MINUTE_MS, 1), (2 * MINUTE_MS + 1_000, 0)])
def test_a_source_may_be_two_minutes_ahead_and_no_more(node, ahead_ms, feeds):
    feeder = DrivenFeeder(node)
    feeder.source = quote(4 * RM, feeder.clock_ms + 2_000 + ahead_ms)
    feeder.step()
    node.make_block(node.chain.time_ms)
    assert len(feeder.feeds()) == feeds
    told = [each.code for each in feeder.told if each.part == QUOTE]
    assert told == ([] if feeds else ["from_the_future"])


def test_a_feed_that_is_refused_again_and_again_is_sent_ever_more_rarely():
    node = RefusingNode(chain_of_feeders(1), automatic=False)
    feeder = DrivenFeeder(node)
    run(feeder, 600, 2_000, 4 * RM)
    assert {(told.outcome, told.code) for told in feeder.counted} == {
        (FeedOutcome.DROPPED, "sender_frozen")
    }
    assert 8 <= len(feeder.counted) <= 12
    assert feeder.memory.pending is None


def test_a_source_that_falls_silent_is_fed_until_it_is_stale(node):
    feeder = DrivenFeeder(node)
    run(feeder, 3, price=4 * RM)
    feeder.source = "away"
    run(feeder, 120, 20 * MINUTE_MS)
    assert 18 <= len(feeder.feeds()) <= 25
    assert feeder.policy.problems.keys() == {SOURCE, QUOTE}


@pytest.mark.parametrize("wrong_ms", [-HOUR_MS, HOUR_MS])
def test_a_clock_that_is_wrong_by_an_hour_stops_no_fresh_price(node, wrong_ms):
    feeder = DrivenFeeder(node)
    for _ in range(4):
        feeder.source = quote(4 * RM, feeder.clock_ms)
        feeder.clock_ms += wrong_ms
        feeder.step()
        feeder.clock_ms -= wrong_ms
        node.make_block(feeder.clock_ms)
    assert len(feeder.feeds()) == 1


def test_a_slow_clock_makes_no_old_price_fresh(node):
    feeder = DrivenFeeder(node)
    run(feeder, 1)
    feeder.source = quote(4 * RM, feeder.clock_ms - 24 * HOUR_MS - MINUTE_MS)
    feeder.clock_ms -= HOUR_MS
    feeder.step()
    feeder.step(MINUTE_MS)
    assert feeder.quotes[-1] == "stale"
    assert feeder.memory.pending is None


def test_a_key_without_licence_signs_nothing_and_says_so():
    node = FakeNode(chain_of_feeders(2, licensed=1), automatic=False)
    feeder = DrivenFeeder(node, number=1)
    run(feeder, 5, price=4 * RM)
    assert feeder.feeds() == []
    assert "grants the role" in feeder.policy.problems[LICENCE]


def test_a_feeder_without_money_signs_nothing_until_it_has_some(node):
    feeder = DrivenFeeder(node)
    ours, customer = feeder_key(0), CUSTOMER

    def pay(payer, payee, units):
        body = Transfer(address_of(payee.public), Units(units), bytes(32), ())
        intent = Intent(node.chain.chain_id, Policy.single(payer.public), node.next_nonce(payer),
                        Units(100), FOREVER, body)  # fmt: skip
        assert node.take(encode(sign(intent, payer))).code == ""

    pay(ours, customer, node.units_of(ours) - 100)
    node.make_block(feeder.clock_ms)
    run(feeder, 5, price=4 * RM)
    assert feeder.memory.pending is None
    assert "costs 100 units" in feeder.policy.problems[PURSE]
    pay(customer, ours, 10_000)
    run(feeder, 4, price=4 * RM)
    assert feeder.policy.problems == {}


def test_a_feed_that_nobody_includes_is_signed_anew_when_its_height_has_passed(node):
    feeder = DrivenFeeder(node)
    feeder.source = quote(4 * RM, feeder.clock_ms)
    feeder.step()
    first = feeder.memory.pending
    node.forget_waiting()
    node.silence()
    for _ in range(feeder.rules.valid_blocks + 1):
        node.make_block(feeder.clock_ms)
    node.silence(False)
    run(feeder, 8, price=4 * RM)
    assert [entry[3] for entry in feeder.feeds()] == [""]
    assert first.nonce == 0
    assert [told.outcome for told in feeder.counted] == [FeedOutcome.DROPPED, FeedOutcome.FED]
