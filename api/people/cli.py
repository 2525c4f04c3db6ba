"""`billcoin api init`, `user` and `secrets`: what begins with whoever can read the home.

Whoever runs these holds the service's secrets already, so no second person is asked: it is how the
first officer of a union comes to be. Heavy modules are imported by the command that needs them.
"""

import asyncio
import json
from typing import Annotated

import typer

from api.errors import ApiFault, ConfigFault
from api.keys.cli import AsJson, Home, fail

user_app = typer.Typer(no_args_is_help=True, help="People, from the command line: the first ones.")
secrets_app = typer.Typer(no_args_is_help=True, help="The service's secrets, and new ones.")


def init(home: Home) -> None:
    """Draw the secrets that a home lacks: files that their owner alone may read."""
    from api.vault.files import make_secrets

    try:
        made = make_secrets(home)
    except ConfigFault as fault:
        fail(fault)
    typer.echo(f"{made.folder}: keep a copy apart from the database's; without it, sealed is lost")


@user_app.command("invite")
def invite(
    home: Home,
    name: Annotated[str, typer.Option("--name", help="The person's name.")],
    role: Annotated[str, typer.Option("--role", help="As in union_officer.")] = "union_officer",
    union: Annotated[str, typer.Option("--union", help="A union's name; usual: the first.")] = "",
    merchant: Annotated[
        str, typer.Option("--merchant", help="A merchant's name, for cashiers and managers.")
    ] = "",
    login: Annotated[str, typer.Option("--login", help="What their password goes with.")] = "",
    as_json: AsJson = False,
) -> None:
    """Invite a person with a role, and print their code once. The service must have run before."""
    from api.config import load_config
    from api.db.faults import DATABASE_FAULTS, describe
    from api.people.bootstrap import Bootstrap, invite_first

    asked = Bootstrap(name, role, union, merchant, login)
    try:
        told = asyncio.run(invite_first(load_config(home), asked))
    except ConfigFault as fault:
        fail(fault)
    except ApiFault as refusal:
        fail(ConfigFault(refusal.detail))
    except DATABASE_FAULTS as fault:
        fail(ConfigFault(f"the database can't be used: {describe(fault)}"))
    typer.echo(json.dumps(told) if as_json else told["activationUrl"])


@secrets_app.command("turn-jwt")
def turn_jwt(
    home: Home,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="End all tokens that are out: a key was copied.")
    ] = False,
) -> None:
    """Draw the next key of access tokens; the one before it verifies on, unless --at-once."""
    from api.vault.files import turn_ring

    try:
        number = turn_ring(home, "jwt", keep=0 if at_once else 1)
    except ConfigFault as fault:
        fail(fault)
    typer.echo(f"jwt-{number}.key signs from now on; running services take it up by themselves")


@secrets_app.command("turn-master")
def turn_master(home: Home) -> None:
    """Draw the next master key and wrap every data key under it. Stop the service first."""
    from api.config import load_config
    from api.db.faults import DATABASE_FAULTS, describe
    from api.people.bootstrap import turn_master_key
    from node.errors import HomeTaken
    from node.home.lock import owned

    try:
        with owned(home):
            count = asyncio.run(turn_master_key(home, load_config))
    except (ConfigFault, HomeTaken) as fault:
        fail(fault)
    except DATABASE_FAULTS as fault:
        fail(ConfigFault(f"the database can't be used: {describe(fault)}"))
    typer.echo(f"{count} data keys are wrapped anew; the old master key is good for backups alone")
