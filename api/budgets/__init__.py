"""Budgets: how much a union gives away in any 30 days, as welcomes and as campaigns' coupons."""
