"""The audit: a walk over every record of a state, that says what does not agree and where.

It never raises for what it finds; a record that does not even decode is a finding too.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from ledger.invariants.holdings import ACCOUNT_NAMES, HOLDINGS, HOLDINGS_OF
from ledger.invariants.licences import LicenceRelations
from ledger.invariants.lines import LineRelations
from ledger.invariants.lots import LotRelations
from ledger.invariants.place import Place
from ledger.invariants.raw_milk import RawMilkRelations
from ledger.invariants.records import why_wrong
from ledger.invariants.stake import CommitteeRelations, StakeRelations
from ledger.invariants.trade import PoolRelations, TradeRelations
from ledger.invariants.windows import WindowRelations
from ledger.params import Parameters, default_parameters
from ledger.primitives.keys import Address
from ledger.state.lattice import EMPTY_ACCUMULATOR, accumulate
from ledger.state.records import Supply
from ledger.state.tables import ACCOUNTS, LOTS, SUPPLY

_FOLDED_AT_ONCE: Final = 4_096


@dataclass(slots=True)
class Audit:
    """What a walk over the whole state found. `findings` is empty if all is well."""

    records: int = 0
    accounts: int = 0
    lots: int = 0
    held_units: int = 0
    remaining_units: int = 0
    minted_units: int = 0
    redeemed_units: int = 0
    findings: list[str] = field(default_factory=list)


class _Relations(Protocol):
    """What holds between records: takes them one by one, then says what does not agree."""

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None: ...

    def findings(self) -> Iterator[str]: ...


class _Walk:
    """An audit under way: takes records one by one, and concludes when all were seen."""

    def __init__(self, rules: Parameters, place: Place | None) -> None:
        self.found = Audit()
        self._rules = rules
        self._folded = EMPTY_ACCUMULATOR
        self._waiting: list[tuple[bytes, bytes]] = []
        self._held = dict.fromkeys((holding.account for holding in HOLDINGS), 0)
        self._recorded = dict(self._held)
        lots = LotRelations(place)
        self._relations: tuple[_Relations, ...] = (
            lots,
            RawMilkRelations(),
            WindowRelations(lots.lots),
            StakeRelations(place),
            CommitteeRelations(place),
            TradeRelations(place),
            PoolRelations(),
            LicenceRelations(place),
            LineRelations(),
        )
        self._books: Supply | None = None
        self._sums: dict[bytes, Callable[[bytes, bytes], None]] = {
            ACCOUNTS.prefix: self._account,
            LOTS.prefix: self._lot,
            SUPPLY.prefix: self._supply,
        }

    def take(self, key: bytes, raw: bytes) -> None:
        self.found.records += 1
        self._waiting.append((key, raw))
        if len(self._waiting) == _FOLDED_AT_ONCE:
            self._folded, self._waiting = accumulate(self._folded, (), self._waiting), []
        if why := why_wrong(key, raw, self._rules):
            self.found.findings.append(why)
        try:
            self._sum(key[:1], key[1:], raw)
        except (msgspec.DecodeError, ValueError):
            assert why, "what does not decode is told of already"

    def _sum(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        for holding in HOLDINGS_OF.get(prefix, ()):
            self._recorded[holding.account] += holding.units(raw)
        if add := self._sums.get(prefix):
            add(name, raw)
        if prefix != ACCOUNTS.prefix:
            for relation in self._relations:
                relation.take(prefix, name, raw)

    def conclude(self, accumulator: bytes) -> Audit:
        found = self.found
        for relation in self._relations:
            found.findings.extend(relation.findings())
        for address, units in self._recorded.items():
            if self._held[address] != units:
                found.findings.append(
                    f"the account {ACCOUNT_NAMES[address]} should hold {units} units, "
                    f"it holds {self._held[address]}"
                )
        if accumulate(self._folded, (), self._waiting) != accumulator:
            found.findings.append("the state root is not the hash over the records")
        self._conclude_books()
        return found

    def _conclude_books(self) -> None:
        found, books = self.found, self._books
        if books is None:
            found.findings.append("there are no books: the state has no genesis")
            return
        found.minted_units, found.redeemed_units = books.minted_units, books.redeemed_units
        for name, units in (
            ("remain in lots or deficit", found.remaining_units + books.deficit_units),
            ("are held by accounts", found.held_units),
        ):
            if units != books.units:
                found.findings.append(f"supply is {books.units} units, but {units} {name}")

    def _account(self, name: bytes, raw: bytes) -> None:
        units = ACCOUNTS.decode(raw).units
        self.found.accounts += 1
        self.found.held_units += units
        if name in self._held:
            self._held[Address(name)] = units

    def _lot(self, name: bytes, raw: bytes) -> None:
        self.found.lots += 1
        self.found.remaining_units += LOTS.decode(raw).remaining_units

    def _supply(self, name: bytes, raw: bytes) -> None:
        self._books = SUPPLY.decode(raw)


def audit(
    entries: Iterable[tuple[bytes, bytes]],
    accumulator: bytes,
    rules: Parameters | None = None,
    place: Place | None = None,
) -> Audit:
    """Walk every record of a state and say what does not agree.

    `rules` are the parameters in force, for the bounds of the price; without them the defaults.
    With a `place` it also looks for what the chain can't have brought yet.
    """
    walk = _Walk(rules or default_parameters(development=False), place)
    for key, raw in entries:
        walk.take(key, raw)
    return walk.conclude(accumulator)
