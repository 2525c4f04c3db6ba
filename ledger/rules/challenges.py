"""Challenges: anyone may doubt a lot with a deposit, and an arbiter rules (spec §12.5).

If the challenge is upheld, the deposit comes back, the false milk is written off as fraud, out of
the MMU's bond first, and the bond pays the reserve for what was sold of it already. If it is
rejected, the deposit goes to the reserve. A lot never has more milk found false than it held. The
lot's MMU neither doubts it nor rules on it, and the doubter does not rule.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.milk import ChallengedAlready, FalseUnitsOverLot, LowDeposit, NotChallenged
from ledger.errors.registry import OwnCause
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.fees import check_money
from ledger.rules.law import Law
from ledger.rules.losses import lose_milk, mmu_of
from ledger.rules.lots import find_lot
from ledger.state.dairy import Challenge
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Reason, Role
from ledger.state.tables import (
    BONDS_ACCOUNT,
    CHALLENGES,
    DEPOSITS_ACCOUNT,
    MMUS,
    RESERVE_ACCOUNT,
    parameters,
    pay,
)
from ledger.types.milk import ChallengeLot, ResolveChallenge


def check_challenge(reader: Reader, call: Call, body: ChallengeLot) -> None:
    """Raise unless the lot stands unchallenged and the deposit is there."""
    if find_lot(reader, body.lot).mmu == call.sender:
        # A lot has one open challenge at a time: an MMU's own would keep those of others away.
        raise OwnCause(address=call.sender.hex())
    if CHALLENGES.get(reader, body.lot) is not None:
        raise ChallengedAlready(lot=body.lot.hex())
    least = parameters(reader).challenge_deposit_units
    if body.deposit_units < least:
        raise LowDeposit(got=body.deposit_units, least=least)
    check_money(reader, call, body.deposit_units)


def apply_challenge(
    overlay: Overlay, context: BlockContext, call: Call, body: ChallengeLot
) -> None:
    """Open a challenge."""
    check_challenge(overlay, call, body)
    pay(overlay, call.sender, DEPOSITS_ACCOUNT, body.deposit_units)
    opened = Challenge(call.sender, body.deposit_units, body.grounds, context.time_ms)
    CHALLENGES.put(overlay, opened, body.lot)


def apply_resolve(
    overlay: Overlay, context: BlockContext, call: Call, body: ResolveChallenge
) -> None:
    """Rule on a challenge."""
    opened = CHALLENGES.get(overlay, body.lot)
    if opened is None:
        raise NotChallenged(lot=body.lot.hex())
    lot = find_lot(overlay, body.lot)
    if call.sender in {opened.challenger, lot.mmu}:
        raise OwnCause(address=call.sender.hex())
    left = lot.units - lot.false_units
    if body.false_units > left:
        raise FalseUnitsOverLot(lot=body.lot.hex(), false_units=body.false_units, units=left)
    CHALLENGES.remove(overlay, body.lot)
    if body.false_units == 0:
        pay(overlay, DEPOSITS_ACCOUNT, RESERVE_ACCOUNT, opened.deposit_units)
        return
    pay(overlay, DEPOSITS_ACCOUNT, Address(opened.challenger), opened.deposit_units)
    found = replace(lot, false_units=Units(lot.false_units + body.false_units))
    gone = min(body.false_units, lot.remaining_units)
    lose_milk(overlay, body.lot, found, gone, Reason.FRAUD)
    _fine(overlay, Address(lot.mmu), body.false_units - gone)


def _fine(overlay: Overlay, address: Address, units: int) -> None:
    """Take what was sold of milk that never was from the bond, as far as it reaches."""
    mmu = mmu_of(overlay, address)
    taken = min(mmu.bond_units, units)
    if taken:
        MMUS.put(overlay, replace(mmu, bond_units=Units(mmu.bond_units - taken)), address)
        pay(overlay, BONDS_ACCOUNT, RESERVE_ACCOUNT, taken)


CHALLENGE_LAWS: Final = (
    Law(ChallengeLot, apply_challenge, check_challenge),
    Law(ResolveChallenge, apply_resolve, by=(Role.ARBITER, Role.REGULATOR)),
)
