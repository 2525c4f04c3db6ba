"""The genesis file: JSON that a person can read and write (docs/spec/ledger.md, "Genesis").

Keys are hex, addresses bech32m under the file's own prefix, amounts whole units, times
milliseconds. Every field must be there, once, and no other: else another program, with other
defaults or another choice between equal names, would read another chain from the same file.
"""

import json

import msgspec

from ledger.errors.store import BadGenesis
from ledger.genesis.file import (
    AccountLine,
    BondLine,
    DeviceLine,
    GenesisFile,
    LineOfFile,
    PermitLine,
    RoleLine,
    StockLine,
    ValidatorLine,
)
from ledger.genesis.lines import GenesisLine, GenesisPermit
from ledger.genesis.types import (
    GENESIS_BYTES_MAX,
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)
from ledger.primitives.errors import BadAddress, BadJson
from ledger.primitives.keys import Address, PublicKey, format_address, parse_address
from ledger.primitives.strict_json import decode_json
from ledger.rules.permits import ALL_METERS
from ledger.state.records import NOBODY, Role

_KEY_BYTES = 32


def _key(text: str, where: str) -> PublicKey:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES or text != raw.hex():
        raise BadGenesis(where=where, why=f"write a key as {2 * _KEY_BYTES} small hex digits")
    return PublicKey(raw)


def _address(text: str, prefix: str, where: str) -> Address:
    try:
        return parse_address(text, prefix)
    except BadAddress as fault:
        raise BadGenesis(where=where, why=str(fault)) from fault


def _holder(role: RoleLine, prefix: str, where: str) -> bytes:
    if role.role is Role.ATTESTOR:
        if role.key is None or role.address is not None:
            raise BadGenesis(where=where, why="an attestor is named by `key` alone")
        return _key(role.key, f"{where}.key")
    if role.address is None or role.key is not None:
        raise BadGenesis(where=where, why=f"a {role.role} is named by `address` alone")
    return _address(role.address, prefix, f"{where}.address")


def _convert(file: GenesisFile) -> Genesis:
    prefix = file.prefix
    return Genesis(
        file.name,
        prefix,
        file.time_ms,
        file.parameters,
        tuple(
            GenesisValidator(
                _key(v.vote_key, f"validators[{i}].vote_key"),
                _key(v.vrf_key, f"validators[{i}].vrf_key"),
                v.stake_units,
                _address(v.owner, prefix, f"validators[{i}].owner"),
            )
            for i, v in enumerate(file.validators)
        ),
        tuple(
            GenesisAccount(_address(a.address, prefix, f"accounts[{i}].address"), a.units)
            for i, a in enumerate(file.accounts)
        ),
        tuple(
            msgspec.convert((s.name, s.kind, s.plant, s.units, s.expires_ms), GenesisStock)
            for s in file.stock
        ),
        tuple(
            GenesisRole(r.role, _holder(r, prefix, f"roles[{i}]")) for i, r in enumerate(file.roles)
        ),
        tuple(
            GenesisDevice(
                _key(d.key, f"devices[{i}].key"),
                d.instrument,
                d.plant,
                _address(d.operator, prefix, f"devices[{i}].operator"),
                d.calibrated_until_ms,
                d.flow_max_l_per_h,
            )
            for i, d in enumerate(file.devices)
        ),
        tuple(
            GenesisBond(_address(b.mmu, prefix, f"bonds[{i}].mmu"), b.units)
            for i, b in enumerate(file.bonds)
        ),
        tuple(_line(line, prefix, f"lines[{i}]") for i, line in enumerate(file.lines)),
        tuple(_permit(each, prefix, f"permits[{i}]") for i, each in enumerate(file.permits)),
    )


def _line(line: LineOfFile, prefix: str, where: str) -> GenesisLine:
    return GenesisLine(
        line.plant,
        line.line,
        _address(line.mmu, prefix, f"{where}.mmu"),
        line.process,
        line.flow_max_l_per_h,
        line.vat_units,
        line.tank,
        tuple(_key(key, f"{where}.devices[{i}]") for i, key in enumerate(line.devices)),
    )


