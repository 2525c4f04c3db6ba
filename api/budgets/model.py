"""A budget in words: a limit on what a union gives away in any 30 days; none is no limit.

It stands before the signer's own limits, which hold whatever is written here.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WINDOW_MS: Final = 30 * 86_400_000
"""Any 30 days: no first of a month doubles a limit."""


class BudgetPurpose(StrEnum):
    """What is given away."""

    WELCOMES = "welcomes"
    """The first fees of whoever links a wallet, in units of BILL."""
    COUPONS = "coupons"
    """What campaigns' coupons are worth, in sen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit, and what of it is spent: units for welcomes, sen for coupons."""

    union_id: str
    purpose: BudgetPurpose
    limit: int | None
    spent: int

    @property
    def left(self) -> int | None:
        """Give what may still be given away; None if there is no limit."""
        return None if self.limit is None else max(0, self.limit - self.spent)

    def has_room_for(self, amount: int) -> bool:
        """Tell whether so much may be given away."""
        return self.left is None or amount <= self.left


def is_tighter(before: int | None, after: int | None) -> bool:
    """Tell whether a limit leaves less than another, or the same: one person may do that alone."""
    if after is None:
        return before is None
    return before is None or after <= before
