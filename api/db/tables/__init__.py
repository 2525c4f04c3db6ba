"""The tables of the payments service, one file a resource, for SQLAlchemy Core.

Amounts are integers: `_sen` for money, `_units` for tokens; times are milliseconds since 1970,
UTC. Ids are ULIDs as text, hashes and references raw bytes.
"""
