"""Parties: whose a record is, so that what changes it stands in their history.

A lot's sales are its buyers' and sellers' matter: they are not in the history of the MMU that made
it. The law's own accounts have no history.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ledger.primitives.keys import Address
from ledger.state.tables import (
    ACCOUNTS,
    CHALLENGES,
    CLAIMS,
    DEALS,
    DELEGATIONS,
    DEVICES,
    FARM_MONTHS,
    MANDATES,
    MMUS,
    MODULE_ACCOUNTS,
    OFFERS,
    ROLES,
    TANKS,
    TICKETS,
    VALIDATORS,
)

_ADDRESS_BYTES: Final = 32
_LAWS_OWN: Final = frozenset(MODULE_ACCOUNTS.values())

Parties = Callable[[bytes, bytes], tuple[bytes, ...]]
"""Gives the addresses in a record's name or content."""


def _named(name: bytes, raw: bytes) -> tuple[bytes, ...]:
    """Give the address that a record's name is, or ends with."""
    return (name[-_ADDRESS_BYTES:],)


def _deal(name: bytes, raw: bytes) -> tuple[bytes, ...]:
    deal = DEALS.decode(raw)
    return deal.buyer, deal.seller


def _mandate(name: bytes, raw: bytes) -> tuple[bytes, ...]:
    mandate = MANDATES.decode(raw)
    return mandate.payer, mandate.merchant


_PARTIES: Final[Mapping[bytes, Parties]] = {
    ACCOUNTS.prefix: _named,
    CHALLENGES.prefix: lambda name, raw: (CHALLENGES.decode(raw).challenger,),
    CLAIMS.prefix: lambda name, raw: (CLAIMS.decode(raw).farm,),
    DEALS.prefix: _deal,
    DELEGATIONS.prefix: _named,
    DEVICES.prefix: lambda name, raw: (DEVICES.decode(raw).operator,),
    FARM_MONTHS.prefix: _named,
    MANDATES.prefix: _mandate,
    MMUS.prefix: _named,
    OFFERS.prefix: lambda name, raw: (OFFERS.decode(raw).seller,),
    ROLES.prefix: _named,
    TANKS.prefix: lambda name, raw: (TANKS.decode(raw).mmu,),
    TICKETS.prefix: _named,
    VALIDATORS.prefix: lambda name, raw: (VALIDATORS.decode(raw).owner,),
}


def parties_of(changes: Iterable[tuple[bytes, bytes]]) -> tuple[Address, ...]:
    """List whose the records are that changed, each once, by key and a value before or after."""
    found: dict[bytes, None] = {}
    for key, raw in changes:
        parties = _PARTIES.get(key[:1])
        if parties is not None:
            found |= dict.fromkeys(parties(key[1:], raw))
    return tuple(Address(each) for each in found if each not in _LAWS_OWN)
