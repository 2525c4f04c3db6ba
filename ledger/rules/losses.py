"""Losses: milk that is no more takes its tokens with it (spec §12.4).

Tokens without milk are burned from the perish reserve, then from the MMU's bond (where the MMU is
to blame the bond pays first). What neither can pay is the MMU's deficit: it is on the books for
everyone to see, and stops that MMU's mints until a new bond covers it. Nobody vouches for stock of
the genesis: only so much of it is written off as the reserve can pay for.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.doubt import BoundBond
from ledger.errors.milk import ForeignLot, FreshLot, ShortBond, ShortReserve
from ledger.errors.money import ShortLot, ZeroUnits
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.books import book_covered, book_gone
from ledger.rules.context import BlockContext, Call
from ledger.rules.doubts import doubted_units
from ledger.rules.law import Law, require_role
from ledger.rules.lots import find_lot, remove_milk
from ledger.rules.portions import check_write_off, write_off
from ledger.rules.vouchers import add_bond, is_attestors_account, release_bond
from ledger.rules.vouching import bond_bound
from ledger.state.dairy import Mmu
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Lot, LotStatus, Reason, Role
from ledger.state.tables import (
    ATTESTOR_BONDS,
    BONDS_ACCOUNT,
    MILK_TANKS,
    MMUS,
    RESERVE_ACCOUNT,
    account,
    debit,
    has_role,
    parameters,
    pay,
)
from ledger.types.milk import LossReason, PostBond, ReleaseBond, WriteOff

_REASONS: Final = {
    LossReason.EXPIRED: Reason.EXPIRED,
    LossReason.RECALLED: Reason.RECALLED,
    LossReason.SPILLED: Reason.SPILLED,
}
_BLAMED: Final = frozenset({Reason.SPILLED, Reason.FRAUD})
"""Reasons for which the MMU pays before the reserve does."""


def mmu_of(reader: Reader, address: Address) -> Mmu:
    """Give what an MMU vouches with; one that never did has nothing."""
    return MMUS.get(reader, address) or Mmu()


def _take_bond(overlay: Overlay, address: Address, units: int) -> int:
    mmu = mmu_of(overlay, address)
    taken = min(mmu.bond_units, units)
    if taken:
        MMUS.put(overlay, replace(mmu, bond_units=Units(mmu.bond_units - taken)), address)
        debit(overlay, BONDS_ACCOUNT, taken)
    return taken


def _take_reserve(overlay: Overlay, units: int) -> int:
    taken = min(account(overlay, RESERVE_ACCOUNT).units, units)
    debit(overlay, RESERVE_ACCOUNT, taken)
    return taken


def lose_milk(overlay: Overlay, lot_id: Hash, lot: Lot, units: int, reason: Reason) -> None:
    """Take milk out of a lot and burn as many tokens as can be found for it."""
    mmu = Address(lot.mmu)
    if reason in _BLAMED:
        burned = _take_bond(overlay, mmu, units)
        burned += _take_reserve(overlay, units - burned)
    else:
        burned = _take_reserve(overlay, units)
        burned += _take_bond(overlay, mmu, units - burned)
    remove_milk(overlay, lot_id, lot, units)
    book_gone(overlay, units, burned, reason)
    if burned < units:
        if not lot.vouched:
            # A deficit is its MMU's to cover: nobody could cover this one.
            raise ShortReserve(lot=lot_id.hex(), reserve=burned, units=units)
        held = mmu_of(overlay, mmu)
        MMUS.put(
            overlay, replace(held, deficit_units=Units(held.deficit_units + units - burned)), mmu
        )


def check_loss(reader: Reader, call: Call, body: WriteOff) -> None:
    """Raise unless there is as much to lose."""
    if body.units == 0:
        raise ZeroUnits
    if MILK_TANKS.get(reader, body.subject) is not None:
        check_write_off(reader, call.sender, body.subject, body.units)
        return
    lot = find_lot(reader, body.subject)
    # Milk in packs that are on sale is spilled pack by pack, which no one can prove here.
    left = lot.remaining_units - (
        lot.packed_unsold_units if body.reason is LossReason.SPILLED else 0
    )
    if left < body.units:
        raise ShortLot(lot=body.subject.hex(), remaining=left, units=body.units)


def apply_loss(overlay: Overlay, context: BlockContext, call: Call, body: WriteOff) -> None:
    """Write milk off: of one's tank or lot, or of any lot, if recalled or expired for long."""
    check_loss(overlay, call, body)
    if MILK_TANKS.get(overlay, body.subject) is not None:
        write_off(overlay, call.sender, body.subject, body.units, context.time_ms)
        return
    lot = find_lot(overlay, body.subject)
    match body.reason:
        case LossReason.SPILLED:
            if lot.mmu != call.sender:
                raise ForeignLot(lot=body.subject.hex())
        case LossReason.EXPIRED:
            # Its MMU may roll it onto new milk first: else everyone would pay for what one can
            # mend.
            grace_ms = 0 if lot.mmu == call.sender else parameters(overlay).roll_grace_ms
            if context.time_ms < lot.expires_ms + grace_ms:
                raise FreshLot(lot=body.subject.hex(), reason=body.reason)
        case LossReason.RECALLED:
            if lot.status is not LotStatus.RECALLED:
                raise FreshLot(lot=body.subject.hex(), reason=body.reason)
    lose_milk(overlay, body.subject, lot, body.units, _REASONS[body.reason])


