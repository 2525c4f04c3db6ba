"""`billcoin webhooks`: what a partner's developer uses beside the service."""

import time
from typing import Annotated, Final

import typer

LOOK_S: Final = 0.5
"""How often a merchant's new events are asked for."""

app = typer.Typer(no_args_is_help=True, help="A merchant's events, for developers.")


@app.callback()
def main() -> None:
    """A merchant's events, for developers."""


@app.command()
def listen(
    forward_to: Annotated[str, typer.Option("--forward-to", help="Where events are posted.")],
    key: Annotated[
        str, typer.Option("--key", envvar="BILLCOIN_API_KEY", help="A key with events:read.")
    ],
    api: Annotated[
        str, typer.Option("--api", help="The payments service.")
    ] = "http://127.0.0.1:8080",
    from_start: Annotated[
        bool, typer.Option("--from-start", help="All that is kept, not what is new alone.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Forward what is there, and end.")] = False,
) -> None:
    """Post a merchant's events to an address as they happen, signed, until interrupted."""
    from api.client.calls import PaymentsClient
    from api.client.faults import PartnerFault
    from api.client.listening import Forwarder

    with PaymentsClient(api, key) as payments:
        forwarder = Forwarder(payments, forward_to, typer.echo)
        typer.echo(f"verify with {forwarder.secret}")
        try:
            seen = 0 if from_start else forwarder.newest()
            while True:
                seen = forwarder.forward(seen)
                if once:
                    return
                time.sleep(LOOK_S)
        except PartnerFault as fault:
            typer.echo(f"billcoin webhooks: {fault}", err=True)
            raise typer.Exit(1) from fault
        finally:
            forwarder.close()
