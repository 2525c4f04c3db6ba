"""The shape of a genesis file: its objects and fields, with what each is for.

What a reader must know stands in the types, so that the published schema says it too
(`ledger.genesis.schema`). Texts are checked when they are read as what they stand for.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.params import Parameters
from ledger.primitives.amounts import WireUnits
from ledger.primitives.scalars import Millis
from ledger.state.records import Role
from ledger.types.evidence import HeatProcess, Instrument, MilkKind
from ledger.types.line import LitresADay
from ledger.types.registry import FlowMax

_KEY: Final = {"pattern": "^[0-9a-f]{64}$"}
_ADDRESS: Final = {"pattern": "^[a-z]{2,16}1[02-9ac-hj-np-z]+$"}
_SHORT: Final = {"minLength": 1, "maxLength": 64}
_SEATS: Final = {"minItems": 1, "maxItems": 128}
_KIND: Final = {"enum": [kind.value for kind in MilkKind]}

Key = Annotated[str, Meta(description="An Ed25519 key.", extra_json_schema=_KEY)]
AddressText = Annotated[
    str, Meta(description="Bech32m under the file's prefix.", extra_json_schema=_ADDRESS)
]
Plant = Annotated[str, Meta(description="A plant's name.", extra_json_schema=_SHORT)]


class ValidatorLine(Struct, forbid_unknown_fields=True):
    """A validator of the first epochs: each vote key and each owner once, 1 to 128 of them."""

    vote_key: Annotated[Key, Meta(description="Signs its votes.")]
    vrf_key: Annotated[Key, Meta(description="Proves its draws.")]
    stake_units: Annotated[WireUnits, Meta(description="What it has at stake; above 0.")]
    owner: Annotated[AddressText, Meta(description="Is paid its fees, and owns its stake.")]


class AccountLine(Struct, forbid_unknown_fields=True):
    """A first balance."""

    address: Annotated[AddressText, Meta(description="Whose it is; each once.")]
    units: Annotated[WireUnits, Meta(description="How much.")]


class StockLine(Struct, forbid_unknown_fields=True):
    """Milk on record, as one lot. All stock is as much as accounts, stakes and bonds together."""

    name: Annotated[str, Meta(description="Gives the lot its id.", extra_json_schema=_SHORT)]
    kind: Annotated[str, Meta(description="What milk it is.", extra_json_schema=_KIND)]
    plant: Annotated[Plant, Meta(description="Where it stands.")]
    units: Annotated[WireUnits, Meta(description="How much; above 0.")]
    expires_ms: Annotated[Millis, Meta(description="Until when it is sold; after time_ms.")]


class RoleLine(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A first licence: an attestor is named by its key, everyone else by an address."""

    role: Annotated[Role, Meta(description="What the holder may do.")]
    address: Annotated[
        str | None, Meta(description="Who holds it.", extra_json_schema={"type": "string"})
    ] = None
    key: Annotated[
        str | None, Meta(description="Which attestor holds it.", extra_json_schema=_KEY)
    ] = None


class DeviceLine(Struct, forbid_unknown_fields=True):
    """A measuring device that is admitted from the start."""

    key: Annotated[Key, Meta(description="Signs its readings; each once.")]
    instrument: Annotated[Instrument, Meta(description="What it measures.")]
    plant: Annotated[Plant, Meta(description="Where it stands.")]
    operator: Annotated[
        AddressText, Meta(description="A milk meter's farm; any other instrument's MMU.")
    ]
    calibrated_until_ms: Annotated[Millis, Meta(description="Until when its readings count.")]
    flow_max_l_per_h: Annotated[
        FlowMax,
        Meta(
            description="The most that a flow meter's line or a milk meter's pipe may carry; 0 "
            "behind a vat, for a milk meter without a limit of its own, and for any other."
        ),
    ]


class BondLine(Struct, forbid_unknown_fields=True):
    """What an MMU vouches with from the start."""

    mmu: Annotated[AddressText, Meta(description="A holder of the role mmu; each once.")]
    units: Annotated[WireUnits, Meta(description="How much; above 0.")]


class LineOfFile(Struct, forbid_unknown_fields=True):
    """A line that is registered from the start, by the rules of `RegisterLine`."""

    plant: Annotated[Plant, Meta(description="Where it stands; a plant belongs to one MMU.")]
    line: Annotated[str, Meta(description="Its name at the plant.", extra_json_schema=_SHORT)]
    mmu: Annotated[AddressText, Meta(description="Mints on it; holds the role mmu.")]
    process: Annotated[HeatProcess, Meta(description="How it pasteurizes.")]
    flow_max_l_per_h: Annotated[
        FlowMax, Meta(description="The most that its tube may carry; 0 behind a vat.")
    ]
    vat_units: Annotated[WireUnits, Meta(description="What its vat holds; 0 without one.")]
    tank: Annotated[str, Meta(description="The tank that feeds it.", extra_json_schema=_SHORT)]
    devices: Annotated[list[Key], Meta(description="What watches it, ascending.")]


class PermitLine(Struct, forbid_unknown_fields=True):
    """A farm's consent from the start, by the rules of `PermitCollector`."""

    farm: Annotated[AddressText, Meta(description="Whose milk it is.")]
    mmu: Annotated[AddressText, Meta(description="May have it; holds the role mmu.")]
    meter: Annotated[
        str | None,
        Meta(description="Of which of its meters; null for all.", extra_json_schema=_KEY),
    ]
    collector: Annotated[
        str | None,
        Meta(description="May bring it beside the MMU; null for none.", extra_json_schema=_ADDRESS),
    ]
    litres_a_day: Annotated[LitresADay, Meta(description="The most of a day.")]
    until_ms: Annotated[Millis, Meta(description="Its end, at most 400 days after time_ms.")]


class GenesisFile(Struct, forbid_unknown_fields=True):
    """What a chain begins with.

    Amounts are whole units (a millionth of a litre), times milliseconds since 1970. Every field
    must be there, once, and no other.
    """

    name: Annotated[
        str,
        Meta(
            description="The network's name.",
            extra_json_schema={"pattern": "^[a-z0-9][a-z0-9-]{0,31}$"},
        ),
    ]
    prefix: Annotated[
        str,
        Meta(description="Begins every address.", extra_json_schema={"pattern": "^[a-z]{2,16}$"}),
    ]
    time_ms: Annotated[Millis, Meta(description="When the chain begins.")]
    parameters: Parameters
    validators: Annotated[list[ValidatorLine], Meta(extra_json_schema=_SEATS)]
    accounts: list[AccountLine]
    stock: list[StockLine]
    roles: list[RoleLine]
    devices: list[DeviceLine]
    bonds: list[BondLine]
    lines: list[LineOfFile]
    permits: list[PermitLine]
