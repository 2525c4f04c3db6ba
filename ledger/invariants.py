"""Invariants: the books agree, after every block and over the whole state.

`check_block` looks at what a block touched and costs no more than that; `audit` walks every
record. They are written apart from the rules and share no arithmetic with them.

    minted - redeemed = remaining in all lots = held by all accounts, module accounts included
    0 <= remaining <= units, for every lot
    the stake account holds what the validators have at stake
    ranges of used readings ascend and do not touch
    the state root is the hash over every record
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.errors import InvariantBroken
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate
from ledger.state.overlay import Overlay
from ledger.state.records import Supply
from ledger.state.tables import (
    ACCOUNTS,
    CONSUMED,
    LOTS,
    RUNS,
    STAKE_ACCOUNT,
    SUPPLY,
    VALIDATORS,
    supply,
)


def _account_units(raw: bytes | None) -> int:
    return 0 if raw is None else ACCOUNTS.decode(raw).units


def _lot_remaining(raw: bytes | None) -> int:
    return 0 if raw is None else LOTS.decode(raw).remaining


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
    before = Supply(0, 0, 0) if raw_before is None else SUPPLY.decode(raw_before)  # type: ignore[arg-type]  # Zeros are units.
    after = supply(overlay)
    if after.units != after.remaining:
        raise InvariantBroken(f"supply {after.units} but {after.remaining} remain in lots")
    if after.remaining - before.remaining != remaining:
        raise InvariantBroken(
            f"the books gained {after.remaining - before.remaining} units of "
            f"milk, the lots {remaining}"
        )
    if after.units - before.units != held:
        raise InvariantBroken(f"supply rose by {after.units - before.units}, accounts by {held}")
    if after.minted < before.minted or after.redeemed < before.redeemed:
        raise InvariantBroken("what was minted or redeemed does not become less")


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


def audit(entries: Iterable[tuple[bytes, bytes]], accumulator: bytes) -> Audit:
    """Walk every record of a state and say what does not agree."""
    found, stake_held, folded = Audit(), 0, EMPTY_ACCUMULATOR
    runs: dict[bytes, bytes] = {}
    lots: dict[bytes, bytes] = {}
    books: Supply | None = None
    for key, raw in entries:
        found.records += 1
        folded = accumulate(folded, (), ((key, raw),))
        prefix, name = key[:1], key[1:]
        if prefix == ACCOUNTS.prefix:
            found.accounts += 1
            units = ACCOUNTS.decode(raw).units
            found.held_units += units
            if name == STAKE_ACCOUNT:
                stake_held = units
        elif prefix == LOTS.prefix:
            lots[name] = LOTS.decode(raw).run
            _audit_lot(found, name, raw)
        elif prefix == RUNS.prefix:
            runs[name] = RUNS.decode(raw)
        elif prefix == VALIDATORS.prefix:
            found.staked_units += VALIDATORS.decode(raw).stake
        elif prefix == CONSUMED.prefix:
            _audit_ranges(found, name, raw)
        elif prefix == SUPPLY.prefix:
            books = SUPPLY.decode(raw)
    if {run: lot for lot, run in lots.items()} != runs:
        found.findings.append("runs and lots do not name each other one to one")
    if stake_held != found.staked_units:
        found.findings.append(
            f"validators have {found.staked_units} units at stake, the account holds {stake_held}"
        )
    if folded != accumulator:
        found.findings.append("the state root is not the hash over the records")
    _audit_books(found, books)
    return found


def _audit_lot(found: Audit, name: bytes, raw: bytes) -> None:
    lot = LOTS.decode(raw)
    found.lots += 1
    found.remaining_units += lot.remaining
    if not 0 <= lot.remaining <= lot.units:
        found.findings.append(f"lot {name.hex()}: {lot.remaining} of {lot.units} units remain")


def _audit_ranges(found: Audit, name: bytes, raw: bytes) -> None:
    ranges = CONSUMED.decode(raw).ranges
    apart = all(a[1] + 1 < b[0] for a, b in itertools.pairwise(ranges))
    if not apart or any(low > high for low, high in ranges):
        found.findings.append(f"device and boot {name.hex()}: ranges {ranges} are not disjoint")


def _audit_books(found: Audit, books: Supply | None) -> None:
    if books is None:
        found.findings.append("there are no books: the state has no genesis")
        return
    found.minted_units, found.redeemed_units = books.minted, books.redeemed
    for name, units in (
        ("the books say remains in lots", books.remaining),
        ("remain in lots", found.remaining_units),
        ("are held by accounts", found.held_units),
    ):
        if units != books.units:
            found.findings.append(f"supply is {books.units} units, but {units} {name}")
