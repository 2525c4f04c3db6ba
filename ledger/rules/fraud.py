"""Fraud: milk of a lot that was found never to have been there (spec §12.6).

Whoever finds it out, and how, the same pays: the processor's locked share of that lot first, then
the MMU's bond, then the reserve; for what was sold of it, and was drunk by nobody, the bond pays
the reserve. No litre of a lot is found false twice.
"""

from msgspec.structs import replace

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.losses import lose_milk, mmu_of
from ledger.rules.lots import find_lot
from ledger.state.overlay import Overlay
from ledger.state.records import Reason
from ledger.state.tables import (
    BONDS_ACCOUNT,
    LOCKED_ACCOUNT,
    MMUS,
    PROVEN,
    RESERVE_ACCOUNT,
    pay,
)


def find_false(overlay: Overlay, lot_id: Hash, units: int) -> int:
    """Take false milk out of a lot, as far as it was not found before; give how much it was."""
    lot = find_lot(overlay, lot_id)
    mmu = Address(lot.mmu)
    units = min(units, lot.units - lot.false_units)
    _forfeit_share(overlay, lot_id, mmu, units)
    found = replace(lot, false_units=Units(lot.false_units + units))
    gone = min(units, lot.remaining_units)
    lose_milk(overlay, lot_id, found, gone, Reason.FRAUD)
    _fine(overlay, mmu, units - gone)
    return units


def _forfeit_share(overlay: Overlay, lot_id: Hash, mmu: Address, units: int) -> None:
    """Let the processor's locked share join the bond, which pays."""
    proven = PROVEN.get(overlay, lot_id)
    taken = 0 if proven is None else min(proven.locked_units, units)
    if proven is None or not taken:
        return
    left = replace(proven, locked_units=Units(proven.locked_units - taken))
    PROVEN.put(overlay, left, lot_id)
    pay(overlay, LOCKED_ACCOUNT, BONDS_ACCOUNT, taken)
    held = mmu_of(overlay, mmu)
    MMUS.put(overlay, replace(held, bond_units=Units(held.bond_units + taken)), mmu)


def _fine(overlay: Overlay, address: Address, units: int) -> None:
    """Take what was sold of milk that never was from the bond, as far as it reaches."""
    mmu = mmu_of(overlay, address)
    taken = min(mmu.bond_units, units)
    if taken:
        MMUS.put(overlay, replace(mmu, bond_units=Units(mmu.bond_units - taken)), address)
        pay(overlay, BONDS_ACCOUNT, RESERVE_ACCOUNT, taken)
