"""`billcoin sim`: what it prints, what it returns, and the page it draws."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulator.virtual import sweep
from simulator.virtual.cli import app
from simulator.virtual.scenarios import SCENARIOS
from simulator.virtual.simulation import SeedOutcome

RUNNER = CliRunner()


def test_a_sweep_ends_with_one_line_of_json() -> None:
    done = RUNNER.invoke(
        app, ["run", "--seeds", "1..2", "--scenario", "idle", "--jobs", "1", "--json"]
    )
    assert done.exit_code == 0
    line = json.loads(done.stdout.strip().splitlines()[-1])
    assert line["seeds"] == 2
    assert line["failures"] == []
    assert line["seconds"] > 0


def test_several_processes_find_what_one_finds() -> None:
    lines = []
    for jobs in ("1", "2"):
        done = RUNNER.invoke(
            app, ["run", "--seeds", "1..3", "-s", "idle", "--jobs", jobs, "--json"]
        )
        lines.append(json.loads(done.stdout.strip().splitlines()[-1]))
    assert lines[0]["digest"] == lines[1]["digest"]


def test_a_failing_seed_is_told_with_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(scenario: object, seed: int) -> SeedOutcome:
        return SeedOutcome(seed, "calm", "I6: two quorums", "d", 4, 1, 1, 1, -1, 1, 9)

    monkeypatch.setattr(sweep, "run_seed", fail)
    command = ["run", "--seeds", "7..9", "-s", "calm", "-j", "1"]
    done = RUNNER.invoke(app, [*command, "--json", "--stop"])
    assert done.exit_code == 1
    line = json.loads(done.stdout.strip().splitlines()[-1])
    assert line["seeds"] == 1
    assert line["failures"][0]["replay"] == "billcoin sim replay 7 --scenario calm"
    told = RUNNER.invoke(app, command)
    assert "billcoin sim replay 9 --scenario calm" in told.output
    assert "3 failed" in told.output


def test_a_bug_of_the_simulator_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(scenario: object, seed: int) -> SeedOutcome:
        raise RuntimeError("burst")

    monkeypatch.setattr(sweep, "run_seed", burst)
    outcome = sweep.run_task(sweep.Task(1, "calm"))
    assert outcome.breach.startswith("SIMULATOR")
    assert "burst" in outcome.breach


def test_a_replay_is_readable_and_ends_with_the_verdict() -> None:
    done = RUNNER.invoke(app, ["replay", "1", "--scenario", "idle", "--brief"])
    assert done.exit_code == 0
    assert "notarize" in done.stdout
    assert "every invariant held" in done.stdout.splitlines()[-1]
    entries = RUNNER.invoke(app, ["replay", "1", "-s", "idle", "--json", "--tail", "2"])
    assert {"time_ms", "kind", "text"} <= set(json.loads(entries.stdout.splitlines()[0]))


def test_a_seed_is_drawn_as_a_page_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "seed.html"
    done = RUNNER.invoke(app, ["show", "3", "--scenario", "chaos", "--out", str(page)])
    assert done.exit_code == 0
    text = page.read_text("utf-8")
    assert "<svg" in text
    assert "what stood in the way" in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_fork_is_shown_as_one(tmp_path: Path) -> None:
    page = tmp_path / "fork.html"
    done = RUNNER.invoke(app, ["show", "3", "--scenario", "coalition", "--out", str(page)])
    assert done.exit_code == 0
    assert "A fork, as expected" in page.read_text("utf-8")


def test_scenarios_are_listed_one_a_line() -> None:
    done = RUNNER.invoke(app, ["list"])
    assert len(done.stdout.strip().splitlines()) == len(SCENARIOS)
    assert set(json.loads(RUNNER.invoke(app, ["list", "--json"]).stdout)) == set(SCENARIOS)


@pytest.mark.parametrize(
    "wrong",
    [
        ["run", "--seeds", "x..3"],
        ["run", "--seeds", "5..1"],
        ["run", "--scenario", "nothing"],
        ["replay", "1", "--scenario", "nothing"],
        ["show", "1", "--scenario", "idle", "--out", "/nowhere/at/all.html"],
    ],
)
def test_wrong_usage_is_refused_with_a_reason(wrong: list[str]) -> None:
    done = RUNNER.invoke(app, wrong)
    assert done.exit_code == 2
    assert "error:" in done.output
