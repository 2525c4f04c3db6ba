"""`billcoin attest`: make and run an attestor, who judges windows of milk by all their readings."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iot_minting.attestor.config import prepare, read_attestor_key, read_config
from iot_minting.errors import MintFault
from ledger.errors.base import LedgerFault
from ledger.primitives.amounts import format_bill
from ledger.primitives.codec import encode
from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import HASH_BYTES, Hash
from ledger.primitives.hexadecimal import parse_hex
from node.cli.tx import DEFAULT_NODE
from node.environment import explain_environment, is_environment
from node.errors import NodeFault
from node.logs import set_up_logs

if TYPE_CHECKING:
    from iot_minting.attestor.showing import LotEvidence

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


@app.command()
def show(
    lot: Annotated[str, typer.Argument(metavar="LOT", help="A lot's id, in hex.")],
    attestor: Annotated[str, typer.Option(help="An attestor's HTTP address.")],
    node: Annotated[
        str, typer.Option("--node", envvar="BILLCOIN_NODE", help="A node's HTTP address.")
    ] = DEFAULT_NODE,
    out: Annotated[
        Path | None, typer.Option(help="Write the envelopes into this file, as MessagePack.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch all readings behind a lot, and check them against what the chain says was proven.

    Signatures, number and root must hold. Whoever finds one that speaks against the lot can refute
    it with that envelope alone.
    """
    from iot_minting.attestor.showing import fetch_evidence  # HTTP, which `init` does without.

    try:
        wanted = Hash(parse_hex(lot, HASH_BYTES))
        found = asyncio.run(fetch_evidence(node, attestor, wanted))
        if out is not None:
            out.write_bytes(encode(found.envelopes))
    except (MintFault, NodeFault, BadHex, OSError) as fault:
        raise _fail(fault) from None
    for line in _tell_json(found) if as_json else _tell(found):
        typer.echo(line)


def _tell(found: "LotEvidence") -> Iterator[str]:
    proven = found.proven
    yield f"lot {found.view.lot.hex()}: {proven.readings_count} envelopes make the proven root"
    yield f"line {proven.line.hex()}, {_time(proven.from_ms)} to {_time(proven.to_ms)}"
    for each in proven.intervals:
        void = ", found false" if each.void else ""
        litres = format_bill(each.units)
        yield f"  counted {_time(each.from_ms)} to {_time(each.to_ms)}: {litres} L{void}"
    for device in found.devices():
        yield f"  {device.stream} {device.device.hex()}"
        span = f"{_time(device.first_ms)} to {_time(device.last_ms)}"
        yield f"    {device.envelopes} envelopes, {device.samples} samples, {span}"
        if device.least is not None:
            yield f"    while milk counted: {device.least} to {device.most} {device.unit}"


def _tell_json(found: "LotEvidence") -> Iterator[str]:
    proven = found.proven
    yield json.dumps(
        {
            "lot": found.view.lot.hex(),
            "line": proven.line.hex(),
            "readings_root": proven.readings_root.hex(),
            "readings_count": proven.readings_count,
            "intervals": [
                {
                    "from_ms": each.from_ms,
                    "to_ms": each.to_ms,
                    "litres": format_bill(each.units),
                    "void": each.void,
                }
                for each in proven.intervals
            ],
            "devices": [
                {**asdict(device), "device": device.device.hex()} for device in found.devices()
            ],
        }
    )


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
