"""Challenges: anyone may doubt a lot with a deposit, and an arbiter rules (spec §12.5).

Several may doubt one lot, each once at a time; a ruling names whose challenge it is on. If it is
upheld, the deposit comes back and the milk is false (`fraud`). If it is rejected, the deposit goes
to the reserve. A lot never has more milk found false than it held. The lot's MMU neither doubts it
nor rules on it, and the doubter does not rule.
"""

from typing import Final

from ledger.errors.milk import ChallengedAlready, FalseUnitsOverLot, LowDeposit, NotChallenged
from ledger.errors.registry import OwnCause
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext, Call
from ledger.rules.doubts import check_window, count_doubts
from ledger.rules.fees import check_money
from ledger.rules.fraud import find_false
from ledger.rules.law import Law
from ledger.rules.lots import find_lot
from ledger.state.dairy import Challenge
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import (
    CHALLENGES,
    DEPOSITS_ACCOUNT,
    PROVEN,
    RESERVE_ACCOUNT,
    parameters,
    pay,
)
from ledger.types.milk import ChallengeLot, ResolveChallenge


def challenge_name(lot: Hash, challenger: Address) -> bytes:
    """Name a challenge: whose, of which lot."""
    return lot + challenger


def check_challenge(reader: Reader, call: Call, body: ChallengeLot) -> None:
    """Raise unless the sender may doubt the lot, does not yet, and the deposit is there."""
    if find_lot(reader, body.lot).mmu == call.sender:
        raise OwnCause(address=call.sender.hex())
    if CHALLENGES.get(reader, challenge_name(body.lot, call.sender)) is not None:
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
    if (proven := PROVEN.get(overlay, body.lot)) is not None:
        check_window(body.lot, proven, context.time_ms)
    count_doubts(overlay, body.lot, challenges=1)
    pay(overlay, call.sender, DEPOSITS_ACCOUNT, body.deposit_units)
    opened = Challenge(call.sender, body.deposit_units, body.grounds, context.time_ms)
    CHALLENGES.put(overlay, opened, challenge_name(body.lot, call.sender))


def apply_resolve(
    overlay: Overlay, context: BlockContext, call: Call, body: ResolveChallenge
) -> None:
    """Rule on a challenge."""
    name = challenge_name(body.lot, body.challenger)
    opened = CHALLENGES.get(overlay, name)
    if opened is None:
        raise NotChallenged(lot=body.lot.hex(), challenger=body.challenger.hex())
    lot = find_lot(overlay, body.lot)
    if call.sender in {opened.challenger, lot.mmu}:
        raise OwnCause(address=call.sender.hex())
    left = lot.units - lot.false_units
    if body.false_units > left:
        raise FalseUnitsOverLot(lot=body.lot.hex(), false_units=body.false_units, units=left)
    CHALLENGES.remove(overlay, name)
    count_doubts(overlay, body.lot, challenges=-1)
    if body.false_units == 0:
        pay(overlay, DEPOSITS_ACCOUNT, RESERVE_ACCOUNT, opened.deposit_units)
        return
    pay(overlay, DEPOSITS_ACCOUNT, Address(opened.challenger), opened.deposit_units)
    find_false(overlay, body.lot, body.false_units)


CHALLENGE_LAWS: Final = (
    Law(ChallengeLot, apply_challenge, check_challenge),
    Law(
        ResolveChallenge,
        apply_resolve,
        by=(Role.ARBITER, Role.REGULATOR),
        names=lambda body: (body.challenger,),
    ),
)
