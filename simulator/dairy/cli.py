"""`billcoin sensors`: the simulated dairy, a recording played as one, and the shopper."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from iot_minting.errors import MintFault
from ledger.errors.base import LedgerFault
from ledger.primitives.amounts import Units, format_bill
from node.cli.options import decimal_option
from node.environment import explain_environment, is_environment
from node.errors import NodeFault
from node.logs import set_up_logs
from simulator.dairy.errors import BadRecording, DairyFault

app = typer.Typer(
    no_args_is_help=True,
    help="Simulated sensors: farms, a pasteurizer line, recordings of milkings, shoppers.",
)

Home = Annotated[Path, typer.Option(help="The dairy's directory, with config.toml and its seed.")]
SKIPPED_SHOWN_MAX = 1_000


def _fail(fault: BaseException, code: int = 1) -> typer.Exit:
    text = explain_environment(fault) if is_environment(fault) else str(fault)
    typer.echo(f"billcoin sensors: {text}", err=True)
    return typer.Exit(code)


@app.command()
def run(home: Home) -> None:
    """Run the simulated dairy: farms milk, the line pasteurizes. Ends on SIGTERM or Ctrl-C."""
    from simulator.dairy.live import run_live  # The network's libraries; --help needs none.

    set_up_logs("billcoin-dairy")
    try:
        run_live(home)
    except (MintFault, NodeFault, DairyFault, OSError) as fault:
        raise _fail(fault) from None


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A CSV file of milkings.")],
    home: Home,
    mapping: Annotated[
        str,
        typer.Option(
            "--map",
            help="Columns, unit (lb, kg, g, L, mL) and date format: 'yield=Yield:lb,"
            "device=Device Name,begin=Begin Time,date=%m/%d/%Y %I:%M %p'. What is left out "
            "is guessed from the header; a unit only if the name tells it. How the file is "
            "written is never guessed: delimiter=semicolon (or tab), decimal=comma.",
        ),
    ] = "",
    speed: Annotated[
        float, decimal_option(help="Times faster than recorded; 0 plays without pauses.")
    ] = 10_000,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the chain and compare; differ: exit 1.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line last.")] = False,
) -> None:
    """Play a recording of milkings as signed readings; the line pasteurizes exactly that milk.

    Recorded times are shifted so that the recording begins now, and gaps are divided by --speed.
    """
    from simulator.dairy.recording import decode_text, read_recording
    from simulator.dairy.replay import replay as play

    set_up_logs("billcoin-replay", "warning")
    tell: Callable[[str], None] = lambda text: typer.echo(text, err=True)  # noqa: E731  # One line.
    try:
        recording = read_recording(decode_text(_read(file)), mapping)
        for row in recording.skipped[:SKIPPED_SHOWN_MAX]:
            tell(f"{file}:{row.line}: not used: {row.reason}")
        tell(f"{len(recording.milkings)} milkings, {len(recording.skipped)} rows not used")
        report = play(home, recording, speed, wait=wait, tell=tell)
    except (MintFault, NodeFault, DairyFault, LedgerFault, OSError) as fault:
        raise _fail(fault) from None
    expected = format_bill(Units(report.expected_units))
    minted = None if report.minted_units is None else format_bill(Units(report.minted_units))
    if as_json:
        answer = {
            "plant": report.plant,
            "milkings": report.rows,
            "skipped": [{"line": s.line, "reason": s.reason} for s in recording.skipped],
            "meters": report.meters,
            "recorded": {"steps": report.recorded_steps, "unit": report.unit},
            "runs": report.runs,
            "expected_litres": expected,
            "minted_litres": minted,
            "lots": report.lots,
        }
        typer.echo(json.dumps(answer))
    else:
        typer.echo(f"expected {expected} litres of {report.runs} runs")
        if minted is not None:
            typer.echo(f"minted   {minted} litres in {report.lots} lots")
    if minted is not None and not report.is_minted:
        raise _fail(BadRecording(f"{minted} litres were minted, {expected} were expected"))


@app.command()
def shop(home: Home) -> None:
    """Run the simulated shopper over the public HTTP interface."""
    from simulator.dairy import shopper

    raise typer.Exit(shopper.run(home))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadRecording(f"{file}: {error.strerror}") from error
