"""`billcoin attest`: make and run an attestor, who judges windows of milk by all their readings."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from iot_minting.attestor.config import prepare, read_attestor_key, read_config
from iot_minting.errors import MintFault
from ledger.errors.base import LedgerFault
from node.environment import explain_environment, is_environment
from node.errors import NodeFault
from node.logs import set_up_logs

app = typer.Typer(
    no_args_is_help=True,
    help="An attestor: recomputes windows of milk from all their readings, and signs what holds.",
)

Home = Annotated[Path, typer.Option(help="The attestor's directory, with config.toml and its key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _fail(fault: BaseException) -> typer.Exit:
    """Say what is wrong, once, and end with 1."""
    text = explain_environment(fault) if is_environment(fault) else str(fault)
    typer.echo(f"billcoin attest: {text}", err=True)
    return typer.Exit(1)


@app.command()
def init(home: Home, *, as_json: AsJson = False) -> None:
    """Make a home with a key and a configuration; harmless when repeated.

    It attests once a regulator has granted its key the role `attestor`.
    """
    try:
        key = prepare(home)
    except (MintFault, NodeFault, OSError) as fault:
        raise _fail(fault) from None
    typer.echo(json.dumps({"attestor_key": key.hex()}) if as_json else f"attestor key: {key.hex()}")


@app.command()
def run(home: Home) -> None:
    """Judge windows until SIGTERM or Ctrl-C."""
    from iot_minting.attestor.service import serve  # HTTP, which `init` does without.

    faults: list[Exception] = []
    try:
        config = read_config(home)
        set_up_logs("billcoin-attest", config.log_level)
        asyncio.run(serve(home, config, read_attestor_key(home)))
    except* (MintFault, NodeFault, LedgerFault, OSError) as group:
        faults += group.exceptions  # A raise in here would be wrapped into a group again.
    if faults:
        raise _fail(faults[0])
