"""`billcoin proof`: fetch finality proofs, and verify them without a network (docs/spec/proofs.md).

`get` asks a node, which need not be trusted. `verify` and `compare` read files and nothing else;
what they need to trust is the anchor: a genesis file, or an anchor that an earlier `verify` saved.
"""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from ledger.primitives.amounts import format_bill
from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import HASH_BYTES
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import format_address
from ledger.types.transfer import Transfer
from node.cli.options import whole_option
from node.cli.tx import DEFAULT_NODE, AsJson, NodeUrl
from node.client.http import NodeClient
from node.client.views import Json
from node.errors import BadArgument
from node.lightclient import (
    PROOF_BYTES_MAX,
    Anchor,
    Fork,
    ProofFault,
    ProvenTransaction,
    find_fork,
    format_anchor,
    parse_anchor,
    verify_proof,
)
from node.lightclient.verifying import DAY_MS, TRUSTING_MS

ANCHOR_BYTES_MAX: Final = 4 * 1024 * 1024
TRUSTING_DAYS: Final = TRUSTING_MS // DAY_MS
TRUSTING_DAYS_MAX: Final = 36_500

app = typer.Typer(no_args_is_help=True, help="Prove that a payment is final, and check a proof.")

AnchorFile = Annotated[
    Path, typer.Option("--anchor", help="A genesis file, or an anchor: whom you trust.")
]
TrustingDays = Annotated[
    int,
    whole_option(
        "--trusting-days",
        least=1,
        most=TRUSTING_DAYS_MAX,
        help="How old the anchor may be. Less than the time for which stake is bound.",
    ),
]


