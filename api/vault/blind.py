"""Blind indexes: the HMAC of a value, by which its row is found while the value itself is sealed.

Each purpose has a key of its own, so that two columns can't be joined by their indexes unless
they share a purpose on purpose: a payment's payer and a linked wallet do.
"""

import hmac
import unicodedata
from enum import StrEnum
from hashlib import sha256
from typing import Final

from api.vault.files import subkey

INDEX_BYTES: Final = 32


class Purpose(StrEnum):
    """What an index is looked up for."""

    ADDRESS = "address"
    """An account of the ledger: of linked wallets and of payers."""
    LOGIN = "login"
    CARD = "card"
    CODE = "code"
    """Of invitations and pairings."""
    WELCOME = "welcome"
    """Of cards: whose owners were welcomed."""


def blind_index(key: bytes, purpose: Purpose, value: bytes) -> bytes:
    """Give the index of a value."""
    return hmac.digest(subkey(key, f"index/{purpose}"), value, sha256)


def fold(text: str) -> bytes:
    """Bring what people type to one form: full-width, capitals and blanks make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().strip().encode()
