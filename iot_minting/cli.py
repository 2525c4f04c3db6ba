"""`billcoin mint`: the gateway, the embedded broker, and what they have seen."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from iot_minting.errors import MintFault, Misconfigured
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.broker import run_broker
from iot_minting.gateway.config import prepare, read_config
from iot_minting.gateway.status import format_time, read_status
from iot_minting.gateway.store import STORE_NAME
from ledger.errors.base import LedgerFault
from node.cli.options import whole_option
from node.environment import explain_environment, is_environment
from node.errors import NodeFault
from node.logs import set_up_logs

app = typer.Typer(
    no_args_is_help=True,
    help="The minting gateway: signed readings in, tokens of pasteurized milk out.",
)

Home = Annotated[Path, typer.Option(help="The gateway's directory, with config.toml and keys.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Limit = Annotated[int, whole_option(least=1, most=10_000, help="The most lines to print.")]


def _fail(fault: BaseException) -> typer.Exit:
    """Say what is wrong, once, and end with 1."""
    text = explain_environment(fault) if is_environment(fault) else str(fault)
    typer.echo(f"billcoin mint: {text}", err=True)
    return typer.Exit(1)


@app.command()
def run(home: Home) -> None:
    """Run the gateway: ingest readings, collect milk, mint windows. Ends on SIGTERM or Ctrl-C."""
    from iot_minting.gateway.serving import (
        serve,  # Needs the network's libraries; the others do not.
    )

    set_up_logs("billcoin-mint")
    faults: list[Exception] = []
    try:
        asyncio.run(serve(home))
    except* (MintFault, NodeFault, LedgerFault, OSError) as group:
        faults += group.exceptions  # A raise in here would be wrapped into a group again.
    if faults:
        raise _fail(faults[0])


@app.command()
def broker(
    port: Annotated[int, whole_option(least=1, most=65_535, help="The port to listen on.")] = 1883,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Run the embedded MQTT 5 broker in the foreground."""
    set_up_logs("billcoin-broker")
    try:
        run_broker(host, port)
    except MintFault as fault:
        raise _fail(fault) from None


@app.command()
def init(home: Home, *, as_json: AsJson = False) -> None:
    """Make a gateway's keys and print their public halves, for genesis and for devices."""
    try:
        identity = prepare(home)
    except (NodeFault, OSError) as fault:
        raise _fail(fault) from None
    answer = {
        "mmu_key": identity.mmu_key.hex(),
        "mmu_address": identity.mmu_address.hex(),
        "ingest_key": identity.ingest_key.hex(),
    }
    _show(answer, as_json=as_json)


@app.command()
def status(home: Home, *, as_json: AsJson = False) -> None:
    """Tell what was stored, refused, collected and minted; works beside a running gateway."""
    path = _file(home)
    try:
        answer = read_status(path)
    except MintFault as fault:
        raise _fail(fault) from None
    _show(answer, as_json=as_json)


@app.command()
def quarantine(home: Home, *, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List refused envelopes with their reasons, newest first."""
    path = _file(home)
    try:
        archive = Archive(path)
    except MintFault as fault:
        raise _fail(fault) from None
    found, counts = archive.refused(limit), archive.refused_counts()
    archive.close()
    if as_json:
        lines = [
            {
                "code": each.code,
                "detail": each.detail,
                "topic": each.topic,
                "time": format_time(each.arrival_ms),
                "times": each.times,
                "device": each.device.hex() if each.device else None,
                "boot": each.boot,
                "seq": each.seq,
            }
            for each in found
        ]
        typer.echo(json.dumps({"counts": counts, "refused": lines}))
        return
    for each in found:
        typer.echo(f"{format_time(each.arrival_ms)}  {each.code} x{each.times}  {each.detail}")
    typer.echo(f"{sum(counts.values())} refused in all")


def _file(home: Path) -> Path:
    path = home / STORE_NAME
    try:
        read_config(home)
        if not path.exists():
            raise Misconfigured(f"{path} is not there yet: start `billcoin mint run` first")
    except MintFault as fault:
        raise _fail(fault) from None
    return path


def _show(answer: dict[str, object] | dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer))
        return
    for name, value in answer.items():
        text = value if isinstance(value, str | int) else json.dumps(value)
        typer.echo(f"{name.replace('_', ' ')}: {text}")
