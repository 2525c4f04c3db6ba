"""The JSON Schema of a genesis file, made from the types that read one.

It says of each field what it is and its bounds. No schema can say what holds between fields (stock
backs every unit, keys stand once): `parse_genesis` checks that.
"""

import json
from typing import Final

import msgspec

from ledger.genesis.file import GenesisFile, RoleLine
from ledger.params import Doubting, Parameters, Pricing, Split, Staking
from ledger.state.records import Role
from ledger.types.evidence import MilkKind

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

WORDS: Final[dict[type, dict[str, str]]] = {
    Parameters: {
        "development": "One feeder makes a price, and delays may be short: not for real milk.",
        "fee_least_units": "The least fee, for each 1,024 bytes signed that are begun.",
        "heat_rules": "Whose rules say what pasteurized means.",
        "probe_uncertainty_mdegc": "What a thermometer may be wrong by; added to each limit.",
        "density_mg_per_l": "Of raw milk, to count litres by weight.",
        "agreement_bp": "By how much flow meter and tank gauge may differ.",
        "collection_age_ms_max": "How long before a run its milk may have been collected.",
        "clock_skew_ms_max": "How far a device's clock may be ahead of the block's.",
        "shelf_days": "How long each kind of milk keeps; every kind.",
        "challenge_deposit_units": "What a doubter of a lot puts down at least.",
        "challenge_window_ms": "How long a lot may be refuted; at least 14 d but in development.",
        "release_ms": "How long a buyer may dispute before the seller can take the escrow.",
        "roll_grace_ms": "How long only its MMU may write an expired lot off.",
        "mmu_bond_least_units": "What an MMU must vouch with to mint.",
        "bond_bp": "And what part of all that it minted within the challenge window.",
    },
    Split: {
        "processor_bp": "To the MMU.",
        "validators_bp": "To validators; with attestors_bp at most 300.",
        "attestors_bp": "To attestors; with validators_bp at most 300.",
        "reserve_bp": "To the perish reserve; all four are at most 2,000.",
    },
    Staking: {
        "epoch_blocks": "How many blocks an epoch has; at least 10,000 but in development.",
        "committee_max": "How many validators sit at most.",
        "stake_least_units": "What a validator must have at stake to sit.",
        "unbonding_epochs": "When stake is free; at least two more than evidence_epochs.",
        "unbonding_ms": "And no earlier than this; at least evidence_ms.",
        "evidence_epochs": "How long a fault is punishable.",
        "evidence_ms": "And no shorter than this.",
        "jail_epochs": "How long a punished validator can't sit.",
        "slash_bp": "What a fault costs, of the seat's stake.",
        "reporter_bp": "The reporter's part of that.",
    },
    Pricing: {
        "floor": "The lowest price, in millionths of a ringgit a litre; at most the ceiling.",
        "ceiling": "The highest price.",
        "day_step_bp": "How far the price moves within 24 hours.",
        "fresh_ms": "How long a price, or a feed, is good.",
        "feeders_least": "How many feeders there must be for a price.",
    },
    Doubting: {
        "attestor_bond_least_units": "What an attestor must vouch with for its word to count.",
        "attest_slash_bp": "What a false window costs who signed it, of the bond.",
        "refuter_bp": "The refuter's part of that.",
        "answer_ms": "How long a question may wait; at least an hour but in development.",
    },
}
"""What the fields of the parameters are for."""

Json = dict[str, object]


def _fields(definition: Json) -> dict[str, Json]:
    fields = definition["properties"]
    assert isinstance(fields, dict)
    return fields


def genesis_schema() -> Json:
    """Make the schema of a genesis file."""
    (_, *_), found = msgspec.json.schema_components([GenesisFile], ref_template="#/$defs/{name}")
    definitions: dict[str, Json] = dict(found)
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = " ".join(str(definition["description"]).split())
        if "properties" in definition:
            # A program's defaults are no part of a file: another program's may differ.
            definition["required"] = list(_fields(definition))
            for field in _fields(definition).values():
                field.pop("default", None)
    for part, words in WORDS.items():
        for name, field in _fields(definitions[part.__name__]).items():
            if name in words:
                field["description"] = words[name]
    _shelf(definitions[Parameters.__name__])
    _roles(definitions[RoleLine.__name__])
    whole = definitions.pop(GenesisFile.__name__)
    return {"$schema": _DIALECT, **whole, "$defs": dict(sorted(definitions.items()))}


def _shelf(parameters: Json) -> None:
    """Ask for every kind of milk, and for no other."""
    field = _fields(parameters)["shelf_days"]
    days = field["additionalProperties"]
    field["properties"] = {kind.value: days for kind in MilkKind}
    field["required"] = [kind.value for kind in MilkKind]
    field["additionalProperties"] = False


def _roles(role: Json) -> None:
    """Ask for the one of `key` and `address` that names a role's holder."""
    for name in ("address", "key"):
        del _fields(role)[name]["anyOf"]
        _fields(role)[name]["type"] = "string"
    attestor = {"const": Role.ATTESTOR.value}
    role["required"] = ["role"]
    role["oneOf"] = [
        {"properties": {"role": attestor, "address": False}, "required": ["key"]},
        {"properties": {"role": {"not": attestor}, "key": False}, "required": ["address"]},
    ]


def format_schema() -> str:
    """Write the schema as it is published (docs/spec/genesis.schema.json)."""
    return json.dumps(genesis_schema(), indent=2) + "\n"
