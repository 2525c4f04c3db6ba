"""What a union's float holds: asked of a node before anything is promised out of it.

A float that is low stops top-ups in time and out loud: nobody hands cash over for BILL that is not
there.
"""

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.store import lock_subject
from api.chain.node_port import NodePort
from api.errors import Conflict, Unavailable
from api.signing.accounts import PayingAccount
from api.top_ups.store import promised_units
from node.client.errors import ClientFault

FEES_UNITS: Final = 10_000
"""What is kept back for fees."""
FLOAT: Final = "float"

log = structlog.get_logger("float")


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

    def __init__(self, node: NodePort, gauges: FloatGauges) -> None:
        self._node, self._gauges = node, gauges

    async def promise(
        self, connection: AsyncConnection, account: PayingAccount, units: int
    ) -> None:
        """Raise `Conflict` unless a union's float holds so much beside all that it still owes.

        One top-up of a union looks at a time, until its transaction ends. What is owed is summed
        up before the float is looked into: what is sent in between counts twice, never not at all.
        Raise `Unavailable` if no node answers.
        """
        union_id = account.owner_id
        await lock_subject(connection, union_id, FLOAT)
        owed = await promised_units(connection, union_id)
        held = await self._held(account)
        if units + owed + FEES_UNITS > held:
            self._gauges.refusals.labels(union_id).inc()
            log.warning("float low", union=union_id, held=held, owed=owed, asked=units)
            raise Conflict(
                "the union's float holds too little for that: take no cash", code="FLOAT_LOW"
            )

    async def _held(self, account: PayingAccount) -> int:
        """Ask a node what a float holds."""
        try:
            view = await self._node.account(account.account)
        except ClientFault as fault:
            raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
        self._gauges.units.labels(account.owner_id).set(view.units)
        return int(view.units)
