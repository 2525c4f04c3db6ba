"""`billcoin api`: run the payments service and its database, and make keys for partners."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api.errors import ConfigFault, DatabaseFault
from api.keys.cli import Home, fail
from api.keys.cli import app as keys
from api.people.cli import init, secrets_app, user_app
from node.cli.options import whole_option

WORKERS_MAX: Final = 64
WORKERS_USUAL: Final = 2
"""So that the death of one, or its renewal, is nobody's matter."""

app = typer.Typer(no_args_is_help=True, help="Payments: orders, validation, settlement.")
app.add_typer(keys, name="keys")
app.add_typer(user_app, name="user")
app.add_typer(secrets_app, name="secrets")
app.command("init")(init)


@app.command()
def run(
    home: Home,
    workers: Annotated[
        int,
        whole_option(
            "--workers",
            least=1,
            most=WORKERS_MAX,
            help="Processes that serve: one a core. SIGHUP renews them one after another.",
        ),
    ] = WORKERS_USUAL,
) -> None:
    """Run the payments service in the foreground, until SIGTERM or SIGINT."""
    from api.config import load_config
    from api.transport import check_ways, tls_of
    from api.workers.running import run_workers
    from node.errors import HomeTaken
    from node.home.lock import owned
    from node.logs import set_up_logs

    try:
        config = load_config(home)
        check_ways(config)
        tls_of(config)
        with owned(home):
            set_up_logs("api")
            raise typer.Exit(run_workers(home, config.host, config.port, workers))
    except (ConfigFault, HomeTaken) as fault:
        fail(fault)


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
        fail(fault)
    raise typer.Exit(code)
