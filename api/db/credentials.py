"""Who the service is to an embedded PostgreSQL, and secrets that are files of one line."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

DATABASE_PASSWORD_FILE: Final = "password"  # noqa: S105 - a name of a file
DATABASE_USER: Final = "billcoin"
DATABASE_NAME: Final = "postgres"
"""An embedded cluster serves one service alone, so it keeps the database it is born with."""


def database_url(password: str, port: int) -> str:
    """Give the address of an embedded PostgreSQL on this machine."""
    return f"postgresql+asyncpg://{DATABASE_USER}:{password}@127.0.0.1:{port}/{DATABASE_NAME}"


def database_password(directory: Path) -> str:
    """Read the embedded database's password from its folder; draw one when there is none."""
    path = directory / DATABASE_PASSWORD_FILE
    return keep_text(path, lambda: secrets.token_urlsafe(24))


def keep_text(path: Path, draw: Callable[[], str]) -> str:
    """Read a secret file, or write a new one that only its owner can read."""
    if path.exists():
        return path.read_text("ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = draw()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    return secret
