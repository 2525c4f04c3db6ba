"""`billcoin signer`: make, show and run what signs for a merchant or a union."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="The signer: pays refunds, coupons, top-ups and welcomes from an account of its own.",
)

Home = Annotated[Path, typer.Option(help="The signer's directory, with signer.toml and its keys.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


@app.command()
def init(
    home: Home,
    account: Annotated[
        list[str], typer.Option("--account", help="An account's name; may be given again.")
    ] = ["operating"],  # noqa: B006 - typer reads it once
    as_json: AsJson = False,
) -> None:
    """Make a home with a key for each account and a configuration; harmless when repeated.

    Put your own limits into signer.toml, name the payout address, and send the accounts some BILL.
    """
    from api.signing.process.config import prepare

    prepare(home, tuple(account))
    show(home, as_json=as_json)


@app.command()
def show(home: Home, as_json: AsJson = False) -> None:
    """Show the accounts, their limits, and what was signed in the last 24 hours."""
    from api.signing.process.config import load_config
    from api.signing.process.showing import show_accounts

    config = load_config(home)
    shown = show_accounts(config)
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for account in shown:
        for name, value in account.items():
            typer.echo(f"{name:<12} {value}")


@app.command()
def resume(
    home: Home,
    account: Annotated[str, typer.Option("--account", help="The account's name.")] = "operating",
) -> None:
    """Let an account sign again that stopped since another process had signed with its key.

    It waits until whatever that one has signed is final or too late. Stop the signer first.
    """
    from api.signing.process.config import load_config
    from api.signing.process.showing import resume_account

    resume_account(load_config(home), account)
    typer.echo(f"{account} signs again when what others signed is final or too late")


@app.command()
def run(home: Home) -> None:
    """Run the signer in the foreground, until SIGTERM or SIGINT."""
    from api.signing.process.config import load_config
    from api.signing.process.running import serve
    from node.logs import set_up_logs

    config = load_config(home)
    set_up_logs("billcoin-signer", config.log_level)
    asyncio.run(serve(config))
