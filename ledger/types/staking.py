"""Bodies of the staking family: who validates, with whose stake, and what breaks the rules."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import (
    Address,
    PublicKey,
    WirePublicKey,
    WireSignature,
)
from ledger.primitives.scalars import Counter
from ledger.types.votes import SignedVote

MONIKER_CHARS_MAX: Final = 32

Moniker = Annotated[str, Meta(min_length=1, max_length=MONIKER_CHARS_MAX)]
CommissionBp = Annotated[int, Meta(ge=0, le=10_000)]


class RegisterValidator(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="register_validator"
):
    """Make a validator, which stands for the committee once it has stake.

    The sender becomes its owner; `proof` is the vote key's own signature that it may.

    `commission_bp` is what the owner keeps of its delegators' rewards.
    """

    vote_key: WirePublicKey
    vrf_key: WirePublicKey
    moniker: Moniker
    commission_bp: CommissionBp
    proof: WireSignature


def possession_bytes(
    chain_id: Hash, owner: Address, vote_key: PublicKey, vrf_key: PublicKey
) -> bytes:
    """Give what a vote key signs to show that its holder registers it, for this owner."""
    return Domain.POSSESSION.value + chain_id + owner + vote_key + vrf_key


class Bond(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="bond"):
    """Put units at stake on a validator, one's own or another's."""

    validator: WirePublicKey
    units: WireUnits


class Unbond(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="unbond"):
    """Begin to take stake back; it pays for faults until it is mature."""

    validator: WirePublicKey
    units: WireUnits


class ClaimUnbonded(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="claim_unbonded"
):
    """Take what was unbonded in an epoch and is mature now."""

    validator: WirePublicKey
    epoch: Counter


class ClaimRewards(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="claim_rewards"
):
    """Take a delegator's rewards from a validator. An owner is paid at once, without this."""

    validator: WirePublicKey


class Unjail(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="unjail"):
    """Stand for the committee again after the jail's time. The sender is the owner."""

    validator: WirePublicKey


class SubmitEvidence(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="submit_evidence"
):
    """Show two votes of one validator that no honest one signs."""

    validator: WirePublicKey
    first: SignedVote
    second: SignedVote


StakingBody = (
    RegisterValidator | Bond | Unbond | ClaimUnbonded | ClaimRewards | Unjail | SubmitEvidence
)
"""What a transaction of this family carries."""
