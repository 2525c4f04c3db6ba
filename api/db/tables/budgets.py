"""How much a union gives away in any 30 days; no row is no limit."""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint, Table

from api.budgets.model import BudgetPurpose
from api.db.tables.columns import metadata, one_of, ulid, whole, words

budgets: Final = Table(
    "budgets",
    metadata,
    ulid("union_id"),
    words("purpose", 16),
    whole("amount"),
    PrimaryKeyConstraint("union_id", "purpose"),
    one_of("purpose", BudgetPurpose),
)
"""`amount` is units of BILL for welcomes, sen for coupons."""
