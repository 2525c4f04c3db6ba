"""`billcoin sim`: run seeds, replay one, see one, list scenarios.

Results go to standard output, progress to standard error. Exit codes: 0 every invariant held,
1 a seed failed, 2 wrong usage.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.cli.options import whole_argument, whole_option
from simulator.virtual.errors import BadRequest
from simulator.virtual.growth import measuring
from simulator.virtual.growth.tables import as_json, size_table, trouble_table
from simulator.virtual.picture.drawing import draw
from simulator.virtual.scenarios import ALL, SCENARIOS, find
from simulator.virtual.simulation import SeedOutcome, Simulation
from simulator.virtual.sweep import SweepTally, Task, parse_seeds, sweep

app = typer.Typer(
    help="Real nodes under every fault, in virtual time: one seed, one trace.",
    no_args_is_help=True,
)

ScenarioName = Annotated[
    str,
    typer.Option("--scenario", "-s", help="A name from `sim list`; `all` lets the seed choose."),
]


def _fail(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(2)


def replay_command(outcome: SeedOutcome) -> str:
    """Write the command that shows a seed again."""
    return f"billcoin sim replay {outcome.seed} --scenario {outcome.scenario}"


@app.command()
def run(
    seeds: Annotated[str, typer.Option(help="Which seeds: 7 or 1..500.")] = "1..500",
    scenario: ScenarioName = ALL,
    jobs: Annotated[int, whole_option("--jobs", "-j", help="Processes; 0: one a core.")] = 0,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first failure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Run many seeds; every failing one is printed with the command that replays it."""
    try:
        numbers = parse_seeds(seeds)
        find(scenario, 0)
    except BadRequest as fault:
        raise _fail(str(fault)) from fault
    tasks = [Task(seed, scenario) for seed in numbers]
    tally, began_s = SweepTally(), time.monotonic()
    err = Console(stderr=True)
    with _progress(err) as progress:
        bar = progress.add_task("seeds", total=len(tasks), rate="")
        for outcome in sweep(tasks, jobs or os.cpu_count() or 1):
            tally.add(outcome)
            rate = tally.seeds / max(1e-9, time.monotonic() - began_s)
            progress.update(bar, advance=1, rate=f"{rate:.1f} seeds/s")
            if outcome.breach:
                progress.console.print(_failure(outcome), style="red", highlight=False)
                if stop:
                    break
    _summarize(tally, time.monotonic() - began_s, as_json=as_json)
    raise typer.Exit(1 if tally.failures else 0)


def _progress(err: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=err,
        disable=not sys.stderr.isatty(),
    )


def _failure(outcome: SeedOutcome) -> str:
    where = f"seed {outcome.seed}, {outcome.scenario}, step {outcome.steps}"
    return f"FAILED {where}: {outcome.breach}\n  {replay_command(outcome)}"


def _summarize(tally: SweepTally, seconds: float, *, as_json: bool) -> None:
    failures = sorted(tally.failures, key=lambda outcome: outcome.seed)
    if as_json:
        found = [
            {
                "seed": outcome.seed,
                "scenario": outcome.scenario,
                "step": outcome.steps,
                "breach": outcome.breach,
                "replay": replay_command(outcome),
            }
            for outcome in failures
        ]
        line = {"seeds": tally.seeds, "failures": found, "seconds": round(seconds, 3)}
        typer.echo(json.dumps({**line, "digest": tally.digest()}))
        return
    rate = tally.seeds / max(1e-9, seconds)
    typer.echo(
        f"{tally.seeds} seeds, {len(failures)} failed, {seconds:.1f} s ({rate:.1f} seeds/s); "
        f"{tally.blocks} blocks final in {tally.virtual_ms / 1000:.0f} s of virtual time, "
        f"{tally.steps} steps; traces {tally.digest()}"
    )


