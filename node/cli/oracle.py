"""`billcoin oracle`: make and run a price feeder, and read a source once as it would."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from ledger.primitives.keys import DEVELOPMENT_PREFIX, format_address
from node.logs import set_up_logs
from node.pricefeed.config import load_config, override, prepare
from node.pricefeed.quotes import Quote, format_myr, read_quote
from node.pricefeed.sources import open_source

app = typer.Typer(
    no_args_is_help=True, help="The price feeder: tells the chain what a litre of milk costs."
)

Home = Annotated[Path, typer.Option(help="The feeder's directory, with config.toml and its key.")]
Source = Annotated[
    str | None,
    typer.Option(help="file:PATH or https://HOST/PATH, in place of what config.toml says."),
]
Nodes = Annotated[
    list[str] | None,
    typer.Option("--node", help="A node's HTTP address, in place of config.toml's; may be again."),
]
Prefix = Annotated[str, typer.Option(help="The network's address prefix.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


@app.command()
def init(home: Home, prefix: Prefix = DEVELOPMENT_PREFIX, as_json: AsJson = False) -> None:
    """Make a home with a key and a configuration; harmless when repeated.

    The feeder feeds once a regulator has granted its address the role `oracle`, and it has BILL
    for fees.
    """
    identity = prepare(home)
    shown = {
        "public_key": identity.key.hex(),
        "address": format_address(identity.address, prefix),
    }
    _show(shown, as_json=as_json)


@app.command()
def run(home: Home, source: Source = None, node: Nodes = None) -> None:
    """Run the feeder in the foreground, until SIGTERM or SIGINT."""
    from node.pricefeed.service import serve  # HTTP, which the other commands do without.

    config = override(load_config(home), source, tuple(node or ()))
    set_up_logs("billcoin-oracle", config.log_level)
    asyncio.run(serve(config))


@app.command()
def check(home: Home, source: Source = None, as_json: AsJson = False) -> None:
    """Read the source once, and show what it says. Nothing is fed, and no node is asked."""
    config = override(load_config(home), source, ())
    quote = asyncio.run(_read(config.source, home))
    shown = {"myr_per_litre": format_myr(quote.litre_micro_myr), "as_of_ms": str(quote.as_of_ms)}
    _show(shown, as_json=as_json)


async def _read(text: str, home: Path) -> Quote:
    async with open_source(text, home) as source:
        return read_quote(await source.read())


def _show(shown: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        typer.echo(f"{name.replace('_', ' '):<13} {value}")
