"""A reader of genesis files that knows docs/spec/encoding.md and nothing else.

The order and the forms of fields it takes from the tables of §7.5 themselves: what it can't read
there, nobody can.
"""

import json
import re
from hashlib import blake2b
from pathlib import Path

import msgpack

TEXT = Path(__file__).parents[3] / "docs/spec/encoding.md"
ROW = re.compile(r"\| (\w+) \| (array|map) \| (.+) \|")
FIELD = re.compile(r"`(\w+)` (.+?)(?=, `|$)")
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def shapes():
    """Give the structs of §7.5: whether each is a map, and its fields with their forms."""
    section = TEXT.read_text("utf-8").split("### 7.5")[1].split("### 7.6")[0]
    rows = [ROW.fullmatch(line) for line in section.splitlines()]
    return {row[1]: (row[2] == "map", FIELD.findall(row[3])) for row in rows if row}


def read_address(text):
    """Read an address (§3.3): 52 groups of 5 bits, behind them 6 of checksum, not looked at."""
    groups = [BECH32.index(sign) for sign in text.rpartition("1")[2][:-6]]
    assert len(groups) == 52
    number = 0
    for group in groups:
        number = number << 5 | group
    return (number >> 4).to_bytes(32, "big")


def encode_struct(known, name, value):
    """Encode an object of the file as the struct of that name."""
    if name == "GenesisRole":
        holder = value.get("address")
        key = bytes.fromhex(value["key"]) if holder is None else read_address(holder)
        return [value["role"], key]
    as_map, fields = known[name]
    assert set(value) == {field for field, _ in fields}
    found = {field: encode_value(known, form, value[field]) for field, form in fields}
    return found if as_map else list(found.values())


def encode_value(known, form, value):
    """Encode a value by its form (§7)."""
    if value is None:
        return bytes(32)
    if form == "key":
        return bytes.fromhex(value)
    if form == "address":
        return read_address(value)
    if form.startswith("["):
        return [encode_value(known, form[1:].split()[0], each) for each in value]
    if form.startswith("{"):
        return dict(sorted(value.items(), key=lambda each: each[0].encode()))
    return encode_struct(known, form, value) if form in known else value


def read_genesis(text):
    """Give the anchor that a genesis file is (proofs.md §4): id, epoch, time and seats."""
    file = json.loads(text)
    encoded = msgpack.packb(encode_struct(shapes(), "Genesis", file), use_bin_type=True)
    chain_id = blake2b(b"BILLCOIN/genesis/1" + encoded, digest_size=32).digest()
    seats = sorted(
        [bytes.fromhex(each["vote_key"]), bytes.fromhex(each["vrf_key"]), each["stake_units"]]
        for each in file["validators"]
    )
    return chain_id, 0, file["time_ms"], seats
