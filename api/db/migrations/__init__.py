"""Alembic's home: one file a revision, applied at the start of the service."""
