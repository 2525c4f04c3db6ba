"""`billcoin genesis`: make the file that a chain begins with, and check one.

`check` says what keeps a chain from beginning, where it stands and what to write instead. It also
remarks, without failing, on what seems forgotten (nobody licenses devices, nobody mints).
"""

import json
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from ledger.genesis import (
    Genesis,
    format_genesis,
    format_schema,
    genesis_hash,
    parse_genesis,
)
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import format_address
from ledger.state.records import Role
from ledger.types.evidence import Instrument, MilkKind
from node.cli.options import whole_option
from node.errors import BadArgument
from node.tools.genesis_making import GenesisPlan, make_genesis, read_parameters

VALIDATORS_MADE_MAX: Final = 128
SHOWN: Final = (
    *("name", "prefix", "chain_id", "genesis_hash", "time_ms"),
    *("accounts", "devices", "lines", "permits"),
)

app = typer.Typer(no_args_is_help=True, help="Make and check the file that a chain begins with.")

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Json = dict[str, object]


def describe(genesis: Genesis) -> Json:
    """Say what begins with a genesis."""
    minted = Units(sum(stock.units for stock in genesis.stock))
    return {
        "name": genesis.name,
        "prefix": genesis.prefix,
        "chain_id": genesis.chain_id.hex(),
        "genesis_hash": genesis_hash(genesis).hex(),
        "time_ms": genesis.time_ms,
        "development": genesis.development,
        "supply_bill": format_bill(minted),
        "accounts": len(genesis.accounts),
        "devices": len(genesis.devices),
        "lines": len(genesis.lines),
        "permits": len(genesis.permits),
        "roles": {
            role.value: count
            for role in Role
            if (count := sum(grant.role is role for grant in genesis.roles))
        },
        "validators": [
            {
                "vote_key": validator.vote_key.hex(),
                "owner": format_address(validator.owner, genesis.prefix),
                "stake_bill": format_bill(validator.stake_units),
            }
            for validator in genesis.validators
        ],
        "remarks": remarks(genesis),
    }


def remarks(genesis: Genesis) -> list[str]:
    """List what a chain can begin without, and will miss."""
    held = {grant.role for grant in genesis.roles}
    found = []
    if Role.REGULATOR not in held:
        found.append("no regulator: nobody can license an MMU, approve a device or recall a lot")
    if Role.MMU not in held and Role.REGULATOR not in held:
        found.append("no MMU and nobody to license one: no milk can ever be minted")
    found += _remarks_on_milk(genesis)
    if len(genesis.validators) < 4:
        found.append("fewer than four validators: the chain stops when one of them does")
    total = sum(validator.stake_units for validator in genesis.validators)
    if len(genesis.validators) > 1 and any(3 * v.stake_units >= total for v in genesis.validators):
        found.append("one validator has a third of the stake: nothing is final without it")
    if genesis.development:
        found.append("development: epochs and delays may be short; not for real milk")
    return found


def _remarks_on_milk(genesis: Genesis) -> list[str]:
    found = []
    mmus = {grant.holder for grant in genesis.roles if grant.role is Role.MMU}
    if mmus - {bond.mmu for bond in genesis.bonds}:
        found.append("an MMU without a bond: it mints once it has posted one")
    if mmus - {line.mmu for line in genesis.lines}:
        found.append("an MMU without a line: it mints once a regulator has registered one")
    meters = [each for each in genesis.devices if each.instrument is Instrument.MILK_METER]
    if {meter.operator for meter in meters} - {permit.farm for permit in genesis.permits}:
        found.append("a farm that consents to no MMU: its milk is nobody's to take until it does")
    return found


def _show(genesis: Genesis, as_json: bool, path: Path) -> None:
    shown = describe(genesis)
    if as_json:
        typer.echo(json.dumps({"file": str(path), "ok": True, **shown}))
        return
    typer.echo(f"{path} can begin a chain")
    for name in SHOWN:
        typer.echo(f"  {name.replace('_', ' '):<13} {shown[name]}")
    typer.echo(f"  {'supply':<13} {shown['supply_bill']} BILL, each backed by milk on record")
    typer.echo(f"  {'validators':<13} {len(genesis.validators)}")
    for validator in genesis.validators:
        stake = format_bill(validator.stake_units)
        typer.echo(f"    {validator.vote_key.hex()}  {stake} BILL")
    for remark in remarks(genesis):
        typer.echo(f"  remark        {remark}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The genesis file.")], as_json: AsJson = False
) -> None:
    """Check a genesis file and say what it begins: chain id, supply, validators."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise BadArgument(f"{file} can't be read: {error.strerror}; name a file") from error
    _show(parse_genesis(text), as_json, file)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a genesis file, for editors and for other programs."""
    typer.echo(format_schema(), nl=False)


