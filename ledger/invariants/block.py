"""What is checked after every block: the books, over what the block touched and no more.

The sums are taken from the records before and after, by code that shares nothing with the rules.
A disagreement is a bug of ours, so it stops everything.
"""

from typing import Final

from ledger.errors.base import InvariantBroken
from ledger.invariants.holdings import ACCOUNT_NAMES, HOLDINGS, HOLDINGS_OF
from ledger.invariants.moves import why_moved
from ledger.invariants.records import why_wrong
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.overlay import Overlay
from ledger.state.records import Supply
from ledger.state.tables import (
    ACCOUNTS,
    LOTS,
    MILK_TANKS,
    MMUS,
    SUPPLY,
    TANK_HOURS,
    parameters,
    supply,
)

_NO_BOOKS: Final = Supply(Units(0), Units(0), Units(0))


def _account_units(raw: bytes | None) -> int:
    return 0 if raw is None else ACCOUNTS.decode(raw).units


def _lot_units(raw: bytes | None) -> tuple[int, int]:
    """Give what a lot came with, and what remains of it."""
    if raw is None:
        return 0, 0
    lot = LOTS.decode(raw)
    return lot.units, lot.remaining_units


def _deficit(raw: bytes | None) -> int:
    return 0 if raw is None else MMUS.decode(raw).deficit_units


def _check_holdings(overlay: Overlay) -> None:
    """Raise unless the law's accounts rose by as much as the records that they hold for."""
    rose = dict.fromkeys((holding.account for holding in HOLDINGS), 0)
    for address in rose:
        key = ACCOUNTS.prefix + address
        if key in overlay.changes:
            rose[address] = _account_units(overlay.before(key)) - _account_units(overlay.get(key))
    for key, raw in overlay.changes.items():
        for holding in HOLDINGS_OF.get(key[:1], ()):
            before = overlay.before(key)
            rose[holding.account] += 0 if raw is None else holding.units(raw)
            rose[holding.account] -= 0 if before is None else holding.units(before)
    for address, units in rose.items():
        if units:
            raise InvariantBroken(f"the account {ACCOUNT_NAMES[address]} lacks {units} units")


def _check_books(overlay: Overlay) -> None:
    """Raise unless the books moved by as much as accounts, lots and what MMUs owe."""
    held = minted = remaining = deficit = 0
    for key, raw in overlay.changes.items():
        if key[:1] == ACCOUNTS.prefix:
            held += _account_units(raw) - _account_units(overlay.before(key))
        elif key[:1] == LOTS.prefix:
            (came, left), (had, was) = _lot_units(raw), _lot_units(overlay.before(key))
            minted, remaining = minted + came - had, remaining + left - was
        elif key[:1] == MMUS.prefix:
            deficit += _deficit(raw) - _deficit(overlay.before(key))
    raw_before = overlay.before(SUPPLY.prefix)
    before = _NO_BOOKS if raw_before is None else SUPPLY.decode(raw_before)
    after = supply(overlay)
    for what, booked, counted in (
        ("of milk minted", after.minted_units - before.minted_units, minted),
        ("of milk in lots", after.remaining_units - before.remaining_units, remaining),
        ("of deficit", after.deficit_units - before.deficit_units, deficit),
        ("in accounts", after.units - before.units, held),
    ):
        if booked != counted:
            raise InvariantBroken(f"the books gained {booked} units {what}, the records {counted}")


def _check_tanks(overlay: Overlay) -> None:
    """Raise unless each tank holds more, or less, by as much as its portions do."""
    rose: dict[bytes, int] = {}
    for key, raw in overlay.changes.items():
        for sign, found in ((1, raw), (-1, overlay.before(key))):
            if found is None:
                continue
            name = key[1 : 1 + len(ZERO_HASH)]
            if key[:1] == MILK_TANKS.prefix:
                rose[name] = rose.get(name, 0) - sign * MILK_TANKS.decode(found).held_units
            elif key[:1] == TANK_HOURS.prefix:
                units = sum(portion.units for portion in TANK_HOURS.decode(found).portions)
                rose[name] = rose.get(name, 0) + sign * units
    for name, over in rose.items():
        if over:
            raise InvariantBroken(f"tank {name.hex()}: its portions hold {over} units too many")


def _check_records(overlay: Overlay) -> None:
    """Raise unless each record holds by itself, and can have come from what was there before."""
    rules = parameters(overlay)
    for key, raw in overlay.changes.items():
        before = overlay.before(key)
        why = "" if raw is None else why_wrong(key, raw, rules)
        if why := why or ("" if before is None else why_moved(key, before, raw)):
            raise InvariantBroken(why)


def check_block(overlay: Overlay) -> None:
    """Raise `InvariantBroken` unless what a block changed keeps the books in agreement."""
    _check_books(overlay)
    _check_holdings(overlay)
    _check_tanks(overlay)
    _check_records(overlay)
