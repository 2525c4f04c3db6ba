"""Looks up the names that webhooks go to, off everybody's way.

Whoever holds a name decides how long its look-up takes, and a look-up can't be broken off: it holds
its thread until the system gives up. So they have threads of their own, since the default ones also
hash passwords, and a merchant's that are on their way are bounded: what it lets hang holds its own
deliveries up, and nobody else's.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final
from weakref import WeakValueDictionary

from api.webhooks.addresses import AddressFault, IpAddress, may_reach

RESOLVE_S: Final = 3.0
LOOKUPS_MAX: Final = 64
"""On their way at once, of all merchants."""
MERCHANT_LOOKUPS_MAX: Final = 4
"""Of these, one merchant's. Its others wait for their turn, no longer than for an answer."""


class Lookups:
    """Looks names up, once a delivery."""

    def __init__(self, *, livemode: bool) -> None:
        self._livemode = livemode
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="webhook-names")
        self._looking: set[asyncio.Future[list[IpAddress]]] = set()
        # A merchant's turn lives as long as somebody waits for it or has it.
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def close(self) -> None:
        """Begin nothing more; what is on its way ends by itself, and nobody waits for it."""
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
        turn = self._turns.get(merchant_id) or asyncio.Semaphore(MERCHANT_LOOKUPS_MAX)
        self._turns[merchant_id] = turn
        await turn.acquire()
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)
        self._looking.add(looking)

        def ended(looked: asyncio.Future[list[IpAddress]]) -> None:
            self._looking.discard(looked)
            turn.release()

        looking.add_done_callback(ended)
        # Shielded: one that is given up holds its thread all the same, and so its merchant's turn.
        return await asyncio.shield(looking)


def _addresses(host: str, port: int) -> list[IpAddress]:
    """Ask the system; blocks."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
