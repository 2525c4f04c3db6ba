"""The columns that tables share, and the registry that holds the tables."""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData()

ULID_CHARS: Final = 26


def ulid(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    """Make a column for an id."""
    return Column(name, String(ULID_CHARS), primary_key=primary_key, nullable=nullable)


def words(name: str, chars: int, **more: Any) -> Column[str]:
    """Make a column for a short text."""
    return Column(name, String(chars), **{"nullable": False, **more})


def whole(name: str, *, nullable: bool = False, default: str | None = None) -> Column[int]:
    """Make a column for an amount, a height or a time."""
    return Column(name, BigInteger, nullable=nullable, server_default=default)


def raw(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[bytes]:
    """Make a column for bytes."""
    return Column(name, LargeBinary, primary_key=primary_key, nullable=nullable)


def json(name: str, *, default: str | None = None) -> Column[Any]:
    """Make a column for JSON."""
    return Column(name, JSONB, nullable=False, server_default=default)


def one_of(column: str, states: type[StrEnum]) -> CheckConstraint:
    """Let a column hold these words alone."""
    listed = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")
