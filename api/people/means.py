"""What the desks of people and terminals work with: made once, handed to each."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from api.people.access_tokens import AccessTokens
from api.people.hashing import SlowHasher
from api.vault.data_keys import Vault


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Means:
    """The database, the vault, slow hashes, tokens, and the service's own name and clock."""

    engine: AsyncEngine
    vault: Vault
    hasher: SlowHasher
    tokens: AccessTokens
    session_key: bytes
    """Refresh tokens, challenges and known devices are made with it."""
    host: str
    public_url: str
    prefix: str
    """The network's, which every address begins with."""
    now_ms: Callable[[], int]
    """The wall's: tokens and codes are dated for others."""
    steady_s: Callable[[], float]
    chain_id: Callable[[], bytes]
    """Empty until a node has answered."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which union, in which session of theirs."""

    union_id: str
    user_id: str
    session_id: str = ""
