"""Where trust begins: a committee of one epoch, and the time when it was known to be the right one.

An anchor is a small JSON file that a verifier got from somebody it trusts, or kept from a proof
that it verified. A genesis file is an anchor too, as of its own time. An anchor is never better
than where it came from: nothing in this package can check it.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ledger.errors.store import BadGenesis
from ledger.genesis import Genesis, parse_genesis
from ledger.primitives.committee import COMMITTEE_MAX, Committee, Seat
from ledger.primitives.errors import BadJson
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.primitives.scalars import Epoch, WireEpoch
from ledger.primitives.strict_json import decode_json
from node.lightclient.errors import BadAnchor, BadCommittee

ANCHOR_BYTES_MAX: Final = 4 * 1024 * 1024

_Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


@dataclass(frozen=True, slots=True)
class Anchor:
    """At `time_ms` this was the committee of this epoch. `prefix` is for writing addresses."""

    chain_id: Hash
    prefix: str
    epoch: Epoch
    time_ms: int
    committee: Committee


class _Validator(Struct, forbid_unknown_fields=True):
    vote_key: _Hex
    vrf_key: _Hex
    stake_units: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class _File(Struct, forbid_unknown_fields=True):
    chain_id: _Hex
    prefix: Annotated[str, Meta(pattern=r"^[a-z]{2,16}\Z")]
    epoch: WireEpoch
    time_ms: Annotated[int, Meta(ge=0, le=2**53)]
    validators: Annotated[list[_Validator], Meta(min_length=1, max_length=COMMITTEE_MAX)]


def seat_committee(seats: tuple[Seat, ...]) -> Committee:
    """Make a committee of seats; raise `BadCommittee` unless they ascend by vote key."""
    committee = Committee(seats)
    if not committee.is_ordered:
        raise BadCommittee("the seats of a committee ascend by vote key, each once")
    return committee


def anchor_of(genesis: Genesis) -> Anchor:
    """Trust a genesis: its validators are the committee of epoch 0."""
    return Anchor(genesis.chain_id, genesis.prefix, Epoch(0), genesis.time_ms, genesis.committee)


def parse_anchor(text: bytes) -> Anchor:
    """Read an anchor or a genesis file; raise `BadAnchor`, which says what is wrong.

    `text` is JSON of at most `ANCHOR_BYTES_MAX`. Get it from somebody whom you trust: whoever
    chose the anchor decides what verifies.
    """
    try:
        found = decode_json(text, ANCHOR_BYTES_MAX)
        if isinstance(found, dict) and "parameters" in found:
            return anchor_of(parse_genesis(text))
        file = msgspec.convert(found, type=_File)
        seats = tuple(
            Seat(_key(each.vote_key), _key(each.vrf_key), each.stake_units)
            for each in file.validators
        )
        committee = seat_committee(seats)
    except (msgspec.ValidationError, BadGenesis, BadCommittee, BadJson) as error:
        raise BadAnchor(f"the file is no anchor and no genesis: {error}") from error
    chain_id = Hash(bytes.fromhex(file.chain_id))
    return Anchor(chain_id, file.prefix, Epoch(file.epoch), file.time_ms, committee)


def format_anchor(anchor: Anchor) -> str:
    """Write an anchor as its file; `parse_anchor` gives the same anchor back."""
    file = _File(
        anchor.chain_id.hex(),
        anchor.prefix,
        anchor.epoch,
        anchor.time_ms,
        [
            _Validator(seat.key.hex(), seat.vrf_key.hex(), seat.stake)
            for seat in anchor.committee.seats
        ],
    )
    return json.dumps(msgspec.to_builtins(file), indent=2) + "\n"


def _key(text: str) -> PublicKey:
    return PublicKey(bytes.fromhex(text))
