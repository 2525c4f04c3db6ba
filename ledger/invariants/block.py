"""What is checked after every block: the books, over what the block touched and no more.

The sums are taken from the records before and after, by code that shares nothing with the rules.
A disagreement is a bug of ours, so it stops everything.
"""

from typing import Final

from ledger.errors import InvariantBroken
from ledger.invariants.holdings import ACCOUNT_NAMES, HOLDINGS, HOLDINGS_OF
from ledger.invariants.records import why_wrong
from ledger.primitives.amounts import Units
from ledger.state.overlay import Overlay
from ledger.state.records import Supply
from ledger.state.tables import ACCOUNTS, LOTS, SUPPLY, parameters, supply

_NO_BOOKS: Final = Supply(Units(0), Units(0), Units(0))


def _account_units(raw: bytes | None) -> int:
    return 0 if raw is None else ACCOUNTS.decode(raw).units


def _lot_remaining(raw: bytes | None) -> int:
    return 0 if raw is None else LOTS.decode(raw).remaining


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
    rules = parameters(overlay)
    for key, raw in overlay.changes.items():
        if raw is not None and (why := why_wrong(key, raw, rules)):
            raise InvariantBroken(why)
