"""Making a genesis from a few words: who votes, who holds what, who may do what, which line mints.

Deterministic: the same words, the same time and the same keys give the same file. Stock is never
asked for: it backs exactly what accounts, validators and bonds begin with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import Units
from ledger.state.records import ATTESTORS_LEAST, Role
from ledger.types.evidence import MilkKind
from node.errors import BadArgument
from node.json_file import read_json_object
from node.tools.genesis_words import GenesisWords


@dataclass(frozen=True, slots=True)
class GenesisPlan:
    """What an operator asks for, in words; `make_genesis` says which word is wrong."""

    name: str
    prefix: str
    time_ms: int
    development: bool
    keys: Path
    validators: int
    stake: str
    given_validators: Sequence[str] = ()
    accounts: Sequence[str] = ()
    roles: Sequence[str] = ()
    devices: Sequence[str] = ()
    bonds: Sequence[str] = ()
    lines: Sequence[str] = ()
    permits: Sequence[str] = ()
    attestors: int | None = None
    stock_kind: MilkKind = MilkKind.STERILISED
    stock_plant: str = "opening"
    stock_days: int = 270
    parameters: Mapping[str, object] = field(default_factory=dict)


def make_genesis(plan: GenesisPlan) -> Genesis:
    """Make a checked genesis, and the keys that it names; raise a fault that names the word."""
    words = GenesisWords(plan.keys, plan.prefix)
    validators = (
        *(words.own_validator(number, plan.stake) for number in range(plan.validators)),
        *(words.validator(text) for text in plan.given_validators),
    )
    accounts = tuple(words.account(text) for text in plan.accounts)
    bonds = tuple(words.bond(text) for text in plan.bonds)
    genesis = Genesis(
        plan.name,
        plan.prefix,
        plan.time_ms,
        _parameters(plan),
        validators,
        accounts,
        _stock(plan, validators, accounts, bonds),
        _roles(plan, words),
        tuple(words.device(text) for text in plan.devices),
        bonds,
        tuple(words.line(text) for text in plan.lines),
        tuple(words.permit(text) for text in plan.permits),
    )
    genesis.check()
    return genesis


def _parameters(plan: GenesisPlan) -> Parameters:
    """Lay the given parameters over the defaults; raise `BadArgument` for one that is unknown."""
    whole = msgspec.to_builtins(default_parameters(development=plan.development))
    try:
        _lay_over(whole, plan.parameters, "parameters")
        return msgspec.convert(whole, Parameters)
    except msgspec.ValidationError as error:
        raise BadArgument(f"--parameters: {error}") from error


def _lay_over(whole: dict[str, object], given: Mapping[str, object], where: str) -> None:
    for name, value in given.items():
        if name not in whole:
            known = ", ".join(sorted(whole))
            raise BadArgument(f"{where}.{name} is no parameter; there are {known}")
        part = whole[name]
        if isinstance(part, dict) and isinstance(value, dict):
            _lay_over(part, value, f"{where}.{name}")
        else:
            whole[name] = value


def read_parameters(path: Path | None) -> dict[str, object]:
    """Read a JSON object of parameters that differ from the defaults."""
    if path is None:
        return {}
    return {**read_json_object(path, "--parameters ")}


def _stock(
    plan: GenesisPlan,
    validators: Sequence[GenesisValidator],
    accounts: Sequence[GenesisAccount],
    bonds: Sequence[GenesisBond],
) -> tuple[GenesisStock, ...]:
    """Put milk on record for exactly what there is to back."""
    sums = (
        ("stake", sum(validator.stake_units for validator in validators)),
        ("accounts", sum(account.units for account in accounts)),
        ("bonds", sum(bond.units for bond in bonds)),
    )
    expires_ms = plan.time_ms + plan.stock_days * DAY_MS
    return tuple(
        GenesisStock(name, plan.stock_kind, plan.stock_plant, Units(units), expires_ms)
        for name, units in sums
        if units
    )


def _roles(plan: GenesisPlan, words: GenesisWords) -> tuple[GenesisRole, ...]:
    """Grant what was asked for, and to as many new attestors as a chain can't begin without."""
    roles = [words.role(text) for text in plan.roles]
    wanted = plan.attestors
    if wanted is None:
        given = any(role.role is Role.ATTESTOR for role in roles)
        wanted = 0 if given else ATTESTORS_LEAST
    roles += [
        GenesisRole(Role.ATTESTOR, words.key(f"attestor-{number}").public)
        for number in range(wanted)
    ]
    return tuple(roles)
