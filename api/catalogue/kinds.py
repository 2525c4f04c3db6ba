"""The kinds of milk that there are, in words for people; the law of the chain says how long each
keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.types.evidence import MilkKind


class Fat(StrEnum):
    """How much of its fat milk still has."""

    FULL = "full"
    LOW = "low"
    NONE = "none"
    VARIES = "varies"


class Heat(StrEnum):
    """How milk was heated."""

    PASTEURIZED = "pasteurized"
    EXTENDED = "extended"
    ULTRA_HIGH = "ultra_high"
    STERILISED = "sterilised"


class Source(StrEnum):
    """Whose milk it is."""

    COW = "cow"
    GOAT = "goat"
    BUFFALO = "buffalo"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOfMilk:
    """What is said of a kind on a shelf."""

    name_en: str
    name_ms: str
    fat: Fat = Fat.FULL
    heat: Heat = Heat.PASTEURIZED
    source: Source = Source.COW
    lactose_free: bool = False


KINDS: Final[Mapping[MilkKind, KindOfMilk]] = {
    MilkKind.WHOLE: KindOfMilk(name_en="Whole milk", name_ms="Susu penuh krim"),
    MilkKind.LOW_FAT: KindOfMilk(name_en="Low-fat milk", name_ms="Susu rendah lemak", fat=Fat.LOW),
    MilkKind.SKIM: KindOfMilk(name_en="Skim milk", name_ms="Susu skim", fat=Fat.NONE),
    MilkKind.FLAVOURED: KindOfMilk(
        name_en="Flavoured milk", name_ms="Susu berperisa", fat=Fat.VARIES
    ),
    MilkKind.GOAT: KindOfMilk(name_en="Goat's milk", name_ms="Susu kambing", source=Source.GOAT),
    MilkKind.BUFFALO: KindOfMilk(
        name_en="Buffalo milk", name_ms="Susu kerbau", source=Source.BUFFALO
    ),
    MilkKind.LACTOSE_FREE: KindOfMilk(
        name_en="Lactose-free milk",
        name_ms="Susu bebas laktosa",
        fat=Fat.VARIES,
        lactose_free=True,
    ),
    MilkKind.ESL: KindOfMilk(
        name_en="Extended-shelf-life milk", name_ms="Susu tahan lama", heat=Heat.EXTENDED
    ),
    MilkKind.UHT: KindOfMilk(name_en="UHT milk", name_ms="Susu UHT", heat=Heat.ULTRA_HIGH),
    MilkKind.STERILISED: KindOfMilk(
        name_en="Sterilised milk", name_ms="Susu steril", heat=Heat.STERILISED
    ),
}
"""Every kind of the ledger; all of them hold milk's protein, the lactose-free one too."""
ALLERGENS: Final = ("milk",)
