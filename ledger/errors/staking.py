"""Changes of stake that the law refuses, and evidence that proves nothing."""

from ledger.errors.base import Refused


class StakingRefused(Refused):
    """A change of stake, or evidence, that the law refuses."""

    code = "staking_refused"


class KnownValidator(StakingRefused):
    """The vote key is registered already."""

    code = "known_validator"
    text = "validator {validator} is registered already"


class KnownOwner(StakingRefused):
    """The account owns a validator already."""

    code = "known_owner"
    text = "the sender owns validator {validator} already"


class UnsoundKey(StakingRefused):
    """A key is no canonical point of prime order."""

    code = "unsound_key"
    text = "key {key} is no point of prime order"


class UnknownValidator(StakingRefused):
    """No such validator is registered."""

    code = "unknown_validator"
    text = "there is no validator {validator}"


class ForeignValidator(StakingRefused):
    """The validator is another's."""

    code = "foreign_validator"
    text = "validator {validator} is owned by another account"


class EmptyStake(StakingRefused):
    """Every unit of the validator's stake was slashed: no share has a worth."""

    code = "empty_stake"
    text = "validator {validator} lost all its stake; its shares are worth nothing"


class StakeTooSmall(StakingRefused):
    """So little that it would buy no share, or so much that shares can't be counted."""

    code = "stake_out_of_range"
    text = "{units} units are worth {shares} shares of validator {validator}"


class ShortStake(StakingRefused):
    """The sender has less at stake than it wants back."""

    code = "short_stake"
    text = "{units} units are wanted back, the sender has {held} at stake"


class NothingUnbonded(StakingRefused):
    """The sender unbonded nothing from this validator in this epoch."""

    code = "nothing_unbonded"
    text = "nothing was unbonded from validator {validator} in epoch {epoch}"


class Immature(StakingRefused):
    """What was unbonded still pays for faults."""

    code = "immature"
    text = "unbonded in epoch {epoch}, free from epoch {free} and time {free_ms} on, it is {now}"


class NoRewards(StakingRefused):
    """There is less than one unit of rewards to take."""

    code = "no_rewards"
    text = "the sender has no rewards at validator {validator}"


class NotJailed(StakingRefused):
    """The validator is free."""

    code = "not_jailed"
    text = "validator {validator} is not jailed"


class StillJailed(StakingRefused):
    """The jail's time is not over."""

    code = "still_jailed"
    text = "jailed until epoch {until}, it is epoch {now}"


class NoFault(StakingRefused):
    """The two votes prove no fault."""

    code = "no_fault"
    text = "votes of kinds {first} and {second} prove no fault"


class EvidenceTooOld(StakingRefused):
    """The offence lies too far back, or ahead."""

    code = "evidence_too_old"
    text = "the offence is of epoch {epoch}; from epoch {first} until now they are punishable"


class NotAMember(StakingRefused):
    """The validator had no seat in the epoch of its votes."""

    code = "not_a_member"
    text = "validator {validator} had no seat in epoch {epoch}"


class KnownOffence(StakingRefused):
    """The offence was punished already."""

    code = "known_offence"
    text = "epoch {epoch}, view {view}, fault {kind}: punished already"


class NothingAtStake(StakingRefused):
    """Nothing of the stake of that time is left to pay."""

    code = "nothing_at_stake"
    text = "nothing is left of what validator {validator} had at stake in epoch {epoch}"
