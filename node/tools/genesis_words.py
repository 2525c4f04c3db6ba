"""The words of a genesis: each option's text read as what it stands for, or told where it is wrong.

An address stands for somebody else's account, a key in hex for somebody else's device, and a plain
name for a key in the keys folder, which is made (mode 0600) if it is not there yet.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from ledger.genesis import (
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisLine,
    GenesisPermit,
    GenesisRole,
    GenesisValidator,
)
from ledger.primitives.amounts import UNITS_PER_BILL, Units, parse_bill
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of, parse_address
from ledger.rules.permits import ALL_METERS
from ledger.state.records import NOBODY, Role
from ledger.types.evidence import HeatProcess, Instrument
from node.errors import BadArgument
from node.home.key_file import make_seed, read_key, write_key

E = TypeVar("E", bound=StrEnum)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGITS_MAX: Final = 16
ANY: Final = "*"
"""Stands for all of a farm's meters, or for a collection by the MMU alone."""


class GenesisWords:
    """Reads holders, amounts and keys out of an operator's words."""

    def __init__(self, keys: Path, prefix: str) -> None:
        self._keys, self._prefix = keys, prefix

    def key(self, name: str) -> SigningKey:
        """Give the key of a name, made if it is not there."""
        path = self._keys / f"{name}.key"
        if not path.exists():
            write_key(path, make_seed())
        return read_key(path)

    def holder(self, text: str, where: str) -> Address:
        """Read an address, or the name of a key."""
        if text.startswith(f"{self._prefix}1"):
            return parse_address(text, self._prefix)
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

    def own_validator(self, number: int, bill: str) -> GenesisValidator:
        """Seat a validator whose keys are here; its network key is made along."""
        names = [f"validator-{number}/{part}" for part in ("validator", "vrf", "owner", "network")]
        vote, vrf, owner, _ = (self.key(name) for name in names)
        stake = self.units(bill, "--stake")
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
        instrument, _, flow = instrument.partition("@")
        return GenesisDevice(
            self.public(key, where),
            _one_of(Instrument, instrument, where),
            plant,
            self.holder(operator, where),
            _time_ms(until, where),
            _number(flow or "0", "a flow in litres an hour", where),
        )

    def line(self, text: str) -> GenesisLine:
        """Register a line: `continuous@12000` passes so much an hour, `batch@5000` is its vat's."""
        shape = "PLANT:LINE:MMU:PROCESS@LITRES:TANK:DEVICE,DEVICE,..."
        plant, line, mmu, process, tank, devices = _split(text, "--line", shape)
        where = f"--line {text[:80]}"
        process, _, litres = process.partition("@")
        how = _one_of(HeatProcess, process, where)
        flow, vat = _number(litres, "the litres of an hour, or of a vat", where), 0
        if how is HeatProcess.BATCH:
            flow, vat = 0, flow * UNITS_PER_BILL
        keys = sorted(self.public(each, where) for each in devices.split(","))
        return GenesisLine(
            plant, line, self.holder(mmu, where), how, flow, Units(vat), tank, tuple(keys)
        )

    def permit(self, text: str) -> GenesisPermit:
        """Let an MMU have a farm's milk: of a meter or all, brought by a collector or itself."""
        shape = "FARM:MMU:METER:COLLECTOR:LITRES_A_DAY:UNTIL_MS"
        farm, mmu, meter, collector, litres, until = _split(text, "--permit", shape)
        where = f"--permit {text[:80]}"
        return GenesisPermit(
            self.holder(farm, where),
            self.holder(mmu, where),
            ALL_METERS if meter == ANY else self.public(meter, where),
            NOBODY if collector == ANY else self.holder(collector, where),
            _number(litres, "litres a day", where),
            _time_ms(until, where),
        )


def _number(text: str, what: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise BadArgument(f"{where}: {text[:20]!r} is not {what}")
    return int(text)


def _time_ms(text: str, where: str) -> int:
    return _number(text, "a time in milliseconds", where)


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
