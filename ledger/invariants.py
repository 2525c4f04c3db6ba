"""Invariants: the books agree, after every block and over the whole state.

`check_block` looks at what a block touched and costs no more than that; `audit` walks every
record. They are written apart from the rules and share no arithmetic with them.

    minted - redeemed = held by all accounts, module accounts included
    minted - redeemed = remaining in all lots + deficits; redeemed is the sum by reason
    0 <= remaining <= units, for every lot
    an account of the law holds what its records say: stake and what is unbonding, rewards
    ranges of used readings ascend and do not touch
    the state root is the hash over every record
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ledger.errors import InvariantBroken
from ledger.primitives.amounts import Units
from ledger.primitives.keys import Address
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate
from ledger.state.overlay import Overlay
from ledger.state.records import Supply
from ledger.state.tables import (
    ACCOUNTS,
    BONDS_ACCOUNT,
    CHALLENGES,
    CONSUMED,
    DEALS,
    DEPOSITS_ACCOUNT,
    ESCROW_ACCOUNT,
    LOTS,
    MMUS,
    MODULE_ACCOUNTS,
    REWARDS_ACCOUNT,
    RUNS,
    STAKE_ACCOUNT,
    SUBSIDY,
    SUBSIDY_ACCOUNT,
    SUPPLY,
    UNBONDING,
    VALIDATORS,
    supply,
)

_NO_BOOKS: Final = Supply(Units(0), Units(0), Units(0))
_FOLDED_AT_ONCE: Final = 4_096


def _account_units(raw: bytes | None) -> int:
    return 0 if raw is None else ACCOUNTS.decode(raw).units


def _lot_remaining(raw: bytes | None) -> int:
    return 0 if raw is None else LOTS.decode(raw).remaining


@dataclass(frozen=True, slots=True)
class Holding:
    """Units that stand in records of one table and must lie in one account of the law."""

    prefix: bytes
    account: Address
    units: Callable[[bytes], int]


HOLDINGS: Final = (
    Holding(VALIDATORS.prefix, STAKE_ACCOUNT, lambda raw: VALIDATORS.decode(raw).stake),
    Holding(UNBONDING.prefix, STAKE_ACCOUNT, lambda raw: UNBONDING.decode(raw).units),
    Holding(MMUS.prefix, BONDS_ACCOUNT, lambda raw: MMUS.decode(raw).bond),
    Holding(CHALLENGES.prefix, DEPOSITS_ACCOUNT, lambda raw: CHALLENGES.decode(raw).deposit),
    Holding(SUBSIDY.prefix, SUBSIDY_ACCOUNT, lambda raw: SUBSIDY.decode(raw).pool),
    Holding(DEALS.prefix, ESCROW_ACCOUNT, lambda raw: DEALS.decode(raw).units),
    Holding(VALIDATORS.prefix, REWARDS_ACCOUNT, lambda raw: VALIDATORS.decode(raw).rewards),
)
"""What each account of the law holds, and for whom."""

_NAMES: Final = {address: name for name, address in MODULE_ACCOUNTS.items()}


def _check_holdings(overlay: Overlay) -> None:
    """Raise unless the law's accounts rose by as much as the records that they hold for."""
    rose = dict.fromkeys((holding.account for holding in HOLDINGS), 0)
    for address in rose:
        key = ACCOUNTS.prefix + address
        if key in overlay.changes:
            rose[address] = _account_units(overlay.before(key)) - _account_units(overlay.get(key))
    for key, raw in overlay.changes.items():
        for holding in _HOLDINGS_OF.get(key[:1], ()):
            before = overlay.before(key)
            rose[holding.account] += 0 if raw is None else holding.units(raw)
            rose[holding.account] -= 0 if before is None else holding.units(before)
    for address, units in rose.items():
        if units:
            raise InvariantBroken(f"the account {_NAMES[address]} lacks {units} units")


_HOLDINGS_OF: Final = {
    prefix: tuple(holding for holding in HOLDINGS if holding.prefix == prefix)
    for prefix in {holding.prefix for holding in HOLDINGS}
}


def check_block(overlay: Overlay) -> None:
    """Raise `InvariantBroken` unless what a block changed keeps the books in agreement."""
    held = remaining = 0
    account_prefix, lot_prefix = ACCOUNTS.prefix[0], LOTS.prefix[0]
    for key, raw in overlay.changes.items():
        if key[0] == account_prefix:
            held += _account_units(raw) - _account_units(overlay.before(key))
        elif key[0] == lot_prefix:
            remaining += _lot_remaining(raw) - _lot_remaining(overlay.before(key))
    raw_before = overlay.before(SUPPLY.prefix)
    before = _NO_BOOKS if raw_before is None else SUPPLY.decode(raw_before)
    after = supply(overlay)
    if after.units != after.remaining + after.deficit:
        raise InvariantBroken(
            f"supply {after.units} but {after.remaining} remain in lots, {after.deficit} in deficit"
        )
    if after.redeemed != sum(after.by_reason):
        raise InvariantBroken(f"{after.redeemed} redeemed, but by reason {after.by_reason}")
    if after.remaining - before.remaining != remaining:
        raise InvariantBroken(
            f"the books gained {after.remaining - before.remaining} units of "
            f"milk, the lots {remaining}"
        )
    if after.units - before.units != held:
        raise InvariantBroken(f"supply rose by {after.units - before.units}, accounts by {held}")
    if after.minted < before.minted or after.redeemed < before.redeemed:
        raise InvariantBroken("what was minted or redeemed does not become less")
    _check_holdings(overlay)


