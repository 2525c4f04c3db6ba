"""Epochs: heights in stretches, each with a committee fixed two boundaries before (spec §11).

Epoch e holds the heights e·L + 1 … (e + 1)·L, where L is `epoch_blocks`; the last of them is its
boundary. At the boundary of e the levy is shared out, the committee of e + 2 is written, and what
can no longer be punished is forgotten. The genesis writes the committees of 0 and 1.
"""

from fractions import Fraction

from ledger.params import Staking
from ledger.primitives.keys import PublicKey, address_of
from ledger.rules.measure import apportion
from ledger.rules.rewards import reward_validator
from ledger.state.overlay import Overlay, Reader
from ledger.state.stakes import Committee, Register, Seat
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    COMMITTEES,
    OFFENCES,
    REGISTER,
    VALIDATORS,
    VALIDATORS_ACCOUNT,
    account,
    attestors,
    credit,
    debit,
    epoch_name,
    parameters,
)


def epoch_of(height: int, epoch_blocks: int) -> int:
    """Give the epoch of a height; the genesis counts to the first."""
    return max(height - 1, 0) // epoch_blocks


def is_boundary(height: int, epoch_blocks: int) -> bool:
    """Tell whether a block is the last of its epoch."""
    return height > 0 and height % epoch_blocks == 0


def committee_of(reader: Reader, epoch: int) -> Committee | None:
    """Give an epoch's committee: of those punishable yet, the current one, the next, and at a
    boundary the one after; None for any other.
    """
    return COMMITTEES.get(reader, epoch_name(epoch)) if epoch >= 0 else None


def choose_committee(reader: Reader, rules: Staking) -> Committee | None:
    """Seat the free validators with most stake; None if there is none to seat."""
    found = REGISTER.get(reader) or Register(())
    able = []
    for key in found.keys:
        validator = VALIDATORS.get(reader, key)
        assert validator is not None, "the register names validators"
        if not validator.jailed_until and validator.stake >= rules.stake_least_units:
            able.append(Seat(key, validator.vrf_key, validator.stake))
    able.sort(key=lambda seat: (-seat.stake, seat.key))
    chosen = sorted(able[: rules.committee_max], key=lambda seat: seat.key)
    return Committee(tuple(chosen)) if chosen else None


def end_epoch(overlay: Overlay, height: int) -> None:
    """Do what is due after a block, if it is a boundary."""
    rules = parameters(overlay).staking
    if not is_boundary(height, rules.epoch_blocks):
        return
    epoch = epoch_of(height, rules.epoch_blocks)
    _share_levy(overlay, epoch)
    chosen = choose_committee(overlay, rules)
    if chosen is None:
        # A chain never goes without validators: the committee before serves on.
        chosen = committee_of(overlay, epoch + 1)
        assert chosen is not None
    COMMITTEES.put(overlay, chosen, epoch_name(epoch + 2))
    _forget(overlay, epoch - rules.evidence_epochs)


def _share_levy(overlay: Overlay, epoch: int) -> None:
    """Share the levy: validators by the stake of their seats, attestors evenly."""
    committee = committee_of(overlay, epoch)
    assert committee is not None, "the current epoch has a committee"
    units = account(overlay, VALIDATORS_ACCOUNT).units
    if units:
        debit(overlay, VALIDATORS_ACCOUNT, units)
        parts = apportion(units, [Fraction(seat.stake) for seat in committee.seats])
        for seat, part in zip(committee.seats, parts, strict=True):
            reward_validator(overlay, PublicKey(seat.key), part)
    keys = attestors(overlay)
    each = account(overlay, ATTESTORS_ACCOUNT).units // len(keys) if keys else 0
    debit(overlay, ATTESTORS_ACCOUNT, each * len(keys))
    for key in keys:
        credit(overlay, address_of(key), each)


def _forget(overlay: Overlay, epoch: int) -> None:
    """Drop the committee of an epoch whose faults are too old, and its offences with it."""
    committee = committee_of(overlay, epoch)
    if committee is None:
        return
    for seat in committee.seats:
        if OFFENCES.get(overlay, epoch_name(epoch) + seat.key) is not None:
            OFFENCES.remove(overlay, epoch_name(epoch) + seat.key)
    COMMITTEES.remove(overlay, epoch_name(epoch))
