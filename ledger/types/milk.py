"""Bodies of the milk family: from a farm's meter to a pack, and what may happen on the way."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from ledger.primitives.amounts import WireUnits
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import Address, WireAddress

PACKS_MAX: Final = 10_000_000


def tank_id(mmu: Address, plant: str, tank: str) -> Hash:
    """Name a tank."""
    return digest(Domain.TANK, mmu, encode((plant, tank)))


class PackLot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="pack_lot"):
    """Fill packs of one size from a lot: a product lot. The sender is the lot's MMU."""

    lot: WireHash
    packs: Annotated[int, Meta(ge=1, le=PACKS_MAX)]
    pack_units: Annotated[int, Meta(ge=1, le=10**12)]


class LossReason(StrEnum):
    """Why milk is written off."""

    EXPIRED = "expired"
    RECALLED = "recalled"
    SPILLED = "spilled"


class WriteOff(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="write_off"):
    """Say that milk of a lot, or of a tank, is no more; a lot's tokens are burned with it."""

    subject: WireHash
    units: WireUnits
    reason: LossReason


class ChallengeLot(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="challenge_lot"
):
    """Doubt a lot, with a deposit. `grounds` is the hash of what the challenger shows."""

    lot: WireHash
    deposit_units: WireUnits = field(name="deposit")
    grounds: WireHash


class ResolveChallenge(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="resolve_challenge"
):
    """Rule on somebody's challenge: how many units of the lot were never there; 0 rejects it.

    The sender is an arbiter or a regulator.
    """

    lot: WireHash
    challenger: WireAddress
    false_units: WireUnits


class FreezeLot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="freeze_lot"):
    """Stop a lot's sales, or let them go on. The sender is a regulator."""

    lot: WireHash
    frozen: bool


class RecallLot(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recall_lot"):
    """Stop a lot's sales for ever. The sender is a regulator."""

    lot: WireHash


class PostBond(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="post_bond"):
    """Vouch for one's lots with units, as an MMU, or for what one signs, as an attestor.

    They cover the sender's deficit first.
    """

    units: WireUnits


class ReleaseBond(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="release_bond"
):
    """Give an MMU, or an attestor, units of its bond back. The sender is a regulator."""

    mmu: WireAddress
    units: WireUnits


MilkBody = (
    PackLot
    | WriteOff
    | ChallengeLot
    | ResolveChallenge
    | FreezeLot
    | RecallLot
    | PostBond
    | ReleaseBond
)
"""What a transaction of this family carries."""
