"""The tables of the payments service, one file a resource; `metadata` knows them all.

Amounts are integers: `_sen` for money, `_units` for tokens; times are milliseconds since 1970,
UTC. Ids are ULIDs as text, hashes and references raw bytes. The allowed states stand in CHECKs,
so that no code path can write another.

`merchant_id` stands in every primary and unique key of what is a merchant's, so that a cluster can
be cut by merchant. What must be unique over all merchants stands in `claims` alone: the reference
of an order, the hash of a transaction, the code that a customer types.

Everyone who locks rows locks orders first (by id), then payments, then lots (by id), and the
merchants' sequences last: nobody waits in a ring.
"""

from api.db.tables import (
    approvals,
    attempts,
    budgets,
    cash,
    catalogue,
    chain,
    coupons,
    events,
    flags,
    keys,
    loyalty,
    orders,
    payments,
    people,
    refunds,
    request_log,
    requests,
    signing,
    stock,
    tenants,
    terminals,
    vault,
    watch,
    webhooks,
)
from api.db.tables.columns import metadata

__all__ = [
    "approvals", "attempts", "budgets", "cash", "catalogue", "chain", "coupons", "events", "flags",
    "keys", "loyalty", "metadata", "orders", "payments", "people", "refunds", "request_log",
    "requests", "signing", "stock", "tenants", "terminals", "vault", "watch", "webhooks",
]  # fmt: skip
