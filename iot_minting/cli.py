"""`billcoin mint`: the gateway, the embedded broker, and what they have seen."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from iot_minting.errors import MintFault, Misconfigured
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.broker import run_broker
from iot_minting.gateway.config import prepare, read_config
from iot_minting.gateway.letters import Letters, LetterState, What
from iot_minting.gateway.store import STORE_NAME, Store
from ledger.errors.base import LedgerFault
from ledger.primitives.amounts import Units, format_bill
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
    """Run the gateway: ingest readings, cut runs, mint lots. Ends on SIGTERM or Ctrl-C."""
    from iot_minting.gateway.service import (
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
        "attestor_key": identity.attestor_key.hex(),
        "ingest_key": identity.ingest_key.hex(),
    }
    _show(answer, as_json=as_json)


@app.command()
def status(home: Home, *, as_json: AsJson = False) -> None:
    """Tell what was accepted, refused, cut and minted; works beside a running gateway."""
    store = _open(home)
    totals = store.run_totals()
    answer: dict[str, object] = {
        "devices": len(store.devices()),
        "followed_height": store.followed_height(),
        "envelopes_accepted": store.envelope_count(),
        "envelopes_by_use": store.use_counts(),
        "envelopes_refused": store.quarantine_counts(),
        "runs": {state: count for state, (count, _) in totals.items()},
        "minted_litres": format_bill(Units(totals.get("final", (0, 0))[1])),
        "latest_runs": [
            {
                "run": run.run.hex(),
                "plant": run.plant,
                "state": run.state.value,
                "litres": format_bill(Units(run.units)),
                "txid": run.txid.hex(),
                "height": run.height,
                "detail": run.detail,
                "sealed": _time(run.cut_ms),
            }
            for run in store.runs(10)
        ],
        **_second_law(home / STORE_NAME),
    }
    store.close()
    _show(answer, as_json=as_json)


def _second_law(path: Path) -> dict[str, object]:
    """Tell what the second law's archive and letters hold."""
    archive, letters = Archive(path), Letters(path)
    totals = letters.totals()
    units = totals.get((What.WINDOW.value, LetterState.FINAL.value), (0, 0))[1]
    told: dict[str, object] = {
        "envelopes_archived": archive.envelope_count(),
        "letters": {f"{what} {state}": count for (what, state), (count, _) in totals.items()},
        "windows_litres": format_bill(Units(units)),
        "latest_letters": [
            {
                "what": each.what.value,
                "who": each.subject.hex(),
                "state": each.state.value,
                "litres": format_bill(Units(each.units)),
                "height": each.height,
                "detail": each.detail,
                "made": _time(each.made_ms),
            }
            for each in letters.latest(10)
        ],
    }
    archive.close()
    letters.close()
    return told


@app.command()
def quarantine(home: Home, *, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List refused envelopes with their reasons, newest first."""
    store = _open(home)
    found = store.quarantine(limit)
    counts = store.quarantine_counts()
    store.close()
    if as_json:
        lines = [
            {
                "code": each.code,
                "detail": each.detail,
                "topic": each.topic,
                "time": _time(each.arrival_ms),
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
        typer.echo(f"{_time(each.arrival_ms)}  {each.code} x{each.times}  {each.detail}")
    typer.echo(f"{sum(counts.values())} refused in all")


def _open(home: Path) -> Store:
    path = home / STORE_NAME
    try:
        read_config(home)
        if not path.exists():
            raise Misconfigured(f"{path} is not there yet: start `billcoin mint run` first")
        return Store(path)
    except MintFault as fault:
        raise _fail(fault) from None


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _show(answer: dict[str, object] | dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer))
        return
    for name, value in answer.items():
        text = value if isinstance(value, str | int) else json.dumps(value)
        typer.echo(f"{name.replace('_', ' ')}: {text}")
