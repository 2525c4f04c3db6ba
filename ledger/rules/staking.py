"""Staking: validators stand, accounts bond to them, and stake leaves through a queue (spec §11).

Stake is held in shares of the validator's whole, so a slash touches one record. What is unbonded
waits by epoch, still pays for faults of the time when it voted, and is claimed when mature.
Invariant: all validators' stake + all that is unbonding = the stake account.

How faults are punished is `slashing`'s, how income is shared `rewards`'.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.money import ZeroUnits
from ledger.errors.staking import (
    EmptyStake,
    ForeignValidator,
    Immature,
    KnownOwner,
    KnownValidator,
    NoRewards,
    NothingUnbonded,
    NotJailed,
    ShortStake,
    StakeTooSmall,
    StillJailed,
    UnknownValidator,
    UnsoundKey,
)
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey, is_sound
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.epochs import committee_of, epoch_of, share_levy
from ledger.rules.fees import check_money
from ledger.rules.law import Law
from ledger.rules.rewards import NO_DELEGATION, settle, take_rewards
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.stakes import VALIDATORS_REGISTERED_MAX, Register, Unbonding, Validator
from ledger.state.tables import (
    DELEGATIONS,
    OWNERS,
    REGISTER,
    STAKE_ACCOUNT,
    TICKETS,
    UNBONDING,
    VALIDATORS,
    credit,
    debit,
    parameters,
    pay,
)
from ledger.types.staking import (
    Bond,
    ClaimRewards,
    ClaimUnbonded,
    RegisterValidator,
    Unbond,
    Unjail,
    possession_bytes,
)


def find_validator(reader: Reader, key: PublicKey) -> Validator:
    """Give a validator; raise `UnknownValidator` if there is none."""
    found = VALIDATORS.get(reader, key)
    if found is None:
        raise UnknownValidator(validator=key.hex())
    return found


def epoch_now(reader: Reader, context: BlockContext) -> int:
    """Give the epoch of the block under execution."""
    return epoch_of(context.height, parameters(reader).staking.epoch_blocks)


def check_register_validator(reader: Reader, call: Call, body: RegisterValidator) -> None:
    """Raise unless the keys are sound and new, and the sender owns none but one that is ruined."""
    for key in (body.vote_key, body.vrf_key):
        if not is_sound(key):
            raise UnsoundKey(key=key.hex())
    if VALIDATORS.get(reader, body.vote_key) is not None:
        raise KnownValidator(validator=body.vote_key.hex())
    owned = OWNERS.get(reader, call.sender)
    if owned is not None and not find_validator(reader, PublicKey(owned)).ruined:
        raise KnownOwner(validator=owned.hex())


def apply_register_validator(
    overlay: Overlay, context: BlockContext, call: Call, body: RegisterValidator
) -> None:
    """Register a validator without stake. It stands for the committee once it has some."""
    check_register_validator(overlay, call, body)
    record = Validator(
        body.vrf_key, Units(0), call.sender, 0, 0, body.moniker, body.commission_bp
    )  # fmt: skip
    VALIDATORS.put(overlay, record, body.vote_key)
    OWNERS.put(overlay, body.vote_key, call.sender)


def check_bond(reader: Reader, call: Call, body: Bond) -> None:
    """Raise unless there is something to bond, money for it, and a validator."""
    if body.units == 0:
        raise ZeroUnits
    _shares_for(find_validator(reader, body.validator), body)
    check_money(reader, call, body.units)


def _shares_for(validator: Validator, body: Bond) -> int:
    if validator.ruined:
        raise EmptyStake(validator=body.validator.hex())
    shares = (
        body.units * validator.shares // validator.stake_units
        if validator.stake_units
        else body.units
    )
    if shares == 0 or validator.shares + shares > UNITS_MAX:
        raise StakeTooSmall(units=body.units, shares=shares, validator=body.validator.hex())
    return shares


def apply_bond(overlay: Overlay, context: BlockContext, call: Call, body: Bond) -> None:
    """Move units to the stake account, for shares of the validator's stake."""
    check_bond(overlay, call, body)
    key = body.validator
    share_levy(overlay, epoch_now(overlay, context))
    validator = find_validator(overlay, key)
    shares = _shares_for(validator, body)
    pay(overlay, call.sender, STAKE_ACCOUNT, body.units)
    _settle(overlay, key, validator, call.sender, shares)
    more = with_shares(validator, call.sender, shares, body.units)
    VALIDATORS.put(overlay, more, key)
    _stand(overlay, epoch_now(overlay, context), key, more.stake_units)