def _permit(permit: PermitLine, prefix: str, where: str) -> GenesisPermit:
    meter, collector = permit.meter, permit.collector
    return GenesisPermit(
        _address(permit.farm, prefix, f"{where}.farm"),
        _address(permit.mmu, prefix, f"{where}.mmu"),
        ALL_METERS if meter is None else _key(meter, f"{where}.meter"),
        NOBODY if collector is None else _address(collector, prefix, f"{where}.collector"),
        permit.litres_a_day,
        permit.until_ms,
    )


def parse_genesis(text: str | bytes) -> Genesis:
    """Read a genesis file; raise `BadGenesis`, which says where it is wrong and why."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        given = decode_json(raw, GENESIS_BYTES_MAX)
        file = msgspec.convert(given, GenesisFile)
        assert isinstance(given, dict), "the file's type is an object"
        _check_whole(given["parameters"], msgspec.to_builtins(file.parameters), "parameters")
        genesis = _convert(file)
        # Lengths that the file's own structs leave open are in the wire structs' types.
        msgspec.msgpack.decode(msgspec.msgpack.encode(genesis), type=Genesis)
    except BadJson as fault:
        raise BadGenesis(where=fault.place or "file", why=fault.why) from fault
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadGenesis(where="file", why=str(error)) from error
    genesis.check()
    return genesis


def _check_whole(given: object, read: object, where: str) -> None:
    """Raise if a field was left to the program's defaults."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in read.items():
            if name not in given:
                raise BadGenesis(where=where, why=f"it lacks the field `{name}`")
            _check_whole(given[name], value, f"{where}.{name}")


def format_genesis(genesis: Genesis) -> str:
    """Write a genesis as its file; `parse_genesis` gives the same genesis back."""
    prefix = genesis.prefix
    file = GenesisFile(
        genesis.name,
        prefix,
        genesis.time_ms,
        genesis.parameters,
        [
            ValidatorLine(
                v.vote_key.hex(), v.vrf_key.hex(), v.stake_units, format_address(v.owner, prefix)
            )
            for v in genesis.validators
        ],
        [AccountLine(format_address(a.address, prefix), a.units) for a in genesis.accounts],
        [StockLine(s.name, s.kind, s.plant, s.units, s.expires_ms) for s in genesis.stock],
        [_role_text(role, prefix) for role in genesis.roles],
        [
            DeviceLine(
                d.key.hex(),
                d.instrument,
                d.plant,
                format_address(d.operator, prefix),
                d.calibrated_until_ms,
                d.flow_max_l_per_h,
            )
            for d in genesis.devices
        ],
        [BondLine(format_address(b.mmu, prefix), b.units) for b in genesis.bonds],
        [_line_text(line, prefix) for line in genesis.lines],
        [_permit_text(permit, prefix) for permit in genesis.permits],
    )
    return json.dumps(msgspec.to_builtins(file), indent=2) + "\n"


def _role_text(role: GenesisRole, prefix: str) -> RoleLine:
    if role.role is Role.ATTESTOR:
        return RoleLine(role.role, key=role.holder.hex())
    return RoleLine(role.role, address=format_address(Address(role.holder), prefix))


def _line_text(line: GenesisLine, prefix: str) -> LineOfFile:
    return LineOfFile(
        line.plant,
        line.line,
        format_address(line.mmu, prefix),
        line.process,
        line.flow_max_l_per_h,
        line.vat_units,
        line.tank,
        [key.hex() for key in line.devices],
    )


def _permit_text(permit: GenesisPermit, prefix: str) -> PermitLine:
    collector = permit.collector
    return PermitLine(
        format_address(permit.farm, prefix),
        format_address(permit.mmu, prefix),
        None if permit.meter == ALL_METERS else permit.meter.hex(),
        None if collector == NOBODY else format_address(collector, prefix),
        permit.litres_a_day,
        permit.until_ms,
    )
