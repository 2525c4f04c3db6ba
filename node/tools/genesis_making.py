"""Making a genesis from a few words: who votes, who holds what, who may do what.

Deterministic: the same words, the same time and the same keys give the same file. Wherever a
holder is asked for, an address stands for somebody else's account, and a plain name for a key in
the keys folder, which is made (mode 0600) if it is not there yet. Stock is never asked for: it
backs exactly what accounts, validators and bonds begin with.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import Units, parse_bill
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of, parse_address
from ledger.state.records import ATTESTORS_LEAST, Role
from ledger.types.evidence import Instrument, MilkKind
from node.errors import BadArgument
from node.home.key_file import make_seed, read_key, write_key
from node.json_file import read_json_object

E = TypeVar("E", bound=StrEnum)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
    attestors: int | None = None
    stock_kind: MilkKind = MilkKind.STERILISED
    stock_plant: str = "opening"
    stock_days: int = 270
    parameters: Mapping[str, object] = field(default_factory=dict)


def make_genesis(plan: GenesisPlan) -> Genesis:
    """Make a checked genesis, and the keys that it names; raise a fault that names the word."""
    words = _Words(plan)
    validators = (
        *(words.own_validator(number) for number in range(plan.validators)),
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


def _roles(plan: GenesisPlan, words: "_Words") -> tuple[GenesisRole, ...]:
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


class _Words:
    """Reads holders, amounts and keys out of an operator's words."""

    def __init__(self, plan: GenesisPlan) -> None:
        self._plan = plan

    def key(self, name: str) -> SigningKey:
        """Give the key of a name, made if it is not there."""
        path = self._plan.keys / f"{name}.key"
        if not path.exists():
            write_key(path, make_seed())
        return read_key(path)

    def holder(self, text: str, where: str) -> Address:
        """Read an address, or the name of a key."""
        if text.startswith(f"{self._plan.prefix}1"):
            return parse_address(text, self._plan.prefix)
        if not _NAME.fullmatch(text):
            raise BadArgument(f"{where}: {text[:80]!r} is neither an address nor a key's name")
        return address_of(self.key(text).public)

    def public(self, text: str, where: str) -> PublicKey:
        """Read a public key in hex, or the name of a key."""
        if _KEY.fullmatch(text):
            return PublicKey(bytes.fromhex(text))
        if not _NAME.fullmatch(text):
            raise BadArgument(f"{where}: {text[:80]!r} is neither a key in hex nor a key's name")
        return self.key(text).public

    def units(self, text: str, where: str) -> Units:
        """Read an amount in BILL."""
        try:
            return parse_bill(text)
        except PrimitiveFault as fault:
            raise BadArgument(f"{where}: {fault}") from fault

    def own_validator(self, number: int) -> GenesisValidator:
        """Seat a validator whose keys are here; its network key is made along."""
        names = [f"validator-{number}/{part}" for part in ("validator", "vrf", "owner", "network")]
        vote, vrf, owner, _ = (self.key(name) for name in names)
        stake = self.units(self._plan.stake, "--stake")
        return GenesisValidator(vote.public, vrf.public, stake, address_of(owner.public))

    def validator(self, text: str) -> GenesisValidator:
        """Seat somebody else's validator."""
        vote, vrf, owner, stake = _split(text, "--validator", "VOTE_KEY:VRF_KEY:OWNER:BILL")
        where = f"--validator {text[:80]}"
        return GenesisValidator(
            self.public(vote, where),
            self.public(vrf, where),
            self.units(stake, where),
            self.holder(owner, where),
        )

    def account(self, text: str) -> GenesisAccount:
        """Open an account with a first balance."""
        holder, amount = _split(text, "--account", "HOLDER:BILL")
        where = f"--account {text[:80]}"
        return GenesisAccount(self.holder(holder, where), self.units(amount, where))

    def bond(self, text: str) -> GenesisBond:
        """Let an MMU vouch with units from the start."""
        holder, amount = _split(text, "--bond", "HOLDER:BILL")
        where = f"--bond {text[:80]}"
        return GenesisBond(self.holder(holder, where), self.units(amount, where))

    def role(self, text: str) -> GenesisRole:
        """Grant a role."""
        name, holder = _split(text, "--role", "ROLE:HOLDER")
        where = f"--role {text[:80]}"
        role = _one_of(Role, name, where)
        attests = role is Role.ATTESTOR
        return GenesisRole(
            role, self.public(holder, where) if attests else self.holder(holder, where)
        )

    def device(self, text: str) -> GenesisDevice:
        """Admit a measuring device; a flow meter's line has a flow limit, as in `@12000`."""
        shape = "KEY:INSTRUMENT[@L_PER_H]:PLANT:OPERATOR:CALIBRATED_UNTIL_MS"
        key, instrument, plant, operator, until = _split(text, "--device", shape)
        where = f"--device {text[:80]}"
        if not (until.isascii() and until.isdigit() and len(until) <= 16):
            raise BadArgument(f"{where}: {until[:20]!r} is not a time in milliseconds")
        instrument, _, flow = instrument.partition("@")
        if not ((flow or "0").isascii() and (flow or "0").isdigit() and len(flow) <= 10):
            raise BadArgument(f"{where}: {flow[:20]!r} is not a flow in litres an hour")
        return GenesisDevice(
            self.public(key, where),
            _one_of(Instrument, instrument, where),
            plant,
            self.holder(operator, where),
            int(until),
            int(flow or "0"),
        )


def _split(text: str, option: str, shape: str) -> list[str]:
    parts = text.split(":")
    if len(parts) != shape.count(":") + 1:
        raise BadArgument(f"{option} {text[:80]!r} is not {shape}")
    return parts


def _one_of(kinds: type[E], text: str, where: str) -> E:
    try:
        return kinds(text)
    except ValueError:
        known = ", ".join(sorted(kind.value for kind in kinds))
        raise BadArgument(f"{where}: {text[:40]!r} is none of {known}") from None
