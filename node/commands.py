"""`billcoin node`: run a validator, or the RPC process of one.

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
    from node.logs import set_up_logs

    config = load_config(home)
    set_up_logs(f"billcoin-{config.name}", config.log_level)

    import trio

    from node.shell.running import run_node  # Takes a second: a wrong home is told before it.

    async def start() -> None:
        await run_node(config, with_rpc=rpc)

    trio.run(start)


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
    from node.shell.rpc_process import serve_rpc

    config = load_config(home)
    set_up_logs(f"billcoin-{config.name}-rpc", config.log_level)
    serve_rpc(config, ends_with_parent=ends_with_parent)
