"""Virtual time runs forward, in the order planned, and chance has a stream for each purpose."""

import pytest

from simulator.virtual.world import World, stream


def test_what_is_due_together_happens_in_the_order_planned() -> None:
    world, seen = World(1), []
    for name in "abc":
        world.at(5, lambda name=name: seen.append(name))
    world.at(3, lambda: seen.append("first"))
    world.run(10)
    assert seen == ["first", "a", "b", "c"]
    assert world.now_ms == 10


def test_what_is_planned_for_the_past_happens_now() -> None:
    world, seen = World(1), []
    world.at(7, lambda: world.at(2, lambda: seen.append(world.now_ms)))
    world.run(10)
    assert seen == [7]


def test_a_run_ends_as_soon_as_it_is_done() -> None:
    world, seen = World(1), []
    for time_ms in (1, 2, 3):
        world.at(time_ms, lambda time_ms=time_ms: seen.append(time_ms))
    assert world.run(10, lambda: len(seen) == 2)
    assert seen == [1, 2]
    assert not world.run(10, lambda: False)


def test_purposes_draw_from_streams_of_their_own() -> None:
    assert stream(1, "network").random() == stream(1, "network").random()
    assert stream(1, "network").random() != stream(1, "disk").random()
    assert stream(1, "network").random() != stream(2, "network").random()


def test_a_world_that_feeds_itself_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.virtual.world.STEPS_MAX", 50)
    world = World(1)

    def again() -> None:
        world.after(0, again)

    again()
    with pytest.raises(AssertionError, match="feeds itself"):
        world.run(10)
