"""`billcoin testnet`: a whole network on this machine, by one command.

Exit codes: 0 it did what was asked, 1 it could not, 2 the command line was wrong.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from api.errors import ConfigFault
from iot_minting.errors import Misconfigured
from ledger.errors.base import LedgerFault
from ledger.params import default_parameters
from node.cli.options import decimal_option, whole_option
from node.environment import explain_environment, is_environment
from node.errors import NodeFault
from simulator.testnet.create import EPOCH_BLOCKS_LEAST, EPOCH_BLOCKS_MAX
from simulator.testnet.errors import NotRunning, TestnetFault
from simulator.testnet.layout import (
    ATTESTORS_MAX,
    ATTESTORS_USUAL,
    ORACLES_MAX,
    ORACLES_USUAL,
    VALIDATORS_MAX,
    Layout,
    RunState,
)
from simulator.testnet.load import ACCOUNTS_MAX
from simulator.testnet.run import Run, Wishes, ensure_created

EPOCH_BLOCKS_USUAL: Final = default_parameters(development=True).staking.epoch_blocks
DOWN_TIMEOUT_S: Final = 10.0
DOWN_STEP_S: Final = 0.05

app = typer.Typer(
    name="testnet",
    help="A whole network on this machine: validators, milk, its price, payments, a shopper.",
    no_args_is_help=True,
)

Directory = Annotated[Path, typer.Option("--dir", help="Where the network lives.", file_okay=False)]
Validators = Annotated[
    int | None,
    whole_option(least=1, most=VALIDATORS_MAX, help="How many validators; 4 unless it was made."),
]
Seed = Annotated[
    int | None, whole_option(help="Make all keys from this number. For tests: it owns the network.")
]
Oracles = Annotated[
    int | None,
    whole_option(
        most=ORACLES_MAX,
        help=f"How many processes feed the price of milk; {ORACLES_USUAL} unless said.",
    ),
]
Attestors = Annotated[
    int | None,
    whole_option(
        least=ATTESTORS_USUAL,
        most=ATTESTORS_MAX,
        help=f"How many processes attest milk; {ATTESTORS_USUAL} unless said.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def _told() -> Iterator[None]:
    """Turn a fault into a line on stderr and exit code 1; never a traceback for a user's error."""
    try:
        yield
    except (TestnetFault, LedgerFault, NodeFault, Misconfigured, ConfigFault, OSError) as fault:
        text = explain_environment(fault) if is_environment(fault) else str(fault)
        typer.echo(f"billcoin testnet: {text}", err=True)
        raise typer.Exit(1) from None


@app.command()
def init(
    directory: Directory = Path("testnet"),
    validators: Validators = None,
    seed: Seed = None,
    load_accounts: Annotated[
        int, whole_option(most=ACCOUNTS_MAX, help="Endow so many accounts for measurements.")
    ] = 0,
    epoch_blocks: Annotated[
        int | None,
        whole_option(
            least=EPOCH_BLOCKS_LEAST,
            most=EPOCH_BLOCKS_MAX,
            help=f"How many blocks an epoch has; {EPOCH_BLOCKS_USUAL} unless said.",
        ),
    ] = None,
    oracles: Oracles = None,
    attestors: Attestors = None,
    as_json: AsJson = False,
) -> None:
    """Make a network's keys, genesis and homes, and start nothing. Does nothing if it is made."""
    layout = Layout(directory)
    with _told(), layout.held():
        made = ensure_created(
            layout, validators, seed, load_accounts, epoch_blocks, oracles, attestors
        )
    if as_json:
        typer.echo(
            json.dumps(
                {"dir": str(directory), "validators": made.validators, "chain_id": made.chain_id}
            )
        )
    else:
        typer.echo(f"{directory}: {made.validators} validators of chain {made.chain_id}")


@app.command()
def up(
    directory: Directory = Path("testnet"),
    validators: Validators = None,
    duration: Annotated[
        float | None, decimal_option(least=1, help="End by itself after this many seconds.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="No board; print one JSON line of figures last.")
    ] = False,
    board: Annotated[bool, typer.Option(help="The live board, if this is a terminal.")] = True,
    port_base: Annotated[
        int | None,
        whole_option(least=1024, most=65_000, help="Use ports from here on; else free ones."),
    ] = None,
    seed: Seed = None,
) -> None:
    """Start the network, made first if need be, and watch over it until Ctrl-C."""
    layout = Layout(directory)
    wishes = Wishes(validators, seed, duration, port_base, board=board, quiet=as_json)
    with _told(), layout.held():
        run = Run(layout, ensure_created(layout, validators, seed), wishes)
        asyncio.run(run.go())
    if as_json:
        typer.echo(json.dumps(run.figures.summary()))


@app.command()
def status(directory: Directory = Path("testnet"), as_json: AsJson = False) -> None:
    """Tell how the network stands, as its supervisor last wrote it down."""
    layout = Layout(directory)
    with _told():
        state = _running(layout)
    if as_json:
        typer.echo(json.dumps({"running": True, **_plain(state)}))
        return
    for process in state.processes:
        typer.echo(
            f"{process.name:<10} {process.phase:<9} pid {process.pid or '-':<8}"
            f" restarts {process.restarts:<3} {process.log}"
        )
    for name, value in state.figures.items():
        if name != "nodes":
            typer.echo(f"{name.replace('_', ' '):<20} {json.dumps(value)}")
    for name, address in state.addresses.items():
        typer.echo(f"{name:<20} {address}")


@app.command()
def down(directory: Directory = Path("testnet")) -> None:
    """End the network, as Ctrl-C does, and wait until all its processes are gone."""
    layout = Layout(directory)
    with _told():
        state = _running(layout)
        try:
            os.kill(state.supervisor_pid, signal.SIGTERM)
        except ProcessLookupError:
            raise NotRunning(directory) from None
    limit = time.monotonic() + DOWN_TIMEOUT_S
    while layout.is_held():
        if time.monotonic() > limit:
            typer.echo(
                f"billcoin testnet: {directory}: process {state.supervisor_pid} was asked to end"
                f" {DOWN_TIMEOUT_S:.0f} s ago and still runs; see its logs in {layout.logs}.",
                err=True,
            )
            raise typer.Exit(1)
        time.sleep(DOWN_STEP_S)
    typer.echo(f"{directory}: everything has ended.")


def _running(layout: Layout) -> RunState:
    """Read the account of the run that goes on; raise `NotRunning` if none does."""
    state = layout.read_state()
    if state is None or not layout.is_held():
        raise NotRunning(layout.root)
    return state


def _plain(state: RunState) -> dict[str, object]:
    return {
        "supervisor_pid": state.supervisor_pid,
        "started_ms": state.started_ms,
        "ports": state.ports,
        "addresses": state.addresses,
        "processes": [
            {
                "name": process.name,
                "phase": process.phase,
                "pid": process.pid,
                "restarts": process.restarts,
                "log": process.log,
            }
            for process in state.processes
        ],
        "figures": state.figures,
    }
