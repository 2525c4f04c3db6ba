"""`billcoin trace`: from a payment, a pack or a lot back to the farms, block by block.

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
from ledger.types.trace import Farm, LineWindow, Provenance, Trace, TraceStep
from node.cli.tx import DEFAULT_NODE
from node.client.http import NodeClient
from node.client.views import present
from node.errors import BadArgument
from node.tools.homes import find_home, stopped


def trace(
    subject: Annotated[
        str, typer.Argument(metavar="ID", help="A payment's, pack's or lot's id, in hex.")
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
    """Show where milk came from: its lot, window, tank and farms, and the block of every step."""
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
    if found.window is not None:
        yield from _window(found.window)
    if found.tank is not None:
        yield f"tank   {found.tank.tank.hex()}: {found.tank.name or 'unnamed'}"
    for farm in found.farms:
        yield from _farm(farm, prefix)


def _window(window: LineWindow) -> Iterator[str]:
    yield f"window of line {window.line.hex()}: {window.readings_count} envelopes of readings"
    yield f"       from {_time(window.from_ms)} to {_time(window.to_ms)}"
    for each in window.intervals:
        counted = f"{format_bill(each.units)} litres{', found false' if each.void else ''}"
        yield f"       {_time(each.from_ms)} to {_time(each.to_ms)}: {counted}"
    for span in window.instruments:
        since = "" if span.after is None else f" after {span.after.boot}/{span.after.seq}"
        numbers = f"readings{since} up to {span.last.boot}/{span.last.seq}"
        yield f"       {span.instrument} {span.device.hex()}, {numbers}"
    for attestor in window.attestors:
        yield f"       recomputed by attestor {attestor.hex()}"
    yield f"       open to doubt until {_time(window.contestable_until_ms)}"


def _farm(farm: Farm, prefix: str) -> Iterator[str]:
    yield f"farm   {_address(farm.farm, prefix)}: {format_bill(Units(farm.units))} litres"
    yield f"       by meter {farm.meter.hex()}"
    for span in farm.spans:
        yield f"       collected: readings {span.boot}/{span.first_seq} to {span.last_seq}"
        yield _where(span.step)


def _where(step: TraceStep) -> str:
    said = "" if step.txid is None else f", transaction {step.txid.hex()}"
    return f"       block {step.height} ({step.block_hash.hex()[:16]}), {_time(step.time_ms)}{said}"


def _address(address: Address, prefix: str) -> str:
    return format_address(address, prefix)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="seconds")
