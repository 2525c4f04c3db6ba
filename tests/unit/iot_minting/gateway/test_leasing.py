"""Leases: one gateway acts for a plant, somebody in the end, and two never for long."""

from hypothesis import given
from hypothesis import strategies as st

from iot_minting.gateway.leasing import LeaseRules, PlantLease
from iot_minting.wire.leases import Lease
from tests.support.ledger.dairy import key
from tests.support.minting.lease_world import LEASE_MS, LeaseWorld

A, B = sorted((key("ingest-a").public, key("ingest-b").public))


def lease(holder=A, *, standby=False, now_ms=0):
    """Give a lease of a gateway that is connected."""
    made = PlantLease(LeaseRules(holder, LEASE_MS, standby))
    made.connect(now_ms)
    return made


def held(now_ms):
    """Give a lease that was taken, and the word by which it was."""
    mine = lease()
    word = mine.tick(now_ms)
    mine.hear(word, now_ms)
    assert mine.holds(now_ms)
    return mine, word


def test_a_free_plant_is_taken_after_two_leases_of_silence_and_by_a_standby_after_three():
    for standby, patience_ms in ((False, 2 * LEASE_MS), (True, 3 * LEASE_MS)):
        mine = lease(standby=standby)
        assert mine.tick(patience_ms - 1) is None
        assert mine.tick(patience_ms) == Lease(1, A, patience_ms + LEASE_MS)


def test_a_plant_is_held_only_once_the_own_word_came_back_and_from_when_it_was_sent():
    mine = lease()
    word = mine.tick(2 * LEASE_MS)
    assert not mine.holds(2 * LEASE_MS)
    mine.hear(word, 2 * LEASE_MS + 500)
    assert mine.holds(3 * LEASE_MS - 1)
    assert not mine.holds(3 * LEASE_MS)


def test_a_holder_renews_three_times_a_lease_under_its_term():
    mine, word = held(2 * LEASE_MS)
    assert mine.tick(2 * LEASE_MS + LEASE_MS // 3 - 1) is None
    again = mine.tick(2 * LEASE_MS + LEASE_MS // 3)
    assert (again.term, again.holder) == (word.term, A)
    assert again > word


def test_a_higher_word_ends_a_lease_at_once_and_a_lower_one_says_nothing():
    for other, stays in ((Lease(2, B, 0), False), (Lease(1, B, 0), False), (Lease(0, B, 9), True)):
        mine, _ = held(2 * LEASE_MS)
        mine.hear(other, 2 * LEASE_MS)
        assert mine.holds(2 * LEASE_MS) == stays


def test_who_loses_the_broker_stops_at_once_and_goes_on_only_by_a_word_sent_since():
    mine, word = held(2 * LEASE_MS)
    lost = mine.tick(2 * LEASE_MS + LEASE_MS // 3)
    mine.disconnect()
    mine.connect(2 * LEASE_MS + LEASE_MS // 3)
    mine.hear(lost, 2 * LEASE_MS + LEASE_MS // 3)
    assert not mine.holds(2 * LEASE_MS + LEASE_MS // 3)
    again = mine.tick(2 * LEASE_MS + LEASE_MS // 3)
    assert (again.term, again > lost > word) == (word.term, True)
    mine.hear(again, 2 * LEASE_MS + LEASE_MS // 3)
    assert mine.holds(2 * LEASE_MS + LEASE_MS // 3)


def test_a_holder_that_starts_again_goes_on_under_its_kept_word_though_its_clock_was_set_back():
    mine = lease(now_ms=5)
    mine.hear(Lease(7, A, 10**12), 6)
    assert not mine.holds(6)
    assert mine.tick(6) == Lease(7, A, 10**12 + 1)


def test_an_old_word_is_no_sign_of_life():
    mine = lease(B)
    word = Lease(4, A, 50)
    mine.hear(word, 0)
    mine.hear(word, 2 * LEASE_MS - 1)
    assert mine.tick(2 * LEASE_MS).term == 5


@given(st.data(), st.integers(2, 3))
def test_two_never_hold_for_a_lease_and_somebody_does_in_the_end(data, count):
    """Whatever is lost, late, cut, killed, or told by clocks that disagree by years."""
    world = LeaseWorld(data.draw, count)
    for _ in range(data.draw(st.integers(0, 120))):
        world.disturb()
        world.check()
    world.calm()
    for _ in range(60):
        world.advance(LEASE_MS // 6)
        world.check()
    assert len(world.holders()) == 1
