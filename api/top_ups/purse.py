"""What a union's float holds: asked of a node before anything is promised out of it.

A float that is low stops top-ups in time and out loud: nobody hands cash over for BILL that is not
there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.approvals.store import lock_subject
from api.chain.node_port import NodePort
from api.errors import Conflict, Unavailable
from api.signing.accounts import PayingAccount, paying_account
from api.top_ups.store import promised_units
from ledger.primitives.keys import Address
from node.client.errors import ClientFault

FEES_UNITS: Final = 10_000
"""What is kept back for fees."""
FLOAT: Final = "float"

log = structlog.get_logger("float")


@dataclass(frozen=True, slots=True)
class FloatPurse:
    """A union's float account, and what it held when a node was asked."""

    account: Address
    units: int


class FloatGauges:
    """What Prometheus reads of floats."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.units = Gauge(
            "float_units",
            "What a union's float held when it was looked at",
            ["union"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.refusals = Counter(
            "float_refusals",
            "Top-ups refused since a union's float is low",
            ["union"],
            registry=registry,
        )


class FloatDesk:
    """Looks into floats."""

    def __init__(
        self, engine: AsyncEngine, node: NodePort, gauges: FloatGauges, now_ms: Callable[[], int]
    ) -> None:
        self._engine, self._node, self._gauges = engine, node, gauges
        self._now_ms = now_ms

    async def look(self, union_id: str) -> FloatPurse:
        """Ask what a union's float holds; raise `Unavailable` if there is none, or no answer."""
        async with self._engine.connect() as connection:
            account = await paying_account(connection, union_id, self._now_ms())
        return await self.look_into(account)

    async def look_into(self, account: PayingAccount) -> FloatPurse:
        """Ask what an account holds; raise `Unavailable` if no node answers."""
        try:
            view = await self._node.account(account.account)
        except ClientFault as fault:
            raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
        self._gauges.units.labels(account.owner_id).set(view.units)
        return FloatPurse(account.account, view.units)

    async def promise(
        self, connection: AsyncConnection, union_id: str, purse: FloatPurse, units: int
    ) -> None:
        """Raise `Conflict` unless the float holds so much beside all that it still owes.

        One top-up of a union looks at a time, until its transaction ends.
        """
        await lock_subject(connection, union_id, FLOAT)
        owed = await promised_units(connection, union_id)
        if units + owed + FEES_UNITS > purse.units:
            self._gauges.refusals.labels(union_id).inc()
            log.warning("float low", union=union_id, held=purse.units, owed=owed, asked=units)
            raise Conflict(
                "the union's float holds too little for that: take no cash", code="FLOAT_LOW"
            )
