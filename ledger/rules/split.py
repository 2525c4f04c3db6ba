"""The split: who gets how many of a lot's tokens (spec §7.3)."""

from dataclasses import dataclass
from fractions import Fraction

from ledger.params import BASIS_POINTS, Split
from ledger.rules.measure import apportion


@dataclass(frozen=True, slots=True)
class MintSplit:
    """A mint's tokens: who gets how many. Farmers stand in the collections' order."""

    farmers_units: tuple[int, ...]
    processor_units: int
    validators_units: int
    attestors_units: int
    reserve_units: int


def split_mint(split: Split, units: int, brought: list[Fraction]) -> MintSplit:
    """Split a lot's units; the farmers' part takes every rounding and goes by milk brought."""
    processor, validators, attesting, reserve = (
        units * part // BASIS_POINTS
        for part in (split.processor_bp, split.validators_bp, split.attestors_bp, split.reserve_bp)
    )
    rest = units - processor - validators - attesting - reserve
    return MintSplit(tuple(apportion(rest, brought)), processor, validators, attesting, reserve)
