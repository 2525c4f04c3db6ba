"""Records of lots on sale: packs, who vouches for them, who doubts them."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Height, Millis

MMU_DAYS_MAX: Final = 32
"""The most days of which an MMU's record remembers what was minted: more than a window has."""


class ProductLot(Struct, frozen=True, array_like=True):
    """A product lot: packs of one size from one lot; `sold_units` of their milk are redeemed."""

    lot: WireHash
    packs: int
    pack_units: WireUnits
    sold_units: WireUnits
    height: Height

    @property
    def units(self) -> int:
        """Give what all packs hold together."""
        return self.packs * self.pack_units


class Mmu(Struct, frozen=True, array_like=True):
    """What an MMU vouches with, and what it failed to cover: a deficit stops its mints.

    `days` are what it minted by days of the bond (`rules.vouching`), ascending: units, counted
    fourfold where its line minted far more than it uses to.
    """

    bond_units: WireUnits = Units(0)
    deficit_units: WireUnits = Units(0)
    days: Annotated[tuple[tuple[Millis, WireUnits], ...], Meta(max_length=MMU_DAYS_MAX)] = ()


class Challenge(Struct, frozen=True, array_like=True):
    """An open doubt about a lot."""

    challenger: WireAddress
    deposit_units: WireUnits
    grounds: WireHash
    opened_ms: Millis
