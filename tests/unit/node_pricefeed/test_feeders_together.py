"""Several feeders of one chain: a round costs a quorum of fees, and no one of four can stop it."""

from itertools import pairwise

import pytest

from tests.support.node.fake_node import FakeNode
from tests.support.node.feeders import (
    HOUR_MS,
    MINUTE_MS,
    RM,
    DrivenFeeder,
    chain_of_feeders,
    feed_by_hand,
    quote,
    run,
)


@pytest.fixture
def node():
    return FakeNode(chain_of_feeders(1), automatic=False)


def together(feeders, steps, every_ms, price):
    """Let several feeders of one chain go on, a block a step."""
    for _ in range(steps):
        for feeder in feeders:
            feeder.source = quote(price, feeder.clock_ms)
            feeder.step(every_ms)
        feeders[0].node.make_block(feeders[0].clock_ms)


def test_who_lags_joins_a_round_that_an_honest_one_has_begun():
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeder = DrivenFeeder(node, number=3)
    for number in range(3):
        assert feed_by_hand(node, number, 0, 4 * RM) == ""
    node.make_block(feeder.clock_ms)
    run(feeder, 3, price=4 * RM)
    assert feeder.feeds() == [], "the price is minutes old, and nobody has begun the next round"
    assert feed_by_hand(node, 0, 1, 4 * RM) == ""
    run(feeder, 3, price=4 * RM)
    assert feeder.feeds() == [], "one of four may be false"
    assert feed_by_hand(node, 1, 1, 4 * RM) == ""
    run(feeder, 3, MINUTE_MS, 4 * RM)
    assert [entry[1:] for entry in feeder.feeds()] == [(1, 4 * RM, "")]


def test_a_round_that_closed_without_us_costs_no_second_feed():
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeder = DrivenFeeder(node, number=3)
    feeder.source = quote(4 * RM, feeder.clock_ms)
    node.mute = True  # Taken, never said: and then the pool is lost with its node.
    feeder.step()
    node.mute = False
    node.forget_waiting()
    for number in range(3):
        assert feed_by_hand(node, number, 0, 4 * RM) == ""
    node.make_block(feeder.clock_ms)
    run(feeder, 3, price=4 * RM)
    assert feeder.memory.pending is None
    assert feeder.feeds() == []
    assert [told.code for told in feeder.counted] == ["passed"]


def test_a_round_costs_a_quorum_of_fees_and_the_reserve_changes():
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeders = [DrivenFeeder(node, number) for number in range(4)]
    together(feeders, 3, 2_000, 4 * RM)
    first = [len(feeder.feeds()) for feeder in feeders]
    together(feeders, 8 * 65, MINUTE_MS, 4 * RM)
    fed = [feeder.feeds()[count:] for feeder, count in zip(feeders, first, strict=True)]
    rounds = {round_ for feeds in fed for _, round_, _, _ in feeds}
    assert len(rounds) in (7, 8)
    assert sum(len(feeds) for feeds in fed) == 3 * len(rounds)
    assert {code for feeds in fed for _, _, _, code in feeds} == {""}
    assert all(len(feeds) < len(rounds) for feeds in fed)


@pytest.mark.parametrize("dead", range(4))
def test_prices_go_on_without_any_one_of_four(dead):
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeders = [DrivenFeeder(node, number) for number in range(4) if number != dead]
    together(feeders, 5 * 65, MINUTE_MS, 4 * RM)
    rounds = {round_ for feeder in feeders for _, round_, _, _ in feeder.feeds()}
    assert len(rounds) >= 5


def test_one_liar_of_four_moves_nothing():
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeders = [DrivenFeeder(node, number) for number in range(3)]
    for round_ in range(4):
        feed_by_hand(node, 3, round_, 50 * RM)
        together(feeders, 70, MINUTE_MS, 4 * RM)
    view = feeders[0].policy.seen.view
    assert view.round >= 4
    assert view.litre_micro_myr == 4 * RM


def test_one_key_in_two_homes_feeds_no_more_often(node):
    feeders = [DrivenFeeder(node), DrivenFeeder(node)]
    together(feeders, 3 * 65, MINUTE_MS, 4 * RM)
    taken = [when for when, _, _, code in feeders[0].feeds() if not code]
    assert len(taken) >= 3
    assert all(b - a >= HOUR_MS for a, b in pairwise(taken))


def test_who_has_fed_an_open_round_does_not_feed_it_again_until_its_feed_is_too_old():
    node = FakeNode(chain_of_feeders(4), automatic=False)
    feeder = DrivenFeeder(node)
    run(feeder, 47, HOUR_MS, 4 * RM)
    assert [entry[3] for entry in feeder.feeds()] == [""]
    run(feeder, 4, HOUR_MS, 4 * RM)
    assert [entry[3] for entry in feeder.feeds()] == ["", ""]
    assert feeder.policy.seen.view.round == 0
