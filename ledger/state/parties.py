"""Parties: the accounts whose records a transaction changed. It stands in their history.

Each table says whose its records are (`tables`). A lot's sales are its buyers' and sellers' matter:
they are not in the history of the MMU that made it. The law's own accounts have no history.
"""

from collections.abc import Iterable
from typing import Final

from ledger.primitives.keys import Address
from ledger.state.prefixes import PARTIES
from ledger.state.tables import MODULE_ACCOUNTS

_LAWS_OWN: Final = frozenset(MODULE_ACCOUNTS.values())


def parties_of(changes: Iterable[tuple[bytes, bytes]]) -> tuple[Address, ...]:
    """List the accounts whose records changed, each once, by key and a value before or after."""
    found: dict[Address, None] = {}
    for key, raw in changes:
        parties = PARTIES.get(key[:1])
        if parties is not None:
            found |= dict.fromkeys(parties(key[1:], raw))
    return tuple(each for each in found if each not in _LAWS_OWN)
