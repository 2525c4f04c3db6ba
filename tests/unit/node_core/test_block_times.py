"""Wrong clocks: the chain goes on after them, creeps while its time is ahead, and blames nobody."""

import pytest

from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from node.core import events as node_events
from node.core.application import CLOCK_DRIFT_MS, TIME_STEP_MS
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.node.cluster import Cluster

HOUR_MS = 3_600_000
BOB = address_of(key("bob").public)


@pytest.fixture
def dairy() -> Dairy:
    return Dairy()


@pytest.fixture
def cluster(dairy: Dairy) -> Cluster:
    return Cluster(dairy.genesis, dairy.validator_keys, Params(heartbeat_ms=3_000))


def pay(cluster: Cluster, dairy: Dairy, nonce: int, for_ms: int = 5_000) -> None:
    payment = dairy.transaction(dairy.pay(BOB, bill(1)), key("alice"), nonce)
    cluster.feed(0, node_events.Submit(1, (encode(payment),)))
    cluster.run(for_ms)


def dates(cluster: Cluster, index: int = 0) -> list[int]:
    head = cluster.nodes[index].store.head()
    assert head is not None
    headers = [cluster.nodes[index].store.header(height) for height in range(1, head.height + 1)]
    return [header.time_ms for header in headers if header is not None]


def test_a_chain_whose_clocks_were_an_hour_ahead_goes_on_after_a_restart_and_creeps(
    cluster: Cluster, dairy: Dairy
) -> None:
    cluster.wrong_ms = [HOUR_MS] * len(cluster.nodes)
    pay(cluster, dairy, 0)
    begun = len(dates(cluster))
    assert dates(cluster)[-1] > cluster.now_ms + HOUR_MS - 10_000
    cluster.wrong_ms = [0] * len(cluster.nodes)
    for index in range(len(cluster.nodes)):
        cluster.crash(index)
    for index in range(len(cluster.nodes)):
        cluster.restart(index)
    cluster.run(100)
    pay(cluster, dairy, 1)
    told_of = dates(cluster)
    assert len(told_of) > begun
    steps = [b - a for a, b in zip(told_of[begun - 1 :], told_of[begun:], strict=False)]
    assert set(steps) == {TIME_STEP_MS}


def test_a_chain_goes_on_where_some_clocks_were_put_right_without_a_restart(
    cluster: Cluster, dairy: Dairy
) -> None:
    cluster.wrong_ms = [HOUR_MS] * len(cluster.nodes)
    pay(cluster, dairy, 0)
    begun = len(dates(cluster))
    cluster.wrong_ms = [0, 0, HOUR_MS, 0]
    pay(cluster, dairy, 1, for_ms=20_000)
    assert len(dates(cluster)) > begun


def test_a_leader_with_a_fast_clock_loses_its_views_and_is_blamed_by_nobody(
    cluster: Cluster, dairy: Dairy
) -> None:
    cluster.wrong_ms[1] = CLOCK_DRIFT_MS + 60_000
    for nonce in range(6):
        pay(cluster, dairy, nonce, for_ms=4_000)
    assert dates(cluster)[-1] <= cluster.now_ms + CLOCK_DRIFT_MS
    warnings = [warning for node in cluster.nodes for warning in node.warnings]
    assert any("is early" in warning.text for warning in warnings)
    assert not [warning for warning in warnings if warning.peer is not None]


def test_a_clock_that_is_behind_stops_nothing(cluster: Cluster, dairy: Dairy) -> None:
    cluster.wrong_ms[2] = -HOUR_MS
    for nonce in range(6):
        pay(cluster, dairy, nonce, for_ms=4_000)
    told_of = dates(cluster)
    assert len(told_of) >= 6
    assert told_of == sorted(set(told_of))
