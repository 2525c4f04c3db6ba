"""What must hold between offers and deals, of the price, of mandates, and of waiting claims.

Only the audit looks at this, since it needs the whole state.
"""

from collections.abc import Iterator

from ledger.invariants.place import Place
from ledger.state.market import Deal, Mandate, Offer, Price, Subsidy
from ledger.state.tables import CLAIMS, DEALS, MANDATES, OFFERS, PRICE, SUBSIDY


class TradeRelations:
    """Deals with their offers, mandates, and the price, against the time of the state."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._offers: dict[bytes, Offer] = {}
        self._deals: dict[bytes, Deal] = {}
        self._mandates: dict[bytes, Mandate] = {}
        self._price = Price()

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of trade."""
        if prefix == OFFERS.prefix:
            self._offers[name] = OFFERS.decode(raw)
        elif prefix == DEALS.prefix:
            self._deals[name] = DEALS.decode(raw)
        elif prefix == MANDATES.prefix:
            self._mandates[name] = MANDATES.decode(raw)
        elif prefix == PRICE.prefix:
            self._price = PRICE.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        for name, deal in self._deals.items():
            offer = self._offers.get(deal.offer)  # One that is sold out is there no more.
            if offer is not None and (
                deal.units % offer.price_units or deal.seller != offer.seller
            ):
                yield f"deal {name.hex()} is not at its offer's price"
        if self._place is None:
            return
        now_ms = self._place.time_ms
        times = [self._price.updated_ms, *(feed.fed_ms for feed in self._price.feeds)]
        if max(times) > now_ms:
            yield "the price is of a time to come"
        for name, deal in self._deals.items():
            if deal.accepted_ms > now_ms:
                yield f"deal {name.hex()} was made at a time to come"
        for name, mandate in self._mandates.items():
            if max(mandate.start_ms, mandate.charged_ms) > now_ms:
                yield f"mandate {name.hex()} was charged at a time to come"


class PoolRelations:
    """The subsidy pool and the claims that wait for it."""

    def __init__(self) -> None:
        self._pool = Subsidy()
        self._waiting: dict[int, int] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of the pool."""
        if prefix == SUBSIDY.prefix:
            self._pool = SUBSIDY.decode(raw)
        elif prefix == CLAIMS.prefix:
            self._waiting[int.from_bytes(name, "big")] = CLAIMS.decode(raw).units

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        if set(self._waiting) != set(range(self._pool.head, self._pool.tail)):
            yield "the claims that wait are not those that the pool counts"
        waiting = sum(self._waiting.values())
        if self._pool.claimed_units != self._pool.paid_units + waiting:
            yield (
                f"{self._pool.claimed_units} units were claimed, "
                f"{self._pool.paid_units} paid, {waiting} wait"
            )
        if not all(self._waiting.values()):
            yield "a claim waits for nothing"
