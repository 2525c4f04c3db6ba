"""Roles of people and scopes of keys: the words of the access table."""

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person is, at a union or at a merchant."""

    STUDENT = "student"
    CASHIER = "cashier"
    MANAGER = "manager"
    FINANCE = "finance"
    UNION_OFFICER = "union_officer"
    FARMER = "farmer"
    SUPPLIER = "supplier"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a key may do. A key holds a set of these, for one merchant."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_VALIDATE = "payments:validate"
    REFUNDS_WRITE = "refunds:write"
    EVENTS_READ = "events:read"
    WEBHOOKS_WRITE = "webhooks:write"


ALL_SCOPES: Final = tuple(sorted(Scope))
