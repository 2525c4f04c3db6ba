"""Rewards: a validator's income is shared among its owner and its delegators.

The owner is paid at once: what its own shares earn, the commission, and every rounding.
Delegators' units go to the rewards account and are counted by reward-per-share; each takes its
part when it likes. Invariant, in 2^64 parts of a unit: a validator's `rewards` = its `remainder`
+ what all its delegations have earned and not taken. Nothing is lost to rounding.
"""

from typing import Final

from msgspec.structs import replace

from ledger.params import BASIS_POINTS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address, PublicKey
from ledger.state.overlay import Overlay
from ledger.state.stakes import SCALE_BITS, Delegation, Validator, read_wide, wide
from ledger.state.tables import (
    DELEGATIONS,
    OWNERS,
    REWARDS_ACCOUNT,
    VALIDATORS,
    credit,
    debit,
)

NO_DELEGATION: Final = Delegation(0, wide(0), wide(0))


def reward_proposer(overlay: Overlay, proposer: Address, units: int) -> None:
    """Share a block's fees among the proposing owner and its delegators."""
    key = OWNERS.get(overlay, proposer)
    if key is None:
        credit(overlay, proposer, units)
    else:
        reward_validator(overlay, PublicKey(key), units)


def reward_validator(overlay: Overlay, key: PublicKey, units: int) -> None:
    """Share units, which the caller has taken, among a validator's owner and delegators."""
    validator = VALIDATORS.get(overlay, key)
    assert validator is not None, "rewards go to registered validators"
    delegated = validator.shares - validator.own_shares
    gross = units * delegated // validator.shares if delegated else 0
    net = gross - gross * validator.commission_bp // BASIS_POINTS
    credit(overlay, Address(validator.owner), units - net)
    if net == 0:
        return
    credit(overlay, REWARDS_ACCOUNT, net)
    parts = (net << SCALE_BITS) + read_wide(validator.remainder)
    changed = replace(
        validator,
        rewards_units=Units(validator.rewards_units + net),
        per_share=wide(read_wide(validator.per_share) + parts // delegated),
        remainder=wide(parts % delegated),
    )
    VALIDATORS.put(overlay, changed, key)


def earned_parts(validator: Validator, delegation: Delegation) -> int:
    """Give what a delegation has earned and not taken, in parts of a unit."""
    since = read_wide(validator.per_share) - read_wide(delegation.entry)
    return read_wide(delegation.carry) + delegation.shares * since


def settle(validator: Validator, delegation: Delegation, shares: int) -> Delegation:
    """Count a delegation's rewards up to now and give it as many shares from now on."""
    return Delegation(shares, validator.per_share, wide(earned_parts(validator, delegation)))


def take_rewards(overlay: Overlay, key: PublicKey, holder: Address) -> int:
    """Pay a delegator its whole units and give how many; one without shares is forgotten."""
    validator = VALIDATORS.get(overlay, key)
    assert validator is not None, "the caller has found it"
    delegation = DELEGATIONS.get(overlay, key + holder) or NO_DELEGATION
    earned = earned_parts(validator, delegation)
    units, rest = earned >> SCALE_BITS, earned & (1 << SCALE_BITS) - 1
    debit(overlay, REWARDS_ACCOUNT, units)
    credit(overlay, holder, units)
    validator = replace(validator, rewards_units=Units(validator.rewards_units - units))
    if delegation.shares:
        left = Delegation(delegation.shares, validator.per_share, wide(rest))
        DELEGATIONS.put(overlay, left, key + holder)
    else:
        # The last fraction of a unit goes back to those who stay.
        validator = replace(validator, remainder=wide(read_wide(validator.remainder) + rest))
        if DELEGATIONS.get(overlay, key + holder) is not None:
            DELEGATIONS.remove(overlay, key + holder)
    VALIDATORS.put(overlay, validator, key)
    return units
