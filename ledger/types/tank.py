"""Bodies of the tank family: raw milk comes into a tank, goes to another, or is condemned.

`CollectMilk` stands beside the windows that it feeds. A tank holds portions, each of one farm's
meter and of one time; whatever happens to a portion, it keeps its origin.
"""

from enum import StrEnum

from msgspec import Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.types.line import LineName
from ledger.types.window import CollectMilk


class MoveMilk(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="move_milk"):
    """Pump milk from one of the sender's tanks into another of the same plant, oldest first."""

    plant: LineName
    tank: LineName
    into: LineName
    units: WireUnits


class CondemnReason(StrEnum):
    """Why milk may not be drunk."""

    ADULTERATED = "adulterated"
    RESIDUES = "residues"
    SPOILED = "spoiled"


class CondemnMilk(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="condemn_milk"
):
    """Take milk out of a tank, or out of a lot with its tokens. The sender is a regulator."""

    subject: WireHash
    units: WireUnits
    reason: CondemnReason


TankBody = CollectMilk | MoveMilk | CondemnMilk
"""What a transaction of this family carries."""
