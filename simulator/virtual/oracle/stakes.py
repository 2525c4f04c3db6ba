"""The oracle's own book of stakes: who validates with how much, told by final transactions alone.

Written apart from the ledger's rules (spec §4.3, ledger spec §11): it begins with the genesis,
reads what was ordered and which receipts say that it took effect, and works out every stake, every
slash, every jail and the committee two epochs on. At each boundary, and wherever somebody was
punished, the ledger's records must say the same. Nothing here reads them to find out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.genesis import Genesis
from ledger.primitives.amounts import Units
from ledger.primitives.committee import Committee, Seat
from ledger.primitives.keys import Address, PublicKey
from ledger.state import Reader
from ledger.state.stakes import Slashes
from ledger.state.tables import SLASHES, VALIDATORS
from ledger.types.block import Receipt
from ledger.types.staking import Bond, RegisterValidator, SubmitEvidence, Unbond, Unjail
from ledger.types.transaction import Transaction
from simulator.virtual.errors import Breach

LAW: Final = "STAKE"
WHOLE_BP: Final = 10_000

Parts = dict[Address, int]
"""How a whole is held, in shares: a punishment makes each worth less alike."""


@dataclass(slots=True)
class Leaving:
    """What left a validator in one epoch: all of it, what punishment spared, whose it is."""

    begun: int = 0
    left: int = 0
    parts: Parts = field(default_factory=dict)


@dataclass(slots=True)
class ValidatorRecord:
    """One validator: what is at stake on it, what is leaving, what it did and paid."""

    vrf_key: PublicKey
    owner: Address
    stake: int
    parts: Parts
    jailed_until: int = 0
    leaving: dict[int, Leaving] = field(default_factory=dict)
    faults: set[tuple[int, int, int]] = field(default_factory=set)
    """Punished: epoch, view and the pair of votes' kinds, as one number."""
    paid: dict[int, int] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)
    """Epochs of which nothing was left to pay with."""


