"""The numbers of the law in force, remembered for a moment, and the fee that wallets are told."""

import time
from collections.abc import Mapping
from typing import Final

from api.chain.node_port import NodePort
from api.errors import Unavailable
from ledger.types.evidence import MilkKind
from node.client.errors import ClientFault
from node.client.views import ParametersView

LAW_FRESH_S: Final = 10.0
"""How long the law's numbers are remembered: a regulator may change them."""


class LawWatch:
    """Knows the law's numbers, and the fee: the configured one, else the network's least."""

    def __init__(self, node: NodePort, configured_units: int) -> None:
        self._node = node
        self._configured_units = configured_units
        self._view: ParametersView | None = None
        self._stale_s = 0.0

    async def fee_units(self) -> int:
        """Give the fee; raise `Unavailable` if no node tells."""
        return self._configured_units or (await self._fresh()).fee_least_units

    async def shelf_days(self) -> Mapping[MilkKind, int]:
        """Give how long each kind of milk keeps; raise `Unavailable` if no node tells."""
        return (await self._fresh()).decoded().shelf_days

    async def _fresh(self) -> ParametersView:
        now_s = time.monotonic()
        if self._view is None or now_s >= self._stale_s:
            try:
                self._view = await self._node.parameters()
            except ClientFault as fault:
                raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
            self._stale_s = now_s + LAW_FRESH_S
        return self._view
