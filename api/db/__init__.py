"""Storage of the payments service: an embedded PostgreSQL, the models, their migrations.

`postgres` supervises a server of our own, `models` says what the tables hold, `session` opens
connections and brings the schema up to date.
"""