@app.command()
def get(
    txid: Annotated[str, typer.Argument(help="The transaction's id.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    node: NodeUrl = DEFAULT_NODE,
    from_epoch: Annotated[
        int, whole_option("--from-epoch", help="The epoch of the anchor to verify it by.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Fetch the proof of a final transaction from a node. Check it with `proof verify`."""
    try:
        wanted = parse_hex(txid, HASH_BYTES)
    except BadHex as fault:
        raise BadArgument(f"the id {fault}") from None

    async def fetch() -> bytes:
        async with NodeClient(node) as client:
            return await client.proof(wanted, from_epoch)

    raw = asyncio.run(fetch())
    out.write_bytes(raw)
    told: dict[str, Json] = {"file": str(out), "bytes": len(raw)}
    typer.echo(json.dumps(told) if as_json else f"{out}: {len(raw)} bytes, not verified yet")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The proof.")],
    anchor: AnchorFile,
    trusting_days: TrustingDays = TRUSTING_DAYS,
    save_anchor: Annotated[
        Path | None, typer.Option(help="Write the newer anchor that the proof gives.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a proof without a network. Fails unless it proves a transaction that took effect."""
    try:
        trusted = parse_anchor(_read(anchor, ANCHOR_BYTES_MAX))
        raw = _read(file, PROOF_BYTES_MAX)
        proven = verify_proof(raw, trusted, _now_ms(), trusting_days * DAY_MS)
    except ProofFault as fault:
        _refuse(file, fault, as_json)
        raise typer.Exit(1) from fault
    shown = _present(proven, trusted)
    typer.echo(json.dumps(shown) if as_json else _lines(proven, shown))
    if save_anchor is not None:
        save_anchor.write_text(format_anchor(proven.anchor), "utf-8")
    if not proven.took_effect:
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[Path, typer.Argument(help="A proof.")],
    other: Annotated[Path, typer.Argument(help="Another proof.")],
    anchor: AnchorFile,
    trusting_days: TrustingDays = TRUSTING_DAYS,
    as_json: AsJson = False,
) -> None:
    """Tell whether two valid proofs contradict each other. Fails if they do: the chain forked."""
    trusted = parse_anchor(_read(anchor, ANCHOR_BYTES_MAX))
    raws = [_read(file, PROOF_BYTES_MAX) for file in (one, other)]
    fork = find_fork(raws[0], raws[1], trusted, _now_ms(), trusting_days * DAY_MS)
    if fork is None:
        typer.echo(json.dumps({"fork": False}) if as_json else "no fork: the proofs agree")
        return
    typer.echo(json.dumps(_present_fork(fork)) if as_json else _fork_lines(fork))
    raise typer.Exit(1)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _read(path: Path, limit: int) -> bytes:
    """Read a file, and not much more of it than may be in it."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def _refuse(file: Path, fault: ProofFault, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"verified": False, "code": fault.code, "detail": str(fault)}))
    else:
        typer.echo(f"{file} proves nothing ({fault.code}): {fault}", err=True)


def _present(proven: ProvenTransaction, anchor: Anchor) -> dict[str, Json]:
    """Make JSON of what is proven."""
    last = proven.final_headers[-1]
    shown: dict[str, Json] = {
        "verified": True,
        "took_effect": proven.took_effect,
        "code": proven.receipt.code,
        "chain_id": anchor.chain_id.hex(),
        "txid": proven.txid.hex(),
        "kind": type(proven.transaction.intent.body).__name__,
        "from": format_address(proven.transaction.sender, anchor.prefix),
        "fee_bill": format_bill(proven.receipt.fee_units),
        "height": proven.block.height,
        "block_hash": proven.block_hash.hex(),
        "time_ms": proven.block.time_ms,
        "epoch": proven.block.epoch,
        "final_height": last.header.height,
        "signed_stake": sum(last.committee.stake(member) for member, _ in last.finalization.votes),
        "total_stake": last.committee.total,
        "anchor_epoch": anchor.epoch,
        "anchor_time_ms": anchor.time_ms,
    }
    body = proven.transaction.intent.body
    if isinstance(body, Transfer):
        shown["to"] = format_address(body.to, anchor.prefix)
        shown["bill"] = format_bill(body.units)
        shown["reference"] = body.reference.hex()
        shown["redeemed"] = [
            {"lot": part.lot.hex(), "bill": format_bill(part.units)} for part in body.redeem
        ]
    return shown


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="milliseconds")


def _lines(proven: ProvenTransaction, shown: dict[str, Json]) -> str:
    """Write what is proven for people."""
    last = proven.final_headers[-1]
    failed = f"FAILED with {shown['code']}; its fee was paid and nothing else happened"
    rows = [
        ("proven", "final, and it took effect" if proven.took_effect else f"final, but {failed}")
    ]
    names = ["txid", "kind", "from", "to", "bill", "reference"]
    rows += [(name, str(shown[name])) for name in names if name in shown]
    body = proven.transaction.intent.body
    basket = body.redeem if isinstance(body, Transfer) else ()
    rows += [("redeemed", f"{format_bill(part.units)} of {part.lot.hex()}") for part in basket]
    rows += [
        ("fee", f"{shown['fee_bill']} BILL"),
        ("block", f"{shown['height']}  {shown['block_hash']}"),
        ("time", _time(proven.block.time_ms)),
        ("signed by", f"{shown['signed_stake']} of {shown['total_stake']} units of stake, "
                      f"epoch {last.header.epoch}, block {shown['final_height']}"),
        ("trusting", f"the committee of epoch {shown['anchor_epoch']} as of "
                     f"{_time(int(str(shown['anchor_time_ms'])))}"),
        ("chain", str(shown["chain_id"])),
    ]  # fmt: skip
    return "\n".join(f"{name:<13} {value}" for name, value in rows)


def _present_fork(fork: Fork) -> dict[str, Json]:
    return {
        "fork": True,
        "height": fork.height,
        "blocks": [block.hex() for block in fork.blocks],
        "signers": [key.hex() for key in fork.signers],
        "slashable": [double.key.hex() for double in fork.evidence],
    }


def _fork_lines(fork: Fork) -> str:
    slashable = {double.key for double in fork.evidence}
    rows = [
        f"FORK at height {fork.height}: trust neither proof, and tell others",
        *(f"block         {block.hex()}" for block in fork.blocks),
        *(
            f"signed both   {key.hex()}{'  slashable' if key in slashable else ''}"
            for key in fork.signers
        ),
    ]
    return "\n".join(rows)
