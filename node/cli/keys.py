"""`billcoin keys`: make a key file, and show what is public of one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ledger.primitives.keys import DEVELOPMENT_PREFIX, SigningKey, address_of, format_address
from node.home.key_file import make_seed, read_key, write_key

app = typer.Typer(no_args_is_help=True, help="Make and show keys.")

File = Annotated[Path, typer.Argument(help="The key file.")]
Prefix = Annotated[str, typer.Option(help="The network's address prefix.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


def _show(path: Path, key: SigningKey, prefix: str, as_json: bool) -> None:
    address = format_address(address_of(key.public), prefix)
    shown = {"file": str(path), "public_key": key.public.hex(), "address": address}
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        for name, value in shown.items():
            typer.echo(f"{name.replace('_', ' '):<11} {value}")


@app.command()
def new(file: File, prefix: Prefix = DEVELOPMENT_PREFIX, as_json: AsJson = False) -> None:
    """Make a new secret key, readable by its owner alone. An existing file is never touched."""
    write_key(file, make_seed())
    _show(file, read_key(file), prefix, as_json)


@app.command()
def show(file: File, prefix: Prefix = DEVELOPMENT_PREFIX, as_json: AsJson = False) -> None:
    """Show a key's public half and its address. The secret is never shown."""
    _show(file, read_key(file), prefix, as_json)
