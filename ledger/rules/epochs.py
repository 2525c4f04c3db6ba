"""Epochs: heights in stretches, each with a committee fixed two boundaries before (spec §11).

Epoch e holds the heights e·L + 1 … (e + 1)·L, where L is `epoch_blocks`; the last of them is its
boundary. At the boundary of e the levy is shared out, the committee of e + 2 is written, and what
can no longer be punished is forgotten. The genesis writes the committees of 0 and 1.

The seed of e + 2, which orders its leaders, grows out of that of e + 1 while e runs: each block
hashes in what its leader drew. The seeds of 0 and 1 follow from the chain's id alone.
"""

from fractions import Fraction
from typing import Final

from ledger.params import Staking
from ledger.primitives.committee import Committee, Seat
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import PublicKey, address_of
from ledger.rules.context import BlockContext
from ledger.rules.measure import apportion
from ledger.rules.rewards import reward_validator
from ledger.state.names import epoch_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.stakes import Register
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    COMMITTEES,
    EPOCH_ENDS,
    FIRST_EPOCH,
    OFFENCES,
    REGISTER,
    SEEDS,
    VALIDATORS,
    VALIDATORS_ACCOUNT,
    account,
    attestors,
    chain_id,
    credit,
    debit,
    parameters,
)

FORGOTTEN_MAX: Final = 32
"""The most epochs that one boundary forgets: many, as idle weeks may follow busy ones."""


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
        if not validator.jailed_until and validator.stake_units >= rules.stake_least_units:
            able.append(Seat(key, validator.vrf_key, validator.stake_units))
    able.sort(key=lambda seat: (-seat.stake, seat.key))
    chosen = sorted(able[: rules.committee_max], key=lambda seat: seat.key)
    return Committee(tuple(chosen)) if chosen else None


def seed_of(reader: Reader, epoch: int) -> Hash:
    """Give the seed of the current epoch, the next, or at a boundary the one after."""
    found = SEEDS.get(reader, epoch_name(epoch))
    if found is not None:
        return Hash(found)
    assert epoch <= 1, "seeds are kept from the epoch two before"
    first = digest(Domain.SEED, chain_id(reader))
    return first if epoch == 0 else digest(Domain.SEED, first)


def add_draw(overlay: Overlay, context: BlockContext) -> None:
    """Hash what a block's leader drew into the seed of the epoch after the next."""
    if context.draw:
        epoch_blocks = parameters(overlay).staking.epoch_blocks
        _grow_seed(overlay, epoch_of(context.height, epoch_blocks), context.draw)


def _grow_seed(overlay: Overlay, epoch: int, draw: bytes) -> None:
    name = epoch_name(epoch + 2)
    so_far = SEEDS.get(overlay, name) or seed_of(overlay, epoch + 1)
    SEEDS.put(overlay, digest(Domain.SEED, so_far, draw), name)


def end_epoch(overlay: Overlay, context: BlockContext) -> None:
    """Do what is due after a block, if it is a boundary."""
    rules = parameters(overlay).staking
    if not is_boundary(context.height, rules.epoch_blocks):
        return
    epoch = epoch_of(context.height, rules.epoch_blocks)
    share_levy(overlay, epoch)
    _pay_attestors(overlay)
    chosen = choose_committee(overlay, rules)
    if chosen is None:
        # A chain never goes without validators: the committee before serves on.
        chosen = committee_of(overlay, epoch + 1)
        assert chosen is not None
    COMMITTEES.put(overlay, chosen, epoch_name(epoch + 2))
    if SEEDS.get(overlay, epoch_name(epoch + 2)) is None:
        _grow_seed(overlay, epoch, b"")
    if epoch > 1:
        SEEDS.remove(overlay, epoch_name(epoch))
    EPOCH_ENDS.put(overlay, context.time_ms, epoch_name(epoch))
    _forget_old(overlay, rules, epoch, context.time_ms)


def share_levy(overlay: Overlay, epoch: int) -> None:
    """Share the validators' levy among those of the committee out of jail, by their seats' stake.

    This is done at a boundary, before anyone bonds: new stake has no part in earlier income.
    """
    units = account(overlay, VALIDATORS_ACCOUNT).units
    if units == 0:
        return
    committee = committee_of(overlay, epoch)
    assert committee is not None, "the current epoch has a committee"
    seats = [seat for seat in committee.seats if _is_free(overlay, seat)]
    # With nobody to share it among, it waits for the next boundary.
    if seats:
        debit(overlay, VALIDATORS_ACCOUNT, units)
        parts = apportion(units, [Fraction(seat.stake) for seat in seats])
        for seat, part in zip(seats, parts, strict=True):
            reward_validator(overlay, PublicKey(seat.key), part)


def _pay_attestors(overlay: Overlay) -> None:
    """Share the attestors' levy evenly."""
    keys = attestors(overlay)
    each = account(overlay, ATTESTORS_ACCOUNT).units // len(keys) if keys else 0
    debit(overlay, ATTESTORS_ACCOUNT, each * len(keys))
    for key in keys:
        credit(overlay, address_of(key), each)


def _is_free(reader: Reader, seat: Seat) -> bool:
    validator = VALIDATORS.get(reader, seat.key)
    assert validator is not None, "seats are validators'"
    return not validator.jailed_until


def first_epoch(reader: Reader) -> int:
    """Give the first epoch whose faults are punishable yet."""
    return FIRST_EPOCH.get(reader) or 0


def _forget_old(overlay: Overlay, rules: Staking, now: int, time_ms: int) -> None:
    """Forget epochs that are too old by both counts, the oldest first."""
    oldest = first_epoch(overlay)
    for epoch in range(oldest, min(now - rules.evidence_epochs + 1, oldest + FORGOTTEN_MAX)):
        ended_ms = EPOCH_ENDS.get(overlay, epoch_name(epoch))
        assert ended_ms is not None, "an epoch that is over has ended at a time"
        if time_ms - ended_ms < rules.evidence_ms:
            return
        _forget(overlay, epoch)
        FIRST_EPOCH.put(overlay, epoch + 1)


def _forget(overlay: Overlay, epoch: int) -> None:
    """Drop an epoch's committee, its offences, and when it ended."""
    committee = committee_of(overlay, epoch)
    assert committee is not None, "epochs are forgotten once, in their order"
    for seat in committee.seats:
        if OFFENCES.get(overlay, epoch_name(epoch) + seat.key) is not None:
            OFFENCES.remove(overlay, epoch_name(epoch) + seat.key)
    COMMITTEES.remove(overlay, epoch_name(epoch))
    EPOCH_ENDS.remove(overlay, epoch_name(epoch))
