"""`billcoin api keys`: a merchant's keys by command, for who has the service's home."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TypeVar

import typer

from api.access.roles import ALL_SCOPES, Scope
from api.errors import ApiFault, ConfigFault

if TYPE_CHECKING:
    from api.config import ApiConfig
    from api.keys.model import ApiKey

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="API keys of merchants and partners.")

Home = Annotated[Path, typer.Option("--home", help="The service's home: config.toml and keys.")]
Merchant = Annotated[str, typer.Option("--merchant", help="A merchant's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
KeyId = Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it may do; all if none.")]
NO_SCOPES: Final[list[Scope]] = []


def fail(fault: Exception) -> NoReturn:
    """End a command with one line."""
    typer.echo(f"billcoin api: {fault}", err=True)
    raise typer.Exit(1) from fault


def _config(home: Path) -> "ApiConfig":
    from api.config import load_config

    try:
        return load_config(home)
    except ConfigFault as fault:
        fail(fault)


def _done(act: Coroutine[Any, Any, T]) -> T:
    """Carry an act out; end the command with one line if it can't be."""
    from api.db.faults import DATABASE_FAULTS, describe

    try:
        return asyncio.run(act)
    except (ConfigFault, ApiFault) as fault:
        fail(fault)
    except DATABASE_FAULTS as fault:
        fail(ConfigFault(f"the database can't be used: {describe(fault)}"))


def _shown(key: "ApiKey") -> dict[str, object]:
    from api.amounts import format_time

    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created": format_time(key.created_ms),
        "revoked": None if key.revoked_ms is None else format_time(key.revoked_ms),
        "secrets": [
            {
                "hint": secret.hint,
                "ends": None if secret.until_ms is None else format_time(secret.until_ms),
            }
            for secret in key.secrets
        ],
    }


def _tell_secret(merchant: str, key: "ApiKey", secret: str, as_json: bool) -> None:
    told = {"merchant": merchant, "id": key.id, "key": secret}
    typer.echo(json.dumps(told) if as_json else secret)


@app.command()
def new(
    home: Home,
    merchant: Merchant,
    name: Annotated[str, typer.Option("--name", help="What uses it.")] = "by command",
    scopes: Scopes = NO_SCOPES,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is shown once and stored as a digest alone."""
    from api.keys.console import issue

    config = _config(home)
    _tell_secret(merchant, *_done(issue(config, merchant, name, scopes or ALL_SCOPES)), as_json)


@app.command("list")
def list_(home: Home, merchant: Merchant, as_json: AsJson = False) -> None:
    """List a merchant's keys, newest first."""
    from api.keys.console import list_all

    config = _config(home)
    keys = _done(list_all(config, merchant))
    if as_json:
        typer.echo(json.dumps([_shown(key) for key in keys]))
        return
    for key in keys:
        state = "revoked" if key.revoked_ms is not None else " ".join(s.hint for s in key.secrets)
        typer.echo(f"{key.id}  {state:<9}  {key.name}  {' '.join(key.scopes)}")


@app.command()
def rotate(home: Home, merchant: Merchant, key: KeyId, as_json: AsJson = False) -> None:
    """Exchange a key's secret; the one before lives on for a day."""
    from api.keys import console

    config = _config(home)
    _tell_secret(merchant, *_done(console.rotate(config, merchant, key)), as_json)


@app.command()
def revoke(home: Home, merchant: Merchant, key: KeyId, as_json: AsJson = False) -> None:
    """Revoke a key; when the command ends, no worker lets it pass any more."""
    from api.keys import console

    config = _config(home)
    revoked = _done(console.revoke(config, merchant, key))
    typer.echo(json.dumps(_shown(revoked)) if as_json else f"{revoked.id} is revoked")