def apply_post_bond(overlay: Overlay, context: BlockContext, call: Call, body: PostBond) -> None:
    """Cover the sender's deficit, and vouch with the rest: as an MMU, or else as an attestor."""
    mmu = mmu_of(overlay, call.sender)
    is_mmu = mmu.deficit_units or has_role(overlay, Role.MMU, call.sender)
    if not is_mmu and is_attestors_account(overlay, call.sender):
        if body.units == 0:
            raise ZeroUnits
        add_bond(overlay, call.sender, body.units)
        return
    if not mmu.deficit_units:
        require_role(overlay, call.sender, Role.MMU)  # Debts are paid with a licence or without.
    if body.units == 0:
        raise ZeroUnits
    pay(overlay, call.sender, BONDS_ACCOUNT, body.units)
    covered = min(mmu.deficit_units, body.units)
    if covered:
        debit(overlay, BONDS_ACCOUNT, covered)
        book_covered(overlay, covered)
    after = replace(
        mmu,
        bond_units=Units(mmu.bond_units + body.units - covered),
        deficit_units=Units(mmu.deficit_units - covered),
    )
    MMUS.put(overlay, after, call.sender)


def apply_release_bond(
    overlay: Overlay, context: BlockContext, call: Call, body: ReleaseBond
) -> None:
    """Give a bond back at the regulator's word, but what is bound; an attestor's first."""
    if body.units == 0:
        raise ZeroUnits
    if ATTESTOR_BONDS.get(overlay, body.mmu) is not None:
        release_bond(overlay, body.mmu, body.units, context.time_ms)
        return
    mmu = mmu_of(overlay, body.mmu)
    if mmu.bond_units < body.units:
        raise ShortBond(bond=mmu.bond_units, units=body.units)
    bound = bond_bound(parameters(overlay), mmu, context.time_ms)
    needed = bound + doubted_units(overlay, body.mmu)
    if mmu.bond_units - body.units < needed:
        raise BoundBond(bond=mmu.bond_units, needed=needed)
    MMUS.put(overlay, replace(mmu, bond_units=Units(mmu.bond_units - body.units)), body.mmu)
    pay(overlay, BONDS_ACCOUNT, body.mmu, body.units)


LOSS_LAWS: Final = (
    Law(WriteOff, apply_loss, check_loss),
    Law(PostBond, apply_post_bond),
    Law(
        ReleaseBond,
        apply_release_bond,
        by=(Role.REGULATOR,),
        names=lambda body: (body.mmu,),
    ),
)
