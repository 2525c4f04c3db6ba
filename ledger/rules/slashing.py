"""Slashing: two votes that no honest validator signs cost stake and freedom (spec §11.4).

The votes' signatures are checked outside (`transition.signature_claims`). The stake of the time of
the offence pays: first what has left since, as far as it voted then, by the rate; then what is
still bonded, for the rest. A fault is punished once, and one epoch's faults never cost more than
its seat. At least 95 % goes to the reserve, at most 5 % to the reporter; nothing is burned. A
reporter never gets more than the validator's owner lost, so no validator gains by reporting itself
at the cost of its delegators.
"""

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from ledger.errors.staking import EvidenceTooOld, KnownOffence, NoFault, NotAMember, NothingAtStake
from ledger.params import BASIS_POINTS, Staking
from ledger.primitives.amounts import Units
from ledger.primitives.committee import Seat
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.epochs import committee_of, first_epoch
from ledger.rules.law import Law
from ledger.rules.staking import epoch_now, find_validator
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.stakes import Offences, Slashes
from ledger.state.tables import (
    OFFENCES,
    RESERVE_ACCOUNT,
    SLASHES,
    STAKE_ACCOUNT,
    TICKETS,
    UNBONDING,
    VALIDATORS,
    credit,
    debit,
    parameters,
)
from ledger.types.staking import SubmitEvidence
from ledger.types.votes import FaultKind, fault_between


@dataclass(frozen=True, slots=True)
class Taken:
    """What a fault cost: units in all, and of them those that the validator's owner lost."""

    units: int = 0
    own_units: int = 0


@dataclass(frozen=True, slots=True)
class Offence:
    """A fault that holds: what it is, the seat that answers for it, what was punished before."""

    kind: FaultKind
    seat: Seat
    before: Offences


def check_evidence_of_fault(reader: Reader, call: Call, body: SubmitEvidence) -> Offence:
    """Raise unless two votes prove a new fault of a member, not too old. Give what they prove."""
    find_validator(reader, body.validator)
    kind = fault_between(body.first, body.second)
    if kind is None:
        raise NoFault(first=body.first.kind.name, second=body.second.kind.name)
    epoch, view = body.first.epoch, body.first.view
    committee = committee_of(reader, epoch)
    if committee is None:
        raise EvidenceTooOld(epoch=epoch, first=first_epoch(reader))
    seat = committee.seat(body.validator)
    if seat is None:
        raise NotAMember(validator=body.validator.hex(), epoch=epoch)
    name = epoch_name(epoch) + body.validator
    before = OFFENCES.get(reader, name) or Offences((), Units(0))
    if (view, int(kind)) in before.faults:
        raise KnownOffence(epoch=epoch, view=view, kind=kind.name)
    if before.spent or before.paid_units >= seat.stake:
        raise NothingAtStake(validator=body.validator.hex(), epoch=epoch)
    return Offence(kind, seat, before)


def apply_evidence(
    overlay: Overlay, context: BlockContext, call: Call, body: SubmitEvidence
) -> None:
    """Slash and jail the validator, and pay the reserve and the reporter."""
    rules, now = parameters(overlay).staking, epoch_now(overlay, context)
    epoch = body.first.epoch
    if epoch > now:
        raise EvidenceTooOld(epoch=epoch, first=first_epoch(overlay))
    offence = check_evidence_of_fault(overlay, call, body)
    owed = -(-offence.seat.stake * rules.slash_bp // BASIS_POINTS)
    owed = min(owed, offence.seat.stake - offence.before.paid_units)
    # What left before the boundary of epoch - 2 had no vote in `epoch`.
    voted = range(max(epoch - 1, 0), now + 1)
    from_pools = _take_from_pools(overlay, rules, body.validator, voted, owed)
    from_stake = _take_from_stake(overlay, body.validator, owed - from_pools.units)
    units = from_pools.units + from_stake.units
    faults = sorted((*offence.before.faults, (body.first.view, int(offence.kind))))
    paid = Units(offence.before.paid_units + units)
    # A search for what is left looks at every epoch since: one in vain is not made again.
    after = Offences(tuple(faults), paid, spent=units == 0)
    OFFENCES.put(overlay, after, epoch_name(epoch) + body.validator)
    _pay_out(overlay, rules, call, units, from_pools.own_units + from_stake.own_units)
    validator = find_validator(overlay, body.validator)
    until = max(validator.jailed_until, now + rules.jail_epochs)
    VALIDATORS.put(overlay, replace(validator, jailed_until=until), body.validator)


def _take_from_pools(
    overlay: Overlay, rules: Staking, key: PublicKey, epochs: range, owed: int
) -> Taken:
    """Take by the rate what began to leave in some epochs, the oldest first, up to what is owed."""
    owner = find_validator(overlay, key).owner
    units = own_units = 0
    for epoch in epochs:
        name = key + epoch_name(epoch)
        pool = UNBONDING.get(overlay, name)
        if pool is not None:
            share = -(-pool.begun_units * rules.slash_bp // BASIS_POINTS)
            cut = min(share, pool.units, owed - units)
            UNBONDING.put(overlay, replace(pool, units=Units(pool.units - cut)), name)
            units += cut
            own_units += cut * (TICKETS.get(overlay, name + owner) or 0) // pool.shares
    return Taken(units, own_units)


def _take_from_stake(overlay: Overlay, key: PublicKey, owed: int) -> Taken:
    """Take what is still owed out of what is bonded, as far as it reaches."""
    validator = find_validator(overlay, key)
    cut = min(validator.stake_units, owed)
    if cut == 0:
        return Taken()
    VALIDATORS.put(overlay, replace(validator, stake_units=Units(validator.stake_units - cut)), key)
    return Taken(cut, cut * validator.own_shares // validator.shares)


def _pay_out(overlay: Overlay, rules: Staking, call: Call, units: int, own_units: int) -> None:
    reporter = min(units * rules.reporter_bp // BASIS_POINTS, own_units)
    debit(overlay, STAKE_ACCOUNT, units)
    credit(overlay, RESERVE_ACCOUNT, units - reporter)
    credit(overlay, call.sender, reporter)
    books = SLASHES.get(overlay) or Slashes(Units(0), Units(0), Units(0))
    after = Slashes(
        Units(books.slashed_units + units),
        Units(books.reserve_units + units - reporter),
        Units(books.reporters_units + reporter),
    )
    SLASHES.put(overlay, after)


def _vote_claims(body: SubmitEvidence, sender: Address, chain: Hash) -> list[Claim]:
    votes = (body.first, body.second)
    return [(body.validator, vote.signing_bytes(chain), vote.signature) for vote in votes]


SLASHING_LAWS: Final = (
    Law(SubmitEvidence, apply_evidence, check_evidence_of_fault, claims=_vote_claims),
)
