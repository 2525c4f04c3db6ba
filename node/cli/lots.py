"""`billcoin lots`: what milk there is to be sold, loose and in packs, as a running node knows."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from ledger.primitives.amounts import format_bill
from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import HASH_BYTES, Hash
from ledger.primitives.hexadecimal import parse_hex
from node.cli.options import whole_option
from node.cli.tx import DEFAULT_NODE
from node.client.http import NodeClient
from node.client.queries import LOTS_PAGE
from node.client.requests import LOTS_MAX
from node.client.views import LotView, ProductLotView, present
from node.errors import BadArgument


def lots(
    lot: Annotated[
        str | None,
        typer.Argument(metavar="LOT", help="One lot's id, in hex: it and its packs."),
    ] = None,
    node: Annotated[
        str, typer.Option("--node", envvar="BILLCOIN_NODE", help="A node's HTTP address.")
    ] = DEFAULT_NODE,
    limit: Annotated[
        int,
        whole_option("--limit", least=1, most=LOTS_MAX, help="So many at most, newest first."),
    ] = LOTS_PAGE,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """List lots with the litres left of each, or one lot with its product lots."""
    wanted = None if lot is None else _read_id(lot)
    found, products, prefix = asyncio.run(_ask(node, wanted, limit))
    if as_json:
        shown = {"lots": present(found, prefix)}
        if wanted is not None:
            shown["products"] = present(products, prefix)
        typer.echo(json.dumps(shown))
        return
    for line in tell(found, products):
        typer.echo(line)


def _read_id(text: str) -> Hash:
    try:
        return Hash(parse_hex(text, HASH_BYTES))
    except BadHex as fault:
        raise BadArgument(f"the lot {fault}") from None


async def _ask(
    node: str, lot: Hash | None, limit: int
) -> tuple[list[LotView], list[ProductLotView], str]:
    async with NodeClient(node) as client:
        prefix = (await client.status()).prefix
        if lot is None:
            return await client.lots(limit), [], prefix
        return [await client.lot(lot)], await client.lot_products(lot, limit=limit), prefix


def tell(lots: Sequence[LotView], products: Sequence[ProductLotView]) -> Iterator[str]:
    """Tell lots in lines: of each what is left, loose, in packs, and about to be sold."""
    for lot in lots:
        until = datetime.fromtimestamp(lot.expires_ms / 1_000, UTC).isoformat(timespec="minutes")
        yield f"lot    {lot.id.hex()}: {lot.kind} milk, {lot.status}, best before {until}"
        yield (
            f"       {format_bill(lot.remaining_units)} of {format_bill(lot.minted_units)} litres "
            f"left: {format_bill(lot.loose_units)} loose, "
            f"{format_bill(lot.packed_unsold_units)} in packs"
        )
        if lot.reserved_units:
            yield f"       {format_bill(lot.reserved_units)} of the loose reserved by payments"
    for product in products:
        yield f"pack   {product.id.hex()}: {product.packs} of {format_bill(product.pack_units)}"
        yield (
            f"       {format_bill(product.left_units)} litres left, "
            f"{format_bill(product.reserved_units)} of them reserved by payments"
        )
