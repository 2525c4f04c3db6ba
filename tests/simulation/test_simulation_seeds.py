"""Some seeds of every scenario hold, and one seed is one trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.virtual.byzantine import MASKS
from simulator.virtual.scenarios import SCENARIOS, find
from simulator.virtual.simulation import Simulation, run_seed

ROOT = Path(__file__).resolve().parents[2]
BIG = {"medium", "large", "huge", "mock-flood"}


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - BIG))
def test_every_invariant_holds(name: str) -> None:
    for seed in (1, 2):
        outcome = run_seed(find(name, seed), seed)
        assert outcome.breach == ""


@pytest.mark.parametrize("name", sorted(BIG))
def test_every_invariant_holds_in_big_networks(name: str) -> None:
    assert run_seed(find(name, 1), 1).breach == ""


def test_every_mask_has_its_scenario() -> None:
    assert {f"mock-{name}" for name in MASKS} <= set(SCENARIOS)


def test_recording_does_not_change_the_trace() -> None:
    scenario = find("chaos", 3)
    silent = Simulation(scenario, 3).run()
    recorded = Simulation(scenario, 3, recording=True).run()
    assert silent.digest == recorded.digest


def test_the_same_seeds_leave_the_same_traces_under_two_hash_seeds() -> None:
    """I12: nothing depends on the order in which Python happens to keep a set."""
    command = [
        sys.executable,
        "-m",
        "simulator.virtual.cli",
        "run",
        "--seeds",
        "1..50",
        "--jobs",
        "1",
    ]
    running = [
        subprocess.Popen(
            [*command, "--json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "4242")
    ]
    lines = [json.loads(one.communicate()[0].strip().splitlines()[-1]) for one in running]
    assert [line["seeds"] for line in lines] == [50, 50]
    assert lines[0]["failures"] == []
    assert lines[0]["digest"] == lines[1]["digest"]


def test_another_seed_leaves_another_trace() -> None:
    assert run_seed(find("calm", 1), 1).digest != run_seed(find("calm", 2), 2).digest