Out = Annotated[Path, typer.Option("--out", help="The file to write; never overwritten.")]
Name = Annotated[str, typer.Option(help="The network's name.")]
Prefix = Annotated[str, typer.Option(help="Begins every address.")]
Time = Annotated[
    int | None, whole_option(help="When the chain begins, in ms since 1970; else now.")
]
Development = Annotated[
    bool, typer.Option(help="Epochs and delays may be short; not for real milk.")
]
Keys = Annotated[
    Path | None, typer.Option(help="Where keys are kept and made; else keys/ beside FILE.")
]
Validators = Annotated[
    int, whole_option(most=VALIDATORS_MADE_MAX, help="How many to make keys for here.")
]
Stake = Annotated[str, typer.Option(help="What each of them has at stake, in BILL.")]
Given = Annotated[
    list[str] | None, typer.Option(help="Another's: VOTE_KEY:VRF_KEY:OWNER:BILL. Repeatable.")
]
Accounts = Annotated[
    list[str] | None,
    typer.Option(help="A first balance, HOLDER:BILL; an address or a key's name. Repeatable."),
]
Roles = Annotated[
    list[str] | None,
    typer.Option(help="ROLE:HOLDER; an address, a key's name or an attestor's key. Repeatable."),
]
Devices = Annotated[
    list[str] | None,
    typer.Option(help="KEY:INSTRUMENT[@L_PER_H]:PLANT:OPERATOR:CALIBRATED_UNTIL_MS. Repeatable."),
]
Bonds = Annotated[
    list[str] | None,
    typer.Option(help="What an MMU vouches with from the start, HOLDER:BILL. Repeatable."),
]
Lines = Annotated[
    list[str] | None,
    typer.Option(
        help="A line, PLANT:LINE:MMU:continuous@L_PER_H:TANK:DEVICE,DEVICE,... or with"
        " batch@VAT_LITRES; devices by key or name. Repeatable."
    ),
]
Permits = Annotated[
    list[str] | None,
    typer.Option(
        help="A farm's consent, FARM:MMU:METER:COLLECTOR:LITRES_A_DAY:UNTIL_MS; * stands for all"
        " its meters, and for the MMU alone. Repeatable."
    ),
]
Attestors = Annotated[
    int | None, whole_option(most=64, help="How many to make keys for; else enough.")
]
StockKind = Annotated[MilkKind, typer.Option(help="The milk on record.")]
StockPlant = Annotated[str, typer.Option(help="Where it stands.")]
StockDays = Annotated[int, whole_option(least=1, most=400, help="How long it keeps.")]
ParameterFile = Annotated[
    Path | None, typer.Option(help="A JSON file of parameters that differ from the defaults.")
]


@app.command()
def new(
    out: Out,
    name: Name = "dev",
    prefix: Prefix = "dbill",
    time_ms: Time = None,
    development: Development = True,
    keys: Keys = None,
    validators: Validators = 4,
    stake: Stake = "100000",
    validator: Given = None,
    account: Accounts = None,
    role: Roles = None,
    device: Devices = None,
    bond: Bonds = None,
    line: Lines = None,
    permit: Permits = None,
    attestors: Attestors = None,
    stock_kind: StockKind = MilkKind.STERILISED,
    stock_plant: StockPlant = "opening",
    stock_days: StockDays = 270,
    parameters: ParameterFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a genesis file. The same words, time and keys give the same file."""
    if out.exists():
        raise BadArgument(f"{out} exists: a genesis is never overwritten; name another file")
    plan = GenesisPlan(
        name=name,
        prefix=prefix,
        time_ms=time.time_ns() // 1_000_000 if time_ms is None else time_ms,
        development=development,
        keys=out.parent / "keys" if keys is None else keys,
        validators=validators,
        stake=stake,
        given_validators=validator or (),
        accounts=account or (),
        roles=role or (),
        devices=device or (),
        bonds=bond or (),
        lines=line or (),
        permits=permit or (),
        attestors=attestors,
        stock_kind=stock_kind,
        stock_plant=stock_plant,
        stock_days=stock_days,
        parameters=read_parameters(parameters),
    )
    genesis = make_genesis(plan)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("x", encoding="utf-8") as file:
        file.write(format_genesis(genesis))
    _show(genesis, as_json, out)
