"""`billcoin tx` and `billcoin balance`: pay, send any transaction, look one up, count a balance.

Each speaks to one node's HTTP address. What is sent is signed here; a key never leaves the machine.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from ledger.primitives.amounts import Units, format_bill, parse_bill
from ledger.primitives.codec import encode
from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import HASH_BYTES, Hash
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import (
    Address,
    Policy,
    SigningKey,
    address_of,
    format_address,
    parse_address,
)
from ledger.rules.fees import price_intent
from ledger.types.transaction import Body, Intent, sign
from ledger.types.transfer import (
    REDEMPTIONS_MAX,
    REFERENCE_BYTES,
    Basket,
    Redemption,
    Transfer,
)
from node.cli.options import whole_option
from node.cli.tx_bodies import read_body, read_policy
from node.client.errors import Rejected, Unanswered
from node.client.http import NodeClient
from node.client.queries import WAIT_MS_MAX
from node.client.views import NodeStatus, TransactionState, TransactionView, present
from node.errors import BadArgument
from node.home.key_file import read_key

DEFAULT_NODE: Final = "http://127.0.0.1:26002"
VALID_BLOCKS: Final = 1_000
"""How many blocks a transfer made here may wait to be included."""

app = typer.Typer(
    no_args_is_help=True, help="Pay, send any transaction of the law, and look one up."
)
T = TypeVar("T")

NodeUrl = Annotated[
    str, typer.Option("--node", envvar="BILLCOIN_NODE", help="A node's HTTP address.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Wait = Annotated[
    int,
    whole_option("--wait-ms", most=WAIT_MS_MAX, help="Wait so long for it to be final."),
]


def _ask(node: str, question: Callable[[NodeClient], Awaitable[T]]) -> T:
    async def run() -> T:
        async with NodeClient(node) as client:
            return await question(client)

    return asyncio.run(run())


def _read_hex(text: str, name: str, size: int) -> bytes:
    try:
        return parse_hex(text, size)
    except BadHex as fault:
        raise BadArgument(f"{name} {fault}") from None


def _read_basket(texts: Sequence[str]) -> Basket:
    """Read `--redeem` as often as it was given, in any order: the law wants them by lot."""
    if len(texts) > REDEMPTIONS_MAX:
        raise BadArgument(f"{len(texts)} times --redeem, {REDEMPTIONS_MAX} are the most")
    basket = sorted(map(_read_redemption, texts), key=lambda part: part.lot)
    for before, part in itertools.pairwise(basket):
        if before.lot == part.lot:
            raise BadArgument(f"--redeem names lot {part.lot.hex()} twice: add its amounts up")
    return tuple(basket)


def _read_redemption(text: str) -> Redemption:
    lot, colon, bill = text.partition(":")
    if not colon:
        raise BadArgument(f"--redeem {text[:80]!r} is not LOT:BILL")
    return Redemption(Hash(_read_hex(lot, "the lot", HASH_BYTES)), parse_bill(bill))


def _show_transaction(view: TransactionView, prefix: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(present(view, prefix)))
        return
    typer.echo(f"transaction {view.txid.hex()}")
    match view.state:
        case TransactionState.FINAL if view.code:
            typer.echo(f"failed      {view.code}, in block {view.height}; its fee was paid")
        case TransactionState.FINAL:
            typer.echo(f"final       in block {view.height}")
        case state:
            typer.echo(f"state       {state.value}")


@app.command()
def transfer(
    key: Annotated[Path, typer.Option("--key", help="The payer's key file.")],
    to: Annotated[str, typer.Option("--to", help="The payee's address.")],
    bill: Annotated[str, typer.Option("--bill", help="The amount, as in 1.8.")],
    node: NodeUrl = DEFAULT_NODE,
    reference: Annotated[str, typer.Option(help="An order's reference, 64 digits of hex.")] = "00"
    * REFERENCE_BYTES,
    redeem: Annotated[
        list[str] | None,
        typer.Option(help="Burn a part with a pack of milk: LOT:BILL. Repeatable, for a basket."),
    ] = None,
    fee: Annotated[
        str | None, typer.Option(help="The fee in BILL; else the least that is taken.")
    ] = None,
    wait_ms: Wait = 3_000,
    as_json: AsJson = False,
) -> None:
    """Pay an account and wait for the payment to be final. Fails if it did not take effect."""
    payer, units, burned = read_key(key), parse_bill(bill), _read_basket(redeem or [])
    tied = _read_hex(reference, "the reference", REFERENCE_BYTES)

    def body(status: NodeStatus) -> Body:
        return Transfer(parse_address(to, status.prefix), units, tied, burned)

    _send(node, Policy.single(payer.public), [payer], body, fee, wait_ms, as_json=as_json)


@app.command()
def send(
    body: Annotated[Path, typer.Argument(help='A JSON file: {"type": "freeze_account", ...}.')],
    key: Annotated[list[Path], typer.Option("--key", help="A signer's key file. Repeatable.")],
    policy: Annotated[
        Path | None,
        typer.Option(help='A joint account: {"threshold": 2, "keys": [...]}; else of the one key.'),
    ] = None,
    node: NodeUrl = DEFAULT_NODE,
    fee: Annotated[
        str | None, typer.Option(help="The fee in BILL; else the least that is taken.")
    ] = None,
    wait_ms: Wait = 3_000,
    as_json: AsJson = False,
) -> None:
    """Send any transaction of the law, signed by one key or by enough of a joint account's."""
    signers = [read_key(path) for path in key]
    if policy is None and len(signers) != 1:
        raise BadArgument("several --key sign for a joint account: name it with --policy")
    sender = read_policy(policy) if policy else Policy.single(signers[0].public)
    if any(signer.public not in sender.keys for signer in signers):
        raise BadArgument(f"{policy}: a --key is not of this account")
    if len(signers) != sender.threshold:
        raise BadArgument(f"exactly {sender.threshold} keys sign for this account")
    _send(
        node,
        sender,
        signers,
        lambda status: read_body(body, status.prefix),
        fee,
        wait_ms,
        as_json=as_json,
    )


