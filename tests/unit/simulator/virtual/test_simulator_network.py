"""Each message's fate is drawn when it is sent: late, lost, doubled, held up, cut off."""

from simulator.virtual.network import LinkConditions, Network, one_way, split
from simulator.virtual.world import World, stream


def network(**conditions: int | float | bool) -> tuple[World, Network, list[int]]:
    world = World(1)
    made = LinkConditions(**conditions)  # type: ignore[arg-type]  # Fields by name.
    return world, Network(world, stream(1, "network"), made), []


def send(world: World, net: Network, came: list[int], source: int = 0, target: int = 1) -> None:
    net.send(source, target, 10, lambda: came.append(world.now_ms))


def test_delays_have_the_mean_that_was_asked_for() -> None:
    world, net, came = network(delay_ms=80)
    for _ in range(2_000):
        send(world, net, came)
    world.run(5_000)
    assert len(came) == 2_000
    assert 74 <= sum(came) / len(came) <= 86
    assert min(came) >= 40


def test_a_steady_network_is_exact() -> None:
    world, net, came = network(delay_ms=100, steady=True)
    send(world, net, came)
    world.run(500)
    assert came == [100]


def test_loss_and_replay_come_as_often_as_drawn() -> None:
    world, net, came = network(loss=0.3, replay=0.5)
    for _ in range(3_000):
        send(world, net, came)
    world.run(20_000)
    assert 0.27 <= net.traffic.lost / 3_000 <= 0.33
    arrived = 3_000 - net.traffic.lost
    assert 1.45 <= len(came) / arrived <= 1.55


def test_a_clog_holds_back_and_then_lets_all_through() -> None:
    world, net, came = network(delay_ms=40)
    net.clog(0, 1, 2_000)
    for _ in range(5):
        send(world, net, came)
    send(world, net, came, 1, 0)
    world.run(3_000)
    assert len(came) == 6
    assert sum(time_ms >= 2_000 for time_ms in came) == 5


def test_cuts_sever_between_groups_or_one_way_until_mended() -> None:
    world, net, came = network(delay_ms=10, steady=True)
    both = split("both", [[0, 1], [2]])
    single = one_way("single", [3], [0])
    net.cut(both)
    net.cut(single)
    for way in ((0, 1), (0, 2), (2, 1), (3, 0), (0, 3)):
        send(world, net, came, *way)
    world.run(100)
    assert len(came) == 2
    net.mend(both)
    send(world, net, came, 0, 2)
    world.run(200)
    assert len(came) == 3


def test_healing_mends_the_core_and_nothing_else() -> None:
    world, net, came = network(delay_ms=10, loss=1.0)
    net.cut(split("all", [[0], [1], [2]]))
    net.clog(0, 1, 50_000)
    net.heal([0, 1])
    send(world, net, came, 0, 1)
    send(world, net, came, 0, 2)
    world.run(1_000)
    assert len(came) == 1
    assert net.cuts[0].severed == {(0, 2), (2, 0), (1, 2), (2, 1)}
