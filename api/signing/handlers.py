"""What becomes of the things for which something was signed: each resource says it for its kind.

A handler works in the transaction that changes the request, so that a refund is never final where
its signature is not. It gives its events back, to be written last: their numbers are the last lock.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from api.events.outbox import NewEvent
from api.signing.model import SigningEnd, SigningRequest
from api.signing.wire import SigningKind


class SigningHandler(Protocol):
    """A resource that has things signed."""

    async def orders_of(
        self, connection: AsyncConnection, requests: Sequence[SigningRequest]
    ) -> Sequence[str]:
        """Name the orders that change with requests: all of them are locked first, by their ids.

        What an order had reserved that waits no longer is given back by whoever locked it, with all
        else of the transaction: a handler locks no lots.
        """
        ...

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock what else requests are for, after the orders and before the requests.

        Whoever changes one of them locks it first, and then its requests: nobody waits in a ring.
        """
        ...

    async def signed(
        self, connection: AsyncConnection, request: SigningRequest, now_ms: int
    ) -> Sequence[NewEvent]:
        """Take note that a request's bytes are there."""
        ...

    async def ended(
        self, connection: AsyncConnection, request: SigningRequest, end: SigningEnd, now_ms: int
    ) -> Sequence[NewEvent]:
        """Take note of how a request ended; it may ask anew."""
        ...


SigningHandlers = Mapping[SigningKind, SigningHandler]
