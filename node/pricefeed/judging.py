"""Whether a quote may be believed: its age, its bounds, and how far it lies from the last day's.

The time is the later of our clock's and the chain's. So a clock that is slow makes no old price
fresh, and one that is fast makes prices look older, never younger. Pure.
"""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from ledger.params import BASIS_POINTS, DAY_MS
from node.client.views import PriceView
from node.pricefeed.errors import QuoteRefused
from node.pricefeed.quotes import Quote, format_myr

FUTURE_MS_MAX: Final = 120_000
"""How far a source's clock may be ahead."""


class DayMark(Struct, frozen=True):
    """The price that those of a day are held against, and the chain's time when it was fed."""

    litre_micro_myr: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class JudgingRules:
    """What an operator lets pass."""

    source_fresh_ms: int
    """How old a source may be."""
    change_bp_max: int
    """How far, in basis points, a quote may lie from the mark of the day."""


def judge(
    quote: Quote,
    rules: JudgingRules,
    view: PriceView,
    mark: DayMark | None,
    newest_ms: int,
    clock_ms: int,
) -> None:
    """Raise `QuoteRefused` unless the quote may be fed.

    `mark` is ours; without one the chain's own price stands for it. `newest_ms` is the latest time
    that the source ever named.
    """
    now_ms = max(clock_ms, view.time_ms)
    if quote.as_of_ms > now_ms + FUTURE_MS_MAX:
        ahead_s = (quote.as_of_ms - now_ms) // 1_000
        raise QuoteRefused(
            "from_the_future", f"it is of {ahead_s} s from now: look at the source's clock"
        )
    if now_ms - quote.as_of_ms > rules.source_fresh_ms:
        age_s, most_s = (now_ms - quote.as_of_ms) // 1_000, rules.source_fresh_ms // 1_000
        raise QuoteRefused("stale", f"it is {age_s} s old, at most {most_s} s are allowed")
    if quote.as_of_ms < newest_ms:
        back_s = -(-(newest_ms - quote.as_of_ms) // 1_000)
        raise QuoteRefused("went_back", f"it is {back_s} s older than what the source said before")
    value = quote.litre_micro_myr
    if not view.floor_micro_myr <= value <= view.ceiling_micro_myr:
        low, high = format_myr(view.floor_micro_myr), format_myr(view.ceiling_micro_myr)
        raise QuoteRefused("out_of_bounds", f"RM {format_myr(value)} is not {low} to {high}")
    _hold_against(mark.litre_micro_myr if mark else view.litre_micro_myr, value, rules)


def _hold_against(before: int, value: int, rules: JudgingRules) -> None:
    if before and abs(value - before) * BASIS_POINTS > before * rules.change_bp_max:
        raise QuoteRefused(
            "jumped",
            f"RM {format_myr(value)} is more than {rules.change_bp_max} basis points from the "
            f"day's RM {format_myr(before)}: if it is true, raise change_bp_max in config.toml",
        )


def next_mark(mark: DayMark | None, value: int, view: PriceView) -> DayMark:
    """Give the mark after a quote is fed: a day's first quote stays until a day has passed."""
    if mark is not None and view.time_ms - mark.time_ms < DAY_MS:
        return mark
    return DayMark(value, view.time_ms)
