"""Records of staking: validators, delegations, what is unbonding, committees, offences.

Shares make a slash cost the same however many have delegated: a holder's part is
`shares / all shares` of the stake. Rewards are counted the same way, in 2^64 parts of a unit.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Counter, Millis

SCALE_BITS: Final = 64
"""A unit of rewards is counted in 2^64 parts."""
WIDE_BYTES: Final = 24
VALIDATORS_REGISTERED_MAX: Final = 512
"""The most validators that may stand for the committee, those with most stake; a boundary looks
at each."""
NO_WIDE: Final = bytes(WIDE_BYTES)

Wide = Annotated[bytes, Meta(min_length=WIDE_BYTES, max_length=WIDE_BYTES)]
"""A whole number of up to 192 bits, big-endian: MessagePack's integers end at 64."""
Shares = Annotated[int, Meta(ge=0, le=2**63 - 1)]


def wide(number: int) -> bytes:
    """Write a wide number."""
    return number.to_bytes(WIDE_BYTES, "big")


def read_wide(raw: bytes) -> int:
    """Read a wide number."""
    return int.from_bytes(raw, "big")


class Validator(Struct, frozen=True, array_like=True):
    """A validator. Of `shares` the owner has `own_shares`; delegators have the others.

    `rewards_units` are the delegators' and wait in the rewards account; `per_share` is what one
    delegated share has earned since ever, `remainder` what could not be shared evenly yet.
    `jailed_until` is an epoch, 0 while it is free.
    """

    vrf_key: WirePublicKey
    stake_units: WireUnits
    owner: WireAddress
    shares: Shares
    own_shares: Shares
    moniker: str = ""
    commission_bp: int = 0
    jailed_until: Counter = 0
    rewards_units: WireUnits = Units(0)
    per_share: Wide = NO_WIDE
    remainder: Wide = NO_WIDE

    @property
    def ruined(self) -> bool:
        """Tell whether it lost all that was at stake: its shares are worth nothing for ever."""
        return self.shares > 0 and self.stake_units == 0


class Register(Struct, frozen=True, array_like=True):
    """The vote keys of those that stand for the committee, ascending.

    `least_units` is the least stake among them, as a search in `epoch` found it that displaced
    nobody.
    """

    keys: Annotated[tuple[WirePublicKey, ...], Meta(max_length=VALIDATORS_REGISTERED_MAX)]
    least_units: WireUnits = Units(0)
    epoch: Counter = 0


class Delegation(Struct, frozen=True, array_like=True):
    """One account's shares of one validator, counted up to `entry`; `carry` is owed to it."""

    shares: Shares
    entry: Wide
    carry: Wide


class Unbonding(Struct, frozen=True, array_like=True):
    """What left one validator in one epoch: `begun_units`, and `units` of them after slashes.

    The last of them left at `since_ms`.
    """

    begun_units: WireUnits
    units: WireUnits
    shares: Shares
    since_ms: Millis = 0


class Offences(Struct, frozen=True, array_like=True):
    """One validator's punished faults of one epoch, as (view, kind), and what it paid.

    It is `spent` once there was nothing left to pay with.
    """

    faults: tuple[tuple[Counter, int], ...]
    paid_units: WireUnits
    spent: bool = False


class Slashes(Struct, frozen=True, array_like=True):
    """The books of slashing: slashed = to the reserve + to reporters."""

    slashed_units: WireUnits
    reserve_units: WireUnits
    reporters_units: WireUnits
