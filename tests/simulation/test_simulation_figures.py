"""Figures in virtual time: finality in delays, dead leaders, silence, forks that are attributed."""

from dataclasses import replace
from statistics import median

from consensus.leader import Schedule, first_seed
from ledger.primitives.scalars import View
from simulator.virtual.scenario import Scenario
from simulator.virtual.scenarios import SCENARIOS
from simulator.virtual.simulation import Simulation
from simulator.virtual.topology import make_topology
from simulator.virtual.trace import Entry

DELTA_MS = 100


def steady(name: str, sizes: tuple[int, ...], safety_ms: int = 8_000) -> Scenario:
    """A calm network in which every message takes exactly `DELTA_MS`."""
    return Scenario(
        name, "", sizes, delay_ms=(DELTA_MS, DELTA_MS), steady=True, safety_ms=safety_ms
    )


def of_kind(simulation: Simulation, kind: str) -> list[Entry]:
    return [entry for entry in simulation.trace.entries if entry.kind == kind]


def test_a_block_is_final_three_delays_after_its_proposal_at_the_median() -> None:
    simulation = Simulation(steady("figures", (4,)), 1, recording=True)
    assert simulation.run().breach == ""
    proposed = {e.view: e.time_ms for e in reversed(of_kind(simulation, "propose"))}
    waits_ms = [e.time_ms - proposed[e.view] for e in of_kind(simulation, "final")]
    assert len(waits_ms) > 40
    verification_ms = simulation.env.verify_ms
    assert 3 * DELTA_MS <= median(waits_ms) <= 3 * DELTA_MS + verification_ms + 10


def leaders(size: int) -> list[int]:
    topology = make_topology((10,) * size)
    schedule = Schedule(first_seed(topology.chain_id), topology.committee)
    return [schedule.leader(View(view)) for view in range(1, 5)]


def test_three_crashed_leaders_in_a_row_cost_less_than_three_seconds() -> None:
    size = next(n for n in range(10, 60) if len(set(leaders(n))) == 4)
    dead = set(leaders(size)[:3])
    scenario = replace(steady("dead leaders", (size,), safety_ms=100), clients=0)
    simulation = Simulation(scenario, 1)
    for process in simulation.processes:
        process.is_broken = process.member in dead
    alive = [p for p in simulation.processes if p.member not in dead]
    for process in alive:
        simulation.world.at(0, process.start)
    simulation.world.run(500)
    began_ms = simulation.world.now_ms
    txid = simulation.workload.probe(alive[:1])

    def done() -> bool:
        return txid in simulation.oracle.chronicle.transactions

    assert simulation.world.run(began_ms + 20_000, done)
    assert simulation.world.now_ms - began_ms < 3_000


def test_a_coalition_of_a_third_forks_and_its_signed_votes_convict_it_alone() -> None:
    simulation = Simulation(SCENARIOS["coalition"], 3)
    assert simulation.run().breach == ""
    guilty = set(simulation.oracle.ballots.guilty)
    assert guilty
    assert guilty <= set(simulation.roles.liars)
    assert 3 * simulation.topology.stake(guilty) >= simulation.topology.total
    assert simulation.oracle.chronicle.forks


def test_just_below_a_third_the_same_adversary_makes_no_fork() -> None:
    for seed in range(1, 5):
        simulation = Simulation(SCENARIOS["coalition-below"], seed)
        lying = simulation.topology.stake(set(simulation.roles.liars))
        assert 3 * lying < simulation.topology.total
        assert simulation.run().breach == ""
        assert not simulation.oracle.chronicle.forks


def test_messages_a_block_grow_no_faster_than_the_square_of_validators() -> None:
    per_pair = []
    for size in (4, 7, 13):
        simulation = Simulation(steady("growth", (size,), safety_ms=3_000), 1)
        outcome = simulation.run()
        assert outcome.breach == ""
        per_pair.append(outcome.messages / outcome.height / (size * (size - 1)))
    assert max(per_pair) < 8
    assert per_pair[-1] < 1.5 * per_pair[0]
