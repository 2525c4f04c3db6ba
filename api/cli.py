"""`billcoin api`: run the payments service and its database, and make keys for partners."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from api.errors import ConfigFault, DatabaseFault
from node.cli.options import whole_option

app = typer.Typer(no_args_is_help=True, help="Payments: orders, validation, settlement.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of merchants and partners.")
app.add_typer(key_app, name="key")

Home = Annotated[Path, typer.Option("--home", help="The service's home: config.toml and keys.")]


def _fail(fault: Exception) -> NoReturn:
    typer.echo(f"billcoin api: {fault}", err=True)
    raise typer.Exit(1) from fault


@app.command()
def run(home: Home) -> None:
    """Run the payments service in the foreground, until SIGTERM or SIGINT."""
    from api.config import load_config
    from api.http.server import serve
    from node.errors import HomeTaken
    from node.home.lock import owned

    try:
        config = load_config(home)
        with owned(home):
            raise typer.Exit(asyncio.run(serve(config)))
    except (ConfigFault, HomeTaken) as fault:
        _fail(fault)


@app.command()
def database(
    directory: Annotated[Path, typer.Option("--dir", help="The folder of the database.")],
    port: Annotated[int, whole_option("--port", least=1, most=65_535, help="On the loopback.")],
) -> None:
    """Run an embedded PostgreSQL in the foreground, until SIGTERM or SIGINT."""
    import structlog

    from api.db import postgres
    from node.errors import HomeTaken
    from node.logs import set_up_logs

    set_up_logs("database")
    log = structlog.get_logger("postgres")
    try:
        code = postgres.run(directory, port, log.info)
    except (DatabaseFault, HomeTaken, OSError) as fault:
        _fail(fault)
    raise typer.Exit(code)


@key_app.command("new")
def new_key(
    home: Home,
    merchant: Annotated[str, typer.Option("--merchant", help="A merchant's name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make an API key for a merchant. It is shown once and stored as a digest alone."""
    from api.config import load_config
    from api.db.faults import DATABASE_FAULTS, describe
    from api.http.server import issue_key

    try:
        key = asyncio.run(issue_key(load_config(home), merchant))
    except ConfigFault as fault:
        _fail(fault)
    except DATABASE_FAULTS as fault:
        _fail(ConfigFault(f"the database can't be used: {describe(fault)}"))
    typer.echo(json.dumps({"merchant": merchant, "key": key}) if as_json else key)
