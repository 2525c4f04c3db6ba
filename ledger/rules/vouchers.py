"""Attestors' stake: what a signature under a false window costs (spec §12.6).

An attestor vouches out of the account of its key. Its bond answers for every window that it signed
until that is past doubt, so nothing is given back before then.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.doubt import BoundBond
from ledger.errors.milk import ShortBond
from ledger.params import BASIS_POINTS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address, PublicKey, address_of
from ledger.rules.doubts import doubted_units
from ledger.state.doubt import AttestorBond
from ledger.state.overlay import Overlay, Reader
from ledger.state.tables import (
    ATTESTOR_BONDS,
    BONDS_ACCOUNT,
    RESERVE_ACCOUNT,
    attestors,
    parameters,
    pay,
)

_NO_BOND: Final = AttestorBond()


def is_attestors_account(reader: Reader, address: Address) -> bool:
    """Tell whether an account is that of a registered attestor's key alone."""
    return any(address_of(key) == address for key in attestors(reader))


def attestor_stands(reader: Reader, key: PublicKey) -> bool:
    """Tell whether an attestor has enough at stake for its word to count."""
    least = parameters(reader).doubt.attestor_bond_least_units
    return attestor_bond(reader, address_of(key)) >= least


def attestor_bond(reader: Reader, address: Address) -> Units:
    """Give what an attestor has at stake."""
    return (ATTESTOR_BONDS.get(reader, address) or _NO_BOND).bond_units


def bind_attestors(overlay: Overlay, keys: tuple[PublicKey, ...], until_ms: int) -> None:
    """Let the bonds of who signed a window answer for it until then."""
    for address in map(address_of, keys):
        held = ATTESTOR_BONDS.get(overlay, address)
        if held is not None and held.liable_until_ms < until_ms:
            ATTESTOR_BONDS.put(overlay, replace(held, liable_until_ms=until_ms), address)


def add_bond(overlay: Overlay, address: Address, units: int) -> None:
    """Put an attestor's units at stake."""
    held = ATTESTOR_BONDS.get(overlay, address) or _NO_BOND
    pay(overlay, address, BONDS_ACCOUNT, units)
    ATTESTOR_BONDS.put(overlay, replace(held, bond_units=Units(held.bond_units + units)), address)


def release_bond(overlay: Overlay, address: Address, units: int, time_ms: int) -> None:
    """Give an attestor units of its bond back, once all that it signed is past doubt."""
    held = ATTESTOR_BONDS.get(overlay, address) or _NO_BOND
    if held.bond_units < units:
        raise ShortBond(bond=held.bond_units, units=units)
    if time_ms <= held.liable_until_ms or doubted_units(overlay, address):
        raise BoundBond(bond=held.bond_units, needed=held.bond_units)
    if held.bond_units == units:
        ATTESTOR_BONDS.remove(overlay, address)
    else:
        left = replace(held, bond_units=Units(held.bond_units - units))
        ATTESTOR_BONDS.put(overlay, left, address)
    pay(overlay, BONDS_ACCOUNT, address, units)


def slash_attestors(
    overlay: Overlay, keys: tuple[PublicKey, ...], refuter: Address, false_units: int
) -> None:
    """Take their part from all who signed what is false; pay the refuter and the reserve.

    A plant can sign two readings of one number, show attestors one, and refute its own milk with
    the other. So nobody loses more than what was false, which costs the plant as much; and the
    refuter gets at most half of it, so that no plant lives off the attestors' bonds.
    """
    rules = parameters(overlay).doubt
    slashed = 0
    for address in map(address_of, keys):
        held = ATTESTOR_BONDS.get(overlay, address)
        if held is not None:
            cut = min(-(-held.bond_units * rules.attest_slash_bp // BASIS_POINTS), false_units)
            left = replace(held, bond_units=Units(held.bond_units - cut))
            ATTESTOR_BONDS.put(overlay, left, address)
            slashed += cut
    reward = min(slashed * rules.refuter_bp // BASIS_POINTS, false_units // 2)
    pay(overlay, BONDS_ACCOUNT, refuter, reward)
    pay(overlay, BONDS_ACCOUNT, RESERVE_ACCOUNT, slashed - reward)
