"""`billcoin trace`: from a payment, a pack, a lot or a run back to the farms, block by block.

Asks a running node, or walks a stopped one's store; both give the same trace.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import HASH_BYTES, Hash
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import Address, format_address
from ledger.trace import trace as walk
from ledger.types.trace import Farm, MeterRange, Provenance, Trace, TraceStep
from node.cli.tx import DEFAULT_NODE
from node.client.http import NodeClient
from node.client.views import present
from node.errors import BadArgument
from node.tools.homes import find_home, stopped


def trace(
    subject: Annotated[
        str, typer.Argument(metavar="ID", help="A payment's, pack's, lot's or run's id, in hex.")
    ],
    node: Annotated[
        str, typer.Option("--node", envvar="BILLCOIN_NODE", help="A node's HTTP address.")
    ] = DEFAULT_NODE,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="A stopped node's home or a testnet's folder, instead."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Show where milk came from: its lot, run, tank and farms, and the block of every step."""
    wanted = _read_id(subject)
    found, prefix = _ask(node, wanted) if home is None else _look(home, wanted)
    if as_json:
        typer.echo(json.dumps(present(found, prefix)))
        return
    for line in tell(found, prefix):
        typer.echo(line)


def _read_id(text: str) -> Hash:
    try:
        return Hash(parse_hex(text, HASH_BYTES))
    except BadHex as fault:
        raise BadArgument(f"the id {fault}") from None


def _ask(node: str, subject: Hash) -> tuple[Trace, str]:
    async def ask() -> tuple[Trace, str]:
        async with NodeClient(node) as client:
            return await client.trace(subject), (await client.status()).prefix

    return asyncio.run(ask())


def _look(folder: Path, subject: Hash) -> tuple[Trace, str]:
    home = find_home(folder)
    with stopped(home) as store:
        return walk(store, subject), home.genesis().prefix


def tell(found: Trace, prefix: str) -> Iterator[str]:
    """Tell a trace in lines, from the sale to the farms; a basket's parts one after another."""
    if found.sale is not None:
        sold = format_bill(found.sale.redeemed_units)
        yield f"sale   {sold} litres to {_address(found.sale.sender, prefix)}"
        yield _where(found.sale.step)
    for way in found.milk:
        if len(found.milk) > 1:
            yield f"of it  {format_bill(way.redeemed_units)} litres"
        yield from _tell_way(way, prefix)
    if not found.complete:
        yield "Old blocks are pruned here: a node that keeps them tells the rest."


def _tell_way(found: Provenance, prefix: str) -> Iterator[str]:
    lot = found.lot
    if found.pack is not None:
        pack = found.pack
        yield f"pack   {pack.pack.hex()}: {pack.packs} of {format_bill(pack.pack_units)} litres"
        yield _where(pack.packed)
    litres = format_bill(lot.minted_units)
    yield f"lot    {lot.lot.hex()}: {litres} litres of {lot.kind} milk, {lot.status}"
    if lot.stock:
        yield "       on record at genesis: no readings are behind it"
        return
    yield f"       plant {lot.plant}, MMU {_address(lot.mmu, prefix)}"
    yield f"       best before {_time(lot.expires_ms)}; readings' root {lot.readings_root.hex()}"
    yield _where(lot.minted)
    if found.run is not None:
        run = found.run
        yield f"run    {run.run.hex()}: line {run.line}, {run.readings_count} readings"
        yield f"       from {_time(run.started_ms)} to {_time(run.ended_ms)}"
        for meter in run.instruments:
            yield _range("device", meter)
    if found.tank is not None:
        yield f"tank   {found.tank.tank.hex()}: {found.tank.name or 'unnamed'}"
        yield _where(found.tank.sealed)
    for farm in found.farms:
        yield from _farm(farm, prefix)


def _farm(farm: Farm, prefix: str) -> Iterator[str]:
    yield f"farm   {_address(farm.farm, prefix)}: {format_bill(Units(farm.units))} litres"
    for meter in farm.meters:
        yield _range("meter", meter)
        yield _where(meter.step)


def _range(name: str, meter: MeterRange) -> str:
    return f"       {name} {meter.device.hex()}, readings {meter.first_seq} to {meter.last_seq}"


def _where(step: TraceStep) -> str:
    said = "" if step.txid is None else f", transaction {step.txid.hex()}"
    return f"       block {step.height} ({step.block_hash.hex()[:16]}), {_time(step.time_ms)}{said}"


def _address(address: Address, prefix: str) -> str:
    return format_address(address, prefix)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="seconds")