def _stand(overlay: Overlay, epoch: int, key: PublicKey, stake: int) -> None:
    """Let a validator stand for the committee; if too many stand, the one with least stake leaves.

    A search for the least stake that displaced nobody is remembered for its epoch: a validator with
    no more than that is turned away without another search.
    """
    known = REGISTER.get(overlay) or Register(())
    keys = known.keys
    if key in keys:
        return
    if len(keys) >= VALIDATORS_REGISTERED_MAX:
        if known.epoch == epoch and stake <= known.least_units:
            return
        stakes = [(find_validator(overlay, PublicKey(each)).stake_units, each) for each in keys]
        least, poorest = min(stakes)
        if stake <= least:
            REGISTER.put(overlay, Register(keys, Units(least), epoch))
            return
        keys = tuple(each for each in keys if each != poorest)
    REGISTER.put(overlay, replace(known, keys=tuple(sorted((*keys, key)))))


def with_shares(validator: Validator, holder: Address, shares: int, units: int) -> Validator:
    """Give a validator with so many more shares, which are a holder's, and units of stake."""
    own = shares if validator.owner == holder else 0
    return replace(
        validator,
        stake_units=Units(validator.stake_units + units),
        shares=validator.shares + shares,
        own_shares=validator.own_shares + own,
    )


def _settle(
    overlay: Overlay, key: PublicKey, validator: Validator, holder: Address, change: int
) -> None:
    """Give a delegator more or fewer shares; what they earned is counted up to now first."""
    if validator.owner != holder:
        delegation = DELEGATIONS.get(overlay, key + holder) or NO_DELEGATION
        settled = settle(validator, delegation, delegation.shares + change)
        DELEGATIONS.put(overlay, settled, key + holder)


def _shares_of(reader: Reader, key: PublicKey, validator: Validator, holder: Address) -> int:
    """Give the shares that an account has of a validator."""
    if validator.owner == holder:
        return validator.own_shares
    return (DELEGATIONS.get(reader, key + holder) or NO_DELEGATION).shares


def _stake_of(validator: Validator, shares: int) -> int:
    """Give the units that so many shares of a validator are worth."""
    return validator.stake_units * shares // validator.shares if shares else 0


def held_stake(reader: Reader, key: PublicKey, holder: Address) -> int:
    """Give the units that an account could unbond from a validator."""
    validator = find_validator(reader, key)
    return _stake_of(validator, _shares_of(reader, key, validator, holder))


def check_unbond(reader: Reader, call: Call, body: Unbond) -> None:
    """Raise unless the sender has as much at stake."""
    if body.units == 0:
        raise ZeroUnits
    held = held_stake(reader, body.validator, call.sender)
    if body.units > held:
        raise ShortStake(units=body.units, held=held)


