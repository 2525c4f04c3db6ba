"""Budgets in JSON: limits, what is spent, and what is left."""

from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from api.amounts import format_sen
from api.budgets.model import Budget, BudgetPurpose
from api.http.scalars import AmountText, UlidText
from ledger.primitives.amounts import Units, format_bill

AmountTold = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]+\.[0-9]{2}([0-9]{4})?$",
        description="RM with two decimals, or BILL with six.",
    ),
]


class BudgetView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How much a union gives away in any 30 days, and how much it has."""

    purpose: BudgetPurpose
    currency: Literal["BILL", "MYR"]
    limit: Annotated[AmountTold | None, Meta(description="Null where there is none.")]
    spent: AmountTold
    left: AmountTold | None


class BudgetsView(msgspec.Struct, frozen=True, rename="camel"):
    """All budgets of a union."""

    data: list[BudgetView]


class LimitText(AmountText):
    """An amount as text: no number is read here."""

    @classmethod
    def read(cls, value: object) -> Self:
        """Read plain ASCII decimals."""
        if not isinstance(value, str):
            raise ValueError("NOT_A_STRING")
        return super().read(value)


class BudgetBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A limit; null for none. What leaves more than before waits for a second person."""

    limit: LimitText | None


class ChangedBudgetView(msgspec.Struct, frozen=True, rename="camel"):
    """A budget after a change, and the limit that waits for a second person."""

    budget: BudgetView
    approval_id: UlidText | None


def budget_view(budget: Budget) -> BudgetView:
    """Present a budget."""

    def told(amount: int) -> str:
        coupons = budget.purpose is BudgetPurpose.COUPONS
        return format_sen(amount) if coupons else format_bill(Units(amount))

    return BudgetView(
        purpose=budget.purpose,
        currency="MYR" if budget.purpose is BudgetPurpose.COUPONS else "BILL",
        limit=None if budget.limit is None else told(budget.limit),
        spent=told(budget.spent),
        left=None if budget.left is None else told(budget.left),
    )
