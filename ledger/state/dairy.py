"""Records of milk on its way: tanks, sealed runs, where a lot came from, packs, who vouches."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Height, Millis

SOURCES_MAX: Final = 64
"""The most farms whose milk may stand in one tank at once."""

Source = tuple[WireAddress, WireUnits]
"""A farm, and how much of its milk."""
Sources = Annotated[tuple[Source, ...], Meta(max_length=SOURCES_MAX)]

MMU_DAYS_MAX: Final = 32
"""The most days of which an MMU's record remembers what was minted: more than a window has."""


class Tank(Struct, frozen=True, array_like=True):
    """Raw milk in an MMU's tank: collected = what stands in it + sealed + lost.

    `oldest_ms` is when the oldest of it was collected, 0 while the tank is empty.
    """

    mmu: WireAddress
    plant: str
    name: str
    collected_units: WireUnits
    sealed_units: WireUnits
    lost_units: WireUnits
    sources: Sources
    oldest_ms: Millis
    height: Height

    @property
    def held_units(self) -> int:
        """Give what stands in the tank."""
        return sum(units for _, units in self.sources)


class SealedRun(Struct, frozen=True, array_like=True):
    """Milk drawn from a tank for one run."""

    mmu: WireAddress
    plant: str
    tank: WireHash
    units: WireUnits
    sources: Sources
    oldest_ms: Millis
    height: Height


class Origin(Struct, frozen=True, array_like=True):
    """Where a lot's milk came from: the tank (zeros if straight from meters) and the farms."""

    tank: WireHash
    sources: tuple[Source, ...]


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