class StakeBook:
    """Stakes after the last block that was read, and every committee that followed from them."""

    def __init__(self, genesis: Genesis, honest: frozenset[PublicKey]) -> None:
        self.rules = genesis.parameters.staking
        self.honest = honest
        self.standing = {
            v.vote_key: ValidatorRecord(
                v.vrf_key, v.owner, v.stake_units, {v.owner: int(v.stake_units)}
            )
            for v in genesis.validators
        }
        first = self._choose()
        assert first is not None, "a genesis has validators"
        self.committees: list[Committee] = [first, first]
        self.slashed = self.reporters = self.punished = 0

    def read(
        self, height: int, transactions: Sequence[Transaction], receipts: Sequence[Receipt]
    ) -> bool:
        """Take in a final block; tell whether stakes are to be compared with the ledger's."""
        epoch, before = (height - 1) // self.rules.epoch_blocks, self.punished
        for transaction, receipt in zip(transactions, receipts, strict=True):
            if not receipt.code:
                self._take(epoch, transaction)
        if height % self.rules.epoch_blocks:
            return self.punished != before
        self.committees.append(self._choose() or self.committees[-1])
        return True

    def _take(self, epoch: int, transaction: Transaction) -> None:
        match transaction.intent.body:
            case RegisterValidator(vote_key=key, vrf_key=vrf_key):
                self.standing[key] = ValidatorRecord(vrf_key, transaction.sender, 0, {})
            case Bond(validator=key, units=units):
                one = self.standing[key]
                _add_part(one.parts, transaction.sender, _bought(one.parts, one.stake, units))
                one.stake += units
            case Unbond(validator=key, units=units):
                self._leave(self.standing[key], transaction.sender, epoch, units)
            case Unjail(validator=key):
                self.standing[key].jailed_until = 0
            case SubmitEvidence():
                self._punish(epoch, transaction.intent.body)
            case _:
                pass

    @staticmethod
    def _leave(one: ValidatorRecord, who: Address, epoch: int, units: int) -> None:
        """Move units and their parts into what leaves in an epoch."""
        held, whole = one.parts.get(who, 0), sum(one.parts.values())
        given = held if units == one.stake * held // whole else -(-units * whole // one.stake)
        _add_part(one.parts, who, -given)
        one.stake -= units
        pool = one.leaving.setdefault(epoch, Leaving())
        _add_part(pool.parts, who, _bought(pool.parts, pool.left, units))
        pool.begun += units
        pool.left += units

    def _punish(self, now: int, evidence: SubmitEvidence) -> None:
        """Hold a slash to the law: who pays what, once a fault, never more than its seat."""
        key, first, second = evidence.validator, evidence.first, evidence.second
        who = key.hex()[:8]
        if key in self.honest:
            raise Breach("I9", f"the ledger punished honest {who}")
        epoch = first.epoch
        fault = (epoch, first.view, _pair(int(first.kind), int(second.kind)))
        one = self.standing[key]
        if fault in one.faults:
            raise Breach(LAW, f"{who} was punished twice for view {first.view} of epoch {epoch}")
        if not now - self.rules.evidence_epochs <= epoch <= now:
            raise Breach(LAW, f"{who} was punished in epoch {now} for what it did in {epoch}")
        seat = next((s for s in self.committees[epoch].seats if s.key == key), None)
        if seat is None:
            raise Breach(LAW, f"{who} was punished for an epoch in which it had no seat")
        if epoch in one.spent or one.paid.get(epoch, 0) == seat.stake:
            raise Breach(LAW, f"{who} was punished for epoch {epoch} with nothing left to pay")
        one.faults.add(fault)
        owed = min(_part_up(seat.stake, self.rules.slash_bp), seat.stake - one.paid.get(epoch, 0))
        units, own = self._collect(one, epoch, now, owed)
        if units == 0:
            one.spent.add(epoch)
        one.paid[epoch] = one.paid.get(epoch, 0) + units
        one.jailed_until = max(one.jailed_until, now + self.rules.jail_epochs)
        self.punished += 1
        self.slashed += units
        # Nobody gains by telling of itself: the reward is at most what the owner lost.
        self.reporters += min(units * self.rules.reporter_bp // WHOLE_BP, own)

    def _collect(self, one: ValidatorRecord, epoch: int, now: int, owed: int) -> tuple[int, int]:
        """Take what is owed: first from what voted then and left since, the rest from the stake.

        Give how much there was, and how much of it was the owner's.
        """
        left, own = owed, 0
        for began in range(max(0, epoch - 1), now + 1):
            if (pool := one.leaving.get(began)) is not None:
                cut = min(_part_up(pool.begun, self.rules.slash_bp), pool.left, left)
                pool.left -= cut
                left -= cut
                own += _part_of(cut, pool.parts, one.owner)
        cut = min(one.stake, left)
        one.stake -= cut
        return owed - left + cut, own + _part_of(cut, one.parts, one.owner)

    def _choose(self) -> Committee | None:
        """Seat the free with most stake, the lower key first among equals; order them by key."""
        able = [
            Seat(key, one.vrf_key, one.stake)
            for key, one in self.standing.items()
            if one.jailed_until == 0 and one.stake >= self.rules.stake_least_units
        ]
        able.sort(key=lambda seat: seat.key)
        able.sort(key=lambda seat: seat.stake, reverse=True)
        seated = sorted(able[: self.rules.committee_max], key=lambda seat: seat.key)
        return Committee(tuple(seated)) if seated else None

    def prospects(self) -> list[Committee]:
        """Give the committee that would be seated now, if there is any."""
        chosen = self._choose()
        return [chosen] if chosen else []

    def compare(self, state: Reader) -> None:
        """Raise a `Breach` unless the ledger's records say what the book says."""
        for key, one in self.standing.items():
            record = VALIDATORS.get(state, key)
            found = None if record is None else (record.stake_units, record.jailed_until)
            if found != (one.stake, one.jailed_until):
                told = f"{found}, not {(one.stake, one.jailed_until)}"
                raise Breach(LAW, f"stake and jail of {key.hex()[:8]} are {told}")
        books = SLASHES.get(state) or Slashes(Units(0), Units(0), Units(0))
        expected = (self.slashed, self.slashed - self.reporters, self.reporters)
        if (books.slashed_units, books.reserve_units, books.reporters_units) != expected:
            raise Breach(LAW, f"the books of slashing say {books}, not {expected}")


def _pair(one: int, other: int) -> int:
    low, high = sorted((one, other))
    return 10 * low + high


def _part_up(units: int, basis_points: int) -> int:
    """Take a part, every fraction of a unit counted as a whole."""
    return -(-units * basis_points // WHOLE_BP)


def _bought(parts: Parts, worth: int, units: int) -> int:
    """Give how many shares units buy of a whole that is worth so much; of nothing, as many."""
    return units * sum(parts.values()) // worth if worth else units


def _add_part(parts: Parts, who: Address, shares: int) -> None:
    parts[who] = parts.get(who, 0) + shares


def _part_of(units: int, parts: Parts, who: Address) -> int:
    return units * parts.get(who, 0) // sum(parts.values()) if units else 0
