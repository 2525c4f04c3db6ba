"""Looks up the names that webhooks go to, off everybody's way.

Whoever holds a name decides how long its look-up takes, and a look-up can't be broken off: it holds
its thread until the system gives up. So they have threads of their own, since the default ones also
hash passwords, and a merchant's that are on their way are bounded: what it lets hang holds its own
deliveries up, and nobody else's.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from api.webhooks.addresses import AddressFault, IpAddress, may_reach

RESOLVE_S: Final = 3.0
LOOKUPS_MAX: Final = 128
"""On their way at once, of all merchants: as many as there are lanes."""
MERCHANT_LOOKUPS_MAX: Final = 4
"""Of these, one merchant's while the others have few: it may hold as many as this part of what is
free. Its others wait for their turn, no longer than for an answer."""


class LookupPlaces:
    """Places for look-ups, of which each merchant has a share that shrinks as they fill.

    Invariant: while a place is free, a merchant that has none gets it. So to keep others out takes
    as many merchants that let names hang as there are places.
    """

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._closed = False

    async def take(self, merchant_id: str) -> None:
        """Take a place, once there is one; raise `AddressFault` if nobody looks any more."""
        if self._closed:
            raise _closing()
        if self._may(merchant_id):
            self._held[merchant_id] += 1
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (merchant_id, waiting)
        self._waiting.append(place)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.give_back(merchant_id)  # It came just as nobody wanted it any more.
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(place)
        if self._closed:
            self.give_back(merchant_id)
            raise _closing()

    def give_back(self, merchant_id: str) -> None:
        """Give a place back, to whoever has waited longest of those who may have it."""
        self._held[merchant_id] -= 1
        if not self._held[merchant_id]:
            del self._held[merchant_id]
        for place in tuple(self._waiting):
            waits_for, waiting = place
            if not waiting.done() and self._may(waits_for):
                self._held[waits_for] += 1
                self._waiting.remove(place)
                waiting.set_result(None)

    def close(self) -> None:
        """Give no more places; who waits for one is told."""
        self._closed = True
        for _, waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(_closing())

    def _may(self, merchant_id: str) -> bool:
        free = LOOKUPS_MAX - self._held.total()
        # Multiply, never divide: who holds none may have the last one.
        return self._held[merchant_id] * LOOKUPS_MAX < free * MERCHANT_LOOKUPS_MAX


class Lookups:
    """Looks names up, once a delivery."""

    def __init__(self, *, livemode: bool) -> None:
        self._livemode = livemode
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="webhook-names")
        self._looking: set[asyncio.Future[list[IpAddress]]] = set()
        self._places = LookupPlaces()

    def close(self) -> None:
        """Begin nothing more; what is on its way ends by itself, and nobody waits for it."""
        self._places.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for looking in tuple(self._looking):
            looking.cancel()

    async def resolve(self, merchant_id: str, host: str, port: int) -> IpAddress:
        """Look a host up; raise `AddressFault` if any of its addresses is none of ours to reach.

        One bad address spoils the name: who mixes a private one in is not given another try.
        """
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._look_up(merchant_id, host, port)
        except (OSError, UnicodeError, TimeoutError):
            raise AddressFault("NAME_NOT_RESOLVED", f"{host} has no address") from None
        if not all(may_reach(address, livemode=self._livemode) for address in found):
            raise AddressFault("ADDRESS_REFUSED", f"{host} leads to an address that is not reached")
        if not found:
            raise AddressFault("NAME_NOT_RESOLVED", f"{host} has no address")
        return found[0]

    async def _look_up(self, merchant_id: str, host: str, port: int) -> list[IpAddress]:
        await self._places.take(merchant_id)
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)
        self._looking.add(looking)

        def ended(looked: asyncio.Future[list[IpAddress]]) -> None:
            self._looking.discard(looked)
            if not looked.cancelled():
                looked.exception()  # Nobody may wait for it any more.
            self._places.give_back(merchant_id)

        looking.add_done_callback(ended)
        # Waited for and not awaited: one that is given up holds its thread all the same, and so its
        # merchant's place; and one that is called off has called off nobody who waits for it.
        await asyncio.wait({looking})
        if looking.cancelled():
            raise _closing()
        return looking.result()


def _closing() -> AddressFault:
    return AddressFault("NAME_NOT_RESOLVED", "the service ends, and looks no name up any more")


def _addresses(host: str, port: int) -> list[IpAddress]:
    """Ask the system; blocks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
