"""The fee that wallets are told: the configured one, else the network's least."""

import time
from typing import Final

from api.chain.node_port import NodePort
from api.errors import Unavailable
from node.client.errors import ClientFault

FEE_FRESH_S: Final = 10.0
"""How long the network's least fee is remembered: a regulator may change it."""


class FeeWatch:
    """Knows the fee."""

    def __init__(self, node: NodePort, configured_units: int) -> None:
        self._node = node
        self._configured = configured_units > 0
        self._units = configured_units
        self._stale_s = 0.0

    async def fee_units(self) -> int:
        """Give the fee; raise `Unavailable` if no node tells."""
        now_s = time.monotonic()
        if not self._configured and now_s >= self._stale_s:
            try:
                self._units = (await self._node.parameters()).fee_least_units
            except ClientFault as fault:
                raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
            self._stale_s = now_s + FEE_FRESH_S
        return self._units
