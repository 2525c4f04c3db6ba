"""Heat rules: whose regulation says what pasteurized means, number by number with its source."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from ledger.types.evidence import MilkKind


class HeatRuleSet(StrEnum):
    """Whose rules say what pasteurized means."""

    MALAYSIA = "malaysia"
    US_PMO = "us_pmo"
    EU = "eu"
    INDIA = "india"


class HeatRules(Struct, frozen=True):
    """Least temperatures while milk is held, and the warmest that it may leave the cooler.

    `batch_mdegc` is for 30 minutes in a vat (at most `batch_most_mdegc`), `htst_mdegc` for 15
    seconds in continuous flow, `uht_mdegc` for ultra-high treatment. `rich_mdegc` is added to
    each for rich milk (`RICH_KINDS`).
    """

    batch_mdegc: int
    htst_mdegc: int
    uht_mdegc: int
    cooling_mdegc: int
    rich_mdegc: int = 0
    batch_most_mdegc: int = 100_000


HEAT_RULES: Final = {
    # Food Hygiene (Amendment) Regulations 2016 (FAOLEX LEX-FAOC157990): 63 to 65 degrees C for
    # 30 minutes or 73 for 15 s, then at once to 4 or less; 135 for 2 s.
    HeatRuleSet.MALAYSIA: HeatRules(
        batch_mdegc=63_000,
        htst_mdegc=73_000,
        uht_mdegc=135_000,
        cooling_mdegc=4_000,
        batch_most_mdegc=65_000,
    ),
    # 21 CFR 131.3 and 1240.61, Pasteurized Milk Ordinance: 145 F (63 C) for 30 minutes or 161 F
    # (72 C) for 15 s; ultra 280 F (138 C) for 2 s; 5 F (3 C) more at 10 % of fat, 18 % of total
    # solids, or when sweetened; cooled to 45 F (7 C).
    HeatRuleSet.US_PMO: HeatRules(
        batch_mdegc=63_000,
        htst_mdegc=72_000,
        uht_mdegc=138_000,
        cooling_mdegc=7_000,
        rich_mdegc=3_000,
    ),
    # Regulation (EC) 853/2004, annex III section IX, and (EC) 2074/2005: 63 for 30 minutes, 72
    # for 15 s, 135 for ultra-high, at most 6 for milk under way.
    HeatRuleSet.EU: HeatRules(
        batch_mdegc=63_000, htst_mdegc=72_000, uht_mdegc=135_000, cooling_mdegc=6_000
    ),
    # FSSAI, Food Products Standards and Food Additives Regulations 2011, 2.1: 63 for 30 minutes,
    # 71.5 for 15 s, 130 for 1 s. Cooled to 5: older texts say 10, the stricter number stands.
    HeatRuleSet.INDIA: HeatRules(
        batch_mdegc=63_000, htst_mdegc=71_500, uht_mdegc=130_000, cooling_mdegc=5_000
    ),
}

UHT_KINDS: Final = frozenset({MilkKind.UHT, MilkKind.STERILISED})
"""Kinds that must reach the ultra-high limit. Sterilised milk on a continuous line does too."""
RICH_KINDS: Final = frozenset({MilkKind.FLAVOURED, MilkKind.BUFFALO})
"""Kinds that are sweetened, or may reach 18 % of total solids: buffalo milk has 17.2 % on average
over its seasons (Ahmad et al., Buffalo Bulletin, 2013). Cream, with 10 % of fat, is no kind."""
