"""What a block costs is counted, not guessed: sums, laws of growth, and units of delta."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ledger.primitives.keys as seam
from loadtest.plots import draw_all
from simulator.virtual.cli import app
from simulator.virtual.growth.measuring import (
    DELTA_MS,
    Trouble,
    delta_of,
    measure_dead_leaders,
    measure_size,
    measure_trouble,
    middle_and_late,
)
from simulator.virtual.growth.meter import MessageCounter, Meter
from simulator.virtual.growth.stopwatch import Stopwatch
from simulator.virtual.growth.tables import as_json, size_table, trouble_table
from simulator.virtual.network import LinkConditions
from simulator.virtual.scenario import Scenario
from simulator.virtual.scenarios import find
from simulator.virtual.simulation import Simulation

RUNNER = CliRunner()


def calm_network(size: int) -> Scenario:
    return Scenario("growth", "", (size,), delay_ms=(DELTA_MS, DELTA_MS), steady=True)


def test_kinds_add_up_to_what_the_network_carried() -> None:
    simulation, meter = Simulation(calm_network(5), 1), Meter()
    for process in simulation.processes:
        process.mask = MessageCounter(process, meter)
    outcome = simulation.run()
    assert outcome.breach == ""
    assert meter.messages.total() == simulation.network.traffic.messages > 0
    assert meter.size_bytes.total() == simulation.network.traffic.size_bytes


def test_who_measures_changes_nothing() -> None:
    plain = Simulation(find("chaos", 2), 2).run()
    watched = Simulation(find("chaos", 2), 2)
    watch = Stopwatch(watched)
    assert watched.run().digest == plain.digest
    assert 0 < len(watch.block_waits_ms) <= plain.height
    assert watch.height <= plain.height
    metered, meter = Simulation(find("calm", 2), 2), Meter()
    for process in metered.processes:
        process.mask = MessageCounter(process, meter)
    assert metered.run().digest == Simulation(find("calm", 2), 2).run().digest


def test_a_seed_gives_the_same_counts_again_and_every_core_pays() -> None:
    one, other = measure_size(4, 10), measure_size(4, 10)
    assert one.messages == other.messages
    assert one.size_bytes == other.size_bytes
    assert one.finality == other.finality
    assert one.core_cpu_ms > 0
    assert type(vars(seam)["sodium"]).__name__ == "Remembering", "the memory was put back"


def test_without_faults_a_block_costs_two_votes_a_pair_and_three_delays() -> None:
    for size in (4, 11):
        measured = measure_size(size, 12)
        # The leader's notarize vote is its proposal, to everyone.
        votes = (2 * size - 1) * (size - 1)
        assert measured.messages["votes"] == pytest.approx(votes, rel=0.1)
        assert measured.messages["proposals"] == pytest.approx(size - 1, rel=0.1)
        assert measured.messages["certificates"] <= 2.2 * (size - 1)
        assert middle_and_late(measured.finality) == (3.0, 3.0)


def test_payments_spread_through_a_network_too_big_to_tell_everyone() -> None:
    simulation = Simulation(calm_network(24), 1, recording=True)
    for process in simulation.processes:
        simulation.world.at(0, process.start)
    simulation.workload.begin(clients=4, gap_ms=300)
    simulation.world.run(3_000)
    assert simulation.oracle.chronicle.height > 5
    assert [entry for entry in simulation.trace.entries if entry.kind == "nullify"] == []


def test_three_dead_leaders_cost_less_than_thirty_delays() -> None:
    assert 10 * DELTA_MS < measure_dead_leaders() < 30 * DELTA_MS


def test_delta_reaches_two_thirds_of_what_is_drawn() -> None:
    assert delta_of(LinkConditions(50, steady=True)) == 50
    simulation = Simulation(find("calm", 1), 1)
    network = simulation.network
    delays: list[int] = []
    for _ in range(3_000):
        network.send(0, 1, 1, lambda: delays.append(simulation.world.now_ms))
    simulation.world.run(10_000)
    within = sum(delay <= delta_of(network.conditions) for delay in delays)
    assert within / len(delays) == pytest.approx(2 / 3, abs=0.03)


def test_trouble_is_told_in_delta_with_all_payments_accounted_for() -> None:
    trouble = measure_trouble("crashes", 1)
    simulation = Simulation(find("crashes", 1), 1)
    simulation.run()
    assert len(trouble.payments) + trouble.unpaid == len(simulation.workload.begun_ms)
    middle, late = middle_and_late(trouble.blocks)
    assert 1 < middle <= late
    assert all(math.isnan(number) for number in middle_and_late(()))


def test_tables_have_a_column_a_size_and_a_row_a_scenario() -> None:
    lines = size_table([measure_size(4, 5)]).splitlines()
    assert lines[0] == "| a finalized block | 4 validators |"
    assert lines[1] == "| --- | ---: |"
    assert all(line.count("|") == 3 for line in lines)
    idle = trouble_table([measure_trouble("idle", 1)]).splitlines()
    assert idle[2].startswith("| idle | ")


def test_the_command_prints_tables_and_writes_figures(tmp_path: Path) -> None:
    out = tmp_path / "network.json"
    done = RUNNER.invoke(app, ["growth", "--sizes", "4", "--seeds", "0", "--out", str(out)])
    assert done.exit_code == 0
    assert "| all messages |" in done.stdout
    told = json.loads(out.read_text("utf-8"))
    (size,) = told["sizes"]
    assert size["proposal_to_final"]["median"] == 3.0
    assert told["scenarios"] == []
    assert 0 < told["dead_leaders_ms"] < 3_000
    (tmp_path / "results").mkdir()
    out.rename(tmp_path / "results" / "network.json")
    assert [path.name for path in draw_all(tmp_path / "results", tmp_path)] == ["network.svg"]


def test_a_scenario_without_any_wait_is_still_json() -> None:
    told = json.loads(as_json([], [Trouble("dark", 1, (), (), 3)], 0))
    assert told["scenarios"][0]["submit_to_final"] == {"n": 0, "median": None, "p99": None}


@pytest.mark.parametrize("sizes", ["four", "1", "4,1000", ""])
def test_sizes_that_cannot_be_are_refused(sizes: str) -> None:
    done = RUNNER.invoke(app, ["growth", "--sizes", sizes])
    assert done.exit_code == 2
    assert "error:" in done.output
