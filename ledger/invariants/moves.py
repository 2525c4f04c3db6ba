"""What must hold of a record before and after a block: what stays, what only rises or falls.

A rule that is right takes none of this back; so whatever does is a bug, or was no rule.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ledger.state.table import Table
from ledger.state.tables import (
    CHAIN,
    COMMITTEES,
    DEALS,
    DEVICES,
    LINES,
    LOTS,
    MANDATES,
    METER_USE,
    MILK_TANKS,
    OFFENCES,
    PLANTS,
    PRICE,
    PRODUCTS,
    PROVEN,
    SLASHES,
    SUBSIDY,
    SUPPLY,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Move(Generic[R]):
    """Which fields of a table's records stay, and which never become less, or more."""

    table: Table[R]
    fixed: tuple[str, ...] = ()
    rising: tuple[str, ...] = ()
    falling: tuple[str, ...] = ()
    is_kept: bool = True
    """Whether such a record stands for ever."""

    def why_wrong(self, before: bytes, after: bytes | None) -> str:
        if after is None:
            return "it is gone" if self.is_kept else ""
        if before == after:
            return ""
        was, now = self.table.decode(before), self.table.decode(after)
        if not self.fixed and not self.rising:
            return "it has changed"
        for name in self.fixed:
            if getattr(was, name) != getattr(now, name):
                return f"its {name} has changed"
        for name in self.rising:
            if getattr(now, name) < getattr(was, name):
                return f"its {name} has become less"
        for name in self.falling:
            if getattr(now, name) > getattr(was, name):
                return f"its {name} has become more"
        return ""


_LOT_FIXED: Final = (
    "kind",
    "plant",
    "line",
    "mmu",
    "units",
    "expires_ms",
    "height",
    "readings_root",
)
_LINE_FIXED: Final = (
    "mmu",
    "plant",
    "name",
    "process",
    "flow_max_l_per_h",
    "vat_units",
    "tank",
    "height",
)
_MANDATE_FIXED: Final = (
    "payer",
    "merchant",
    "period_ms",
    "charge_units_max",
    "total_units_max",
    "start_ms",
    "end_ms",
)
_TANK_RISING: Final = (
    "height",
    "collected_units",
    "arrived_units",
    "drawn_units",
    "lost_units",
    "lapsed_units",
    "void_units",
    "moved_units",
    "gauge_day",
)
_PROVEN_FIXED: Final = (
    "line",
    "mmu",
    "tank",
    "from_ms",
    "to_ms",
    "spans",
    "readings_root",
    "readings_count",
    "attestors",
    "sources",
)
_MOVES: Final = (
    _Move(CHAIN),
    _Move(COMMITTEES, is_kept=False),
    _Move(DEALS, ("offer", "buyer", "seller", "units", "accepted_ms"), is_kept=False),
    _Move(DEVICES, ("instrument", "operator", "plant"), ("revoked",)),
    _Move(LINES, _LINE_FIXED, ("through_ms",)),
    _Move(LOTS, _LOT_FIXED, ("packed_units", "false_units"), ("remaining_units",)),
    _Move(MANDATES, _MANDATE_FIXED, ("charged_units", "charged_ms", "charges"), is_kept=False),
    _Move(METER_USE, rising=("through",)),
    _Move(MILK_TANKS, rising=_TANK_RISING),
    _Move(OFFENCES, rising=("paid_units",), is_kept=False),
    _Move(PLANTS),
    _Move(PRICE, rising=("round", "updated_ms")),
    _Move(PRODUCTS, ("lot", "packs", "pack_units", "height"), ("sold_units",)),
    _Move(PROVEN, _PROVEN_FIXED, falling=("locked_units",)),
    _Move(SLASHES, rising=("slashed_units", "reserve_units", "reporters_units")),
    _Move(SUBSIDY, rising=("funded_units", "paid_units", "head", "tail", "claimed_units")),
    _Move(SUPPLY, rising=("minted_units", "redeemed_units")),
)
_BY_PREFIX: Final = {move.table.prefix: move for move in _MOVES}


def why_moved(key: bytes, before: bytes, after: bytes | None) -> str:
    """Say what can't have become of a record, or give an empty text."""
    move = _BY_PREFIX.get(key[:1])
    why = "" if move is None else move.why_wrong(before, after)
    return f"record {key.hex()}: {why}" if why else ""