@app.command()
def address(
    policy: Annotated[Path, typer.Argument(help='{"threshold": 2, "keys": ["...", ...]}')],
    prefix: Annotated[str, typer.Option(help="Begins every address of the network.")] = "dbill",
) -> None:
    """Say the address of a joint account."""
    typer.echo(format_address(read_policy(policy).address(), prefix))


def _send(
    node: str,
    sender: Policy,
    signers: Sequence[SigningKey],
    make_body: Callable[[NodeStatus], Body],
    fee: str | None,
    wait_ms: int,
    *,
    as_json: bool,
) -> None:
    """Sign behind what the sender has under way, hand in, wait, and show what became of it."""

    async def go(client: NodeClient) -> tuple[TransactionView, NodeStatus]:
        status = await client.status()
        law = (await client.parameters()).decoded()
        intent = Intent(
            chain_id=status.chain_id,
            sender=sender,
            nonce=(await client.account(sender.address())).pending_nonce,
            fee_units=parse_bill(fee) if fee else Units(0),
            valid_until_height=status.height + VALID_BLOCKS,
            body=make_body(status),
        )
        intent = intent if fee else price_intent(intent, law)
        signed = sign(intent, *signers)
        try:
            [outcome] = await client.submit([encode(signed)])
            if outcome.code:
                raise Rejected(outcome.code, outcome.detail, 0)
            return await client.transaction(signed.id, wait_ms), status
        except Unanswered as fault:
            raise Unanswered(
                f"{fault}; it may have been taken: ask with `billcoin tx show {signed.id.hex()}` "
                f"before you send it anew"
            ) from fault

    view, status = _ask(node, go)
    _show_transaction(view, status.prefix, as_json)
    if view.state is not TransactionState.FINAL or view.code:
        raise typer.Exit(1)


@app.command()
def show(
    txid: Annotated[str, typer.Argument(help="The transaction's id.")],
    node: NodeUrl = DEFAULT_NODE,
    wait_ms: Wait = 0,
    as_json: AsJson = False,
) -> None:
    """Show what became of a transaction. Fails if the node does not know it."""
    wanted = _read_hex(txid, "the id", HASH_BYTES)

    async def look(client: NodeClient) -> tuple[TransactionView, str]:
        return await client.transaction(wanted, wait_ms), (await client.status()).prefix

    view, prefix = _ask(node, look)
    _show_transaction(view, prefix, as_json)
    if view.state is TransactionState.UNKNOWN:
        raise typer.Exit(1)


def balance(
    account: Annotated[str, typer.Argument(help="An address, or a key file.")],
    node: NodeUrl = DEFAULT_NODE,
    as_json: AsJson = False,
) -> None:
    """Show what an account holds."""
    path = Path(account)
    own = address_of(read_key(path).public) if path.is_file() else None

    async def look(client: NodeClient) -> tuple[Address, Units, int, str]:
        prefix = (await client.status()).prefix
        address = own or parse_address(account, prefix)
        view = await client.account(address)
        return address, view.units, view.nonce, prefix

    address, units, nonce, prefix = _ask(node, look)
    shown = {
        "address": format_address(address, prefix),
        "bill": format_bill(units),
        "nonce": nonce,
    }
    typer.echo(json.dumps(shown) if as_json else f"{shown['bill']} BILL")