def apply_unbond(overlay: Overlay, context: BlockContext, call: Call, body: Unbond) -> None:
    """Take units out of the validator's stake and into the queue of this epoch."""
    check_unbond(overlay, call, body)
    key, units = body.validator, body.units
    validator = find_validator(overlay, key)
    held = shares = _shares_of(overlay, key, validator, call.sender)
    if units < _stake_of(validator, held):
        # Rounded up, so that those who stay never pay for those who leave.
        shares = -(-units * validator.shares // validator.stake_units)
    _settle(overlay, key, validator, call.sender, -shares)
    VALIDATORS.put(overlay, with_shares(validator, call.sender, -shares, -units), key)
    if validator.owner != call.sender and shares == held:
        take_rewards(overlay, key, call.sender)
    _queue(overlay, context, call.sender, body)


def _queue(overlay: Overlay, context: BlockContext, holder: Address, body: Unbond) -> None:
    name = body.validator + epoch_name(epoch_now(overlay, context))
    pool = UNBONDING.get(overlay, name) or Unbonding(Units(0), Units(0), 0, 0)
    if pool.shares and not pool.units:
        raise EmptyStake(validator=body.validator.hex())
    shares = body.units * pool.shares // pool.units if pool.units else body.units
    if shares == 0 or pool.shares + shares > UNITS_MAX:
        raise StakeTooSmall(units=body.units, shares=shares, validator=body.validator.hex())
    begun, units = Units(pool.begun_units + body.units), Units(pool.units + body.units)
    later = Unbonding(begun, units, pool.shares + shares, context.time_ms)
    UNBONDING.put(overlay, later, name)
    ticket = TICKETS.get(overlay, name + holder) or 0
    TICKETS.put(overlay, ticket + shares, name + holder)


def apply_claim_unbonded(
    overlay: Overlay, context: BlockContext, call: Call, body: ClaimUnbonded
) -> None:
    """Pay out what is mature."""
    name = body.validator + epoch_name(body.epoch)
    ticket, pool = TICKETS.get(overlay, name + call.sender), UNBONDING.get(overlay, name)
    if ticket is None or pool is None:
        raise NothingUnbonded(validator=body.validator.hex(), epoch=body.epoch)
    _check_mature(overlay, context, body.epoch, pool)
    units = pool.units * ticket // pool.shares
    debit(overlay, STAKE_ACCOUNT, units)
    credit(overlay, call.sender, units)
    TICKETS.remove(overlay, name + call.sender)
    if ticket == pool.shares:
        UNBONDING.remove(overlay, name)
    else:
        left = replace(pool, units=Units(pool.units - units), shares=pool.shares - ticket)
        UNBONDING.put(overlay, left, name)


def _check_mature(reader: Reader, context: BlockContext, epoch: int, pool: Unbonding) -> None:
    """Raise `Immature` unless epochs and time have passed, and nothing is left to pay for."""
    rules, now = parameters(reader).staking, epoch_now(reader, context)
    free, free_ms = epoch + rules.unbonding_epochs, pool.since_ms + rules.unbonding_ms
    # It voted until the end of the next epoch, and no count of blocks says how long that lasted.
    answers = committee_of(reader, epoch + 1) is not None
    if now < free or context.time_ms < free_ms or answers:
        raise Immature(epoch=epoch, free=free, free_ms=free_ms, now=now)


def apply_claim_rewards(
    overlay: Overlay, context: BlockContext, call: Call, body: ClaimRewards
) -> None:
    """Pay a delegator what it has earned."""
    find_validator(overlay, body.validator)
    if take_rewards(overlay, body.validator, call.sender) == 0:
        raise NoRewards(validator=body.validator.hex())


def apply_unjail(overlay: Overlay, context: BlockContext, call: Call, body: Unjail) -> None:
    """Free a validator whose time is over, at its owner's word."""
    validator = find_validator(overlay, body.validator)
    if validator.owner != call.sender:
        raise ForeignValidator(validator=body.validator.hex())
    if not validator.jailed_until:
        raise NotJailed(validator=body.validator.hex())
    if (now := epoch_now(overlay, context)) < validator.jailed_until:
        raise StillJailed(until=validator.jailed_until, now=now)
    VALIDATORS.put(overlay, replace(validator, jailed_until=0), body.validator)


def _possession_claims(body: RegisterValidator, sender: Address, chain: Hash) -> list[Claim]:
    message = possession_bytes(chain, sender, body.vote_key, body.vrf_key)
    return [(body.vote_key, message, body.proof)]


STAKING_LAWS: Final = (
    Law(
        RegisterValidator,
        apply_register_validator,
        check_register_validator,
        claims=_possession_claims,
    ),
    Law(Bond, apply_bond, check_bond),
    Law(Unbond, apply_unbond, check_unbond),
    Law(ClaimUnbonded, apply_claim_unbonded),
    Law(ClaimRewards, apply_claim_rewards),
    Law(Unjail, apply_unjail),
)