@dataclass(slots=True)
class Audit:
    """What a walk over the whole state found. `findings` is empty if all is well."""

    records: int = 0
    accounts: int = 0
    lots: int = 0
    held_units: int = 0
    remaining_units: int = 0
    staked_units: int = 0
    minted_units: int = 0
    redeemed_units: int = 0
    findings: list[str] = field(default_factory=list)


class _Walk:
    """An audit under way: takes records one by one, and concludes when all were seen."""

    def __init__(self) -> None:
        self.found = Audit()
        self._folded = EMPTY_ACCUMULATOR
        self._waiting: list[tuple[bytes, bytes]] = []
        self._held = dict.fromkeys((holding.account for holding in HOLDINGS), 0)
        self._recorded = dict(self._held)
        self._lot_of_run: dict[bytes, bytes] = {}
        self._run_of_lot: dict[bytes, bytes] = {}
        self._books: Supply | None = None
        self._checks: dict[bytes, Callable[[bytes, bytes], None]] = {
            ACCOUNTS.prefix: self._account,
            CONSUMED.prefix: self._consumed,
            LOTS.prefix: self._lot,
            RUNS.prefix: self._run,
            SUPPLY.prefix: self._supply,
            VALIDATORS.prefix: self._validator,
        }

    def take(self, key: bytes, raw: bytes) -> None:
        self.found.records += 1
        self._waiting.append((key, raw))
        if len(self._waiting) == _FOLDED_AT_ONCE:
            self._folded, self._waiting = accumulate(self._folded, (), self._waiting), []
        for holding in _HOLDINGS_OF.get(key[:1], ()):
            self._recorded[holding.account] += holding.units(raw)
        if check := self._checks.get(key[:1]):
            check(key[1:], raw)

    def conclude(self, accumulator: bytes) -> Audit:
        found = self.found
        if {run: lot for lot, run in self._run_of_lot.items()} != self._lot_of_run:
            found.findings.append("runs and lots do not name each other one to one")
        for address, units in self._recorded.items():
            if self._held[address] != units:
                found.findings.append(
                    f"the account {_NAMES[address]} should hold {units} units, "
                    f"it holds {self._held[address]}"
                )
        if accumulate(self._folded, (), self._waiting) != accumulator:
            found.findings.append("the state root is not the hash over the records")
        _audit_books(found, self._books)
        return found

    def _account(self, name: bytes, raw: bytes) -> None:
        units = ACCOUNTS.decode(raw).units
        self.found.accounts += 1
        self.found.held_units += units
        if name in self._held:
            self._held[Address(name)] = units

    def _consumed(self, name: bytes, raw: bytes) -> None:
        ranges = CONSUMED.decode(raw).ranges
        apart = all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
        if not apart or any(low > high for low, high in ranges):
            self.found.findings.append(f"device and boot {name.hex()}: {ranges} are not disjoint")

    def _lot(self, name: bytes, raw: bytes) -> None:
        lot = LOTS.decode(raw)
        self._run_of_lot[name] = lot.run
        self.found.lots += 1
        self.found.remaining_units += lot.remaining
        if not 0 <= lot.remaining <= lot.units:
            self.found.findings.append(
                f"lot {name.hex()}: {lot.remaining} of {lot.units} units remain"
            )

    def _run(self, name: bytes, raw: bytes) -> None:
        self._lot_of_run[name] = RUNS.decode(raw)

    def _supply(self, name: bytes, raw: bytes) -> None:
        self._books = SUPPLY.decode(raw)

    def _validator(self, name: bytes, raw: bytes) -> None:
        self.found.staked_units += VALIDATORS.decode(raw).stake


def audit(entries: Iterable[tuple[bytes, bytes]], accumulator: bytes) -> Audit:
    """Walk every record of a state and say what does not agree."""
    walk = _Walk()
    for key, raw in entries:
        walk.take(key, raw)
    return walk.conclude(accumulator)


def _audit_books(found: Audit, books: Supply | None) -> None:
    if books is None:
        found.findings.append("there are no books: the state has no genesis")
        return
    found.minted_units, found.redeemed_units = books.minted, books.redeemed
    for name, units in (
        ("the books say remains in lots or deficit", books.remaining + books.deficit),
        ("remain in lots or deficit", found.remaining_units + books.deficit),
        ("are held by accounts", found.held_units),
    ):
        if units != books.units:
            found.findings.append(f"supply is {books.units} units, but {units} {name}")
