"""Records of doubt: what is asked about lots, how many doubts stand, who vouches for readings."""

from msgspec import Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Counter, Millis


class AskedReading(Struct, frozen=True, array_like=True):
    """A reading that somebody asked for, and nobody has shown yet."""

    asker: WireAddress
    deposit_units: WireUnits
    asked_ms: Millis


class Doubts(Struct, frozen=True, array_like=True):
    """How many doubts about a lot stand. While one does, its window stays open.

    `held_units` of milk, all that was not found false when the first was raised, hold as much of
    its MMU's bond.
    """

    mmu: WireAddress
    challenges: Counter
    questions: Counter
    held_units: WireUnits


class AttestorBond(Struct, frozen=True, array_like=True):
    """What an attestor vouches with, and until when for what it signed."""

    bond_units: WireUnits = Units(0)
    liable_until_ms: Millis = 0
