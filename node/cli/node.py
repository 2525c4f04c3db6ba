"""`billcoin node`: run a validator, or the RPC process of one, and begin the journal of a new one.

Imports of the network stack stand inside the commands: `--help` must not wait for them.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Run a validator.")

Home = Annotated[
    Path, typer.Option("--home", help="The node's folder, with config.toml and keys/.")
]


@app.command()
def run(
    home: Home,
    rpc: Annotated[
        bool, typer.Option(help="Also run the HTTP process; else start `node rpc` yourself.")
    ] = True,
) -> None:
    """Run a validator in the foreground, until SIGTERM or Ctrl-C."""
    from node.config import load_config
    from node.home.lock import owned
    from node.logs import set_up_logs

    config = load_config(home)
    set_up_logs(f"billcoin-{config.name}", config.log_level)

    import trio

    from node.shell.running import run_node  # Takes a second: a wrong home is told before it.

    async def start() -> None:
        await run_node(config, with_rpc=rpc)

    with owned(home):
        trio.run(start)


@app.command()
def new_journal(home: Home) -> None:
    """Begin the journal of a new validator. Only for a key that has never voted on this chain.

    A node without a journal takes it for lost: it watches before it votes, so that a wiped home
    can't vote twice. The validators of a new chain would watch each other for ever.
    """
    from node.config import JOURNAL_FOLDER, STORE_FOLDER, load_config
    from node.errors import JournalExists
    from node.home.lock import owned
    from node.shell.disk.journal import begin_journal
    from node.tools.homes import Home as StoppedHome
    from node.tools.homes import stopped

    config = load_config(home)
    if config.path(STORE_FOLDER).is_dir():
        with stopped(StoppedHome(home)) as store:
            if (head := store.head()) is not None and head.height > 0:
                raise JournalExists(
                    f"{home} holds blocks: its key may have voted on them; start the node, and it "
                    f"votes as soon as that is safe"
                )
    with owned(home):
        begin_journal(config.path(JOURNAL_FOLDER))
    typer.echo(f"{config.path(JOURNAL_FOLDER)}: begun")


@app.command()
def rpc(
    home: Home,
    ends_with_parent: Annotated[
        bool, typer.Option("--ends-with-parent", hidden=True, help="End when stdin is closed.")
    ] = False,
) -> None:
    """Serve a running node's RPC over HTTP, until SIGTERM or Ctrl-C."""
    from node.config import load_config
    from node.logs import set_up_logs
    from node.shell.rpc.process import serve_rpc

    config = load_config(home)
    set_up_logs(f"billcoin-{config.name}-rpc", config.log_level)
    serve_rpc(config, ends_with_parent=ends_with_parent)
