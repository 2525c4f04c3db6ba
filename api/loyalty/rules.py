"""What points become. Pure.

The law of the books: what somebody earned, less what was reversed, is their balance and five for
each coupon that was not taken back. So a balance falls below nothing only where a point that is
gone was in a coupon that is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.loyalty.model import POINTS_A_COUPON


@dataclass(frozen=True, slots=True)
class Reversal:
    """What reversing a point does: the balance after, and the coupon that is taken back for it."""

    balance: int
    revoked: str | None


def earn(balance: int) -> tuple[int, bool]:
    """Add a point; give the balance after, and whether five became a coupon."""
    after = balance + 1
    whole = after >= POINTS_A_COUPON
    return (after - POINTS_A_COUPON, True) if whole else (after, False)


def reverse(balance: int, unused: Sequence[str]) -> Reversal:
    """Take a point back; `unused` are the person's coupons that nobody has used, newest last."""
    if balance > 0 or not unused:
        return Reversal(balance - 1, None)
    return Reversal(balance + POINTS_A_COUPON - 1, unused[-1])


def adjust(balance: int, points: int) -> tuple[int, int]:
    """Add or take points by hand; give the balance after, and how many coupons that makes."""
    after = balance + points
    coupons = max(0, after // POINTS_A_COUPON)
    return after - coupons * POINTS_A_COUPON, coupons