@app.command()
def replay(
    seed: Annotated[int, whole_argument(help="The seed.")],
    scenario: ScenarioName = ALL,
    tail: Annotated[int, whole_option(help="Only so many last lines; 0: all.")] = 0,
    brief: Annotated[bool, typer.Option("--brief", help="Leave messages out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run one seed again and print its trace, readable."""
    simulation, outcome = _record(seed, scenario)
    entries = [e for e in simulation.trace.entries if not (brief and e.kind == "send")]
    for entry in entries[-tail:] if tail else entries:
        if as_json:
            fields = {"time_ms": entry.time_ms, "place": entry.place, "kind": entry.kind}
            typer.echo(json.dumps({**fields, "view": entry.view, "text": entry.text}))
        else:
            typer.echo(entry.line())
    held = simulation.note or "every invariant held"
    verdict = f"FAILED: {outcome.breach}" if outcome.breach else held
    typer.echo(
        f"seed {seed}, {outcome.scenario}: {verdict}; {outcome.members} validators, "
        f"height {outcome.height}, view {outcome.views}, trace {outcome.digest}",
        err=as_json,
    )
    raise typer.Exit(1 if outcome.breach else 0)


@app.command()
def show(
    seed: Annotated[int, whole_argument(help="The seed.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("sim.html"),
    scenario: ScenarioName = ALL,
) -> None:
    """Draw one seed as a page: validators as lanes, views, votes, faults, finality."""
    simulation, outcome = _record(seed, scenario)
    try:
        out.write_text(draw(simulation, outcome), "utf-8")
    except OSError as error:
        raise _fail(f"{out} can't be written: {error.strerror}") from error
    typer.echo(f"{out}: seed {seed} of {outcome.scenario}, {outcome.breach or 'no breach'}")


def _record(seed: int, scenario: str) -> tuple[Simulation, SeedOutcome]:
    try:
        simulation = Simulation(find(scenario, seed), seed, recording=True)
    except BadRequest as fault:
        raise _fail(str(fault)) from fault
    return simulation, simulation.run()


@app.command()
def growth(
    sizes: Annotated[str, typer.Option(help="How many validators, with commas.")] = "4,16,64,100",
    seeds: Annotated[
        int, whole_option(most=1_000, help="Seeds of each scenario; 0: none.")
    ] = measuring.SEEDS,
    jobs: Annotated[int, whole_option("--jobs", "-j", help="Processes; 0: one a core.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file for the figures, as JSON.")
    ] = None,
) -> None:
    """Measure what a block costs at each size, and how late finality is in each scenario."""
    try:
        measured = [measuring.measure_size(size) for size in measuring.parse_sizes(sizes)]
        names, cores = measuring.TROUBLES if seeds else (), jobs or os.cpu_count() or 1
        troubles = list(measuring.measure_troubles(names, seeds, cores))
    except BadRequest as fault:
        raise _fail(str(fault)) from fault
    dead_ms = measuring.measure_dead_leaders()
    typer.echo(size_table(measured))
    if troubles:
        typer.echo(f"\nin units of delta, {seeds} seeds each\n\n{trouble_table(troubles)}")
    typer.echo(
        f"\nthree dead leaders in a row, delta {measuring.DELTA_MS} ms: final in {dead_ms} ms"
    )
    if out is not None:
        try:
            out.write_text(as_json(measured, troubles, dead_ms), "utf-8")
        except OSError as error:
            raise _fail(f"{out} can't be written: {error.strerror}") from error


@app.command("list")
def list_scenarios(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the scenarios, one line each."""
    if as_json:
        rows = {name: scenario.summary for name, scenario in SCENARIOS.items()}
        typer.echo(json.dumps(rows))
        return
    wide = max(map(len, SCENARIOS))
    for name, scenario in SCENARIOS.items():
        sizes = ",".join(map(str, scenario.sizes))
        typer.echo(f"{name:<{wide}}  {sizes:>8} validators  {scenario.summary}")


if __name__ == "__main__":
    app()
