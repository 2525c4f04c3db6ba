"""What the nodes say of the chain, and how old that is.

Ages are measured by this machine's steady clock, which nobody can set. The wall clock is asked
once: whether the chain stood still before we came, when the first answer arrives.

`now_ms` is the service's own time: the chain's, carried on by the steady clock. Whether a payment
came in time is judged by the times of blocks, so orders are opened and expired by the same clock.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from api.chain.node_port import NodePort
from node.client.errors import ClientFault
from node.client.views import NodeStatus

HEARTBEAT_S: Final = 1.0
FINALITY_SILENCE_S_MAX: Final = 30.0
"""A network that finalizes no block for this long has no quorum: an idle one makes them too."""
CHAIN_DRIFT_MS: Final = 2_000
"""A block may be dated so far ahead of a node's clock (docs/spec/consensus.md §1.7)."""
SKEW_MS_MAX: Final = 5_000
"""How far a node's clock may be ahead of ours before neither says how old a block is."""


def wall_ms() -> int:
    """Read the wall clock."""
    return time.time_ns() // 1_000_000


class NodeWatch:
    """Asks a node where it stands, once a second."""

    def __init__(
        self,
        node: NodePort,
        wall_ms: Callable[[], int] = wall_ms,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._wall_ms = wall_ms
        self._steady_s = steady_s
        self._answered_s = 0.0
        self._grew_s: float | None = None
        self._height = -1
        self._base_ms, self._base_s = 0, 0.0
        self.status: NodeStatus | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            with contextlib.suppress(ClientFault, OSError):
                self.take(await self._node.status())
            await asyncio.sleep(HEARTBEAT_S)

    def take(self, status: NodeStatus) -> None:
        """Take an answer in. One node may be behind another: what was seen is not unseen."""
        now_s, age_s = self._steady_s(), 0.0
        if self.status is None:
            age_ms = self._wall_ms() - status.finalized_ms
            age_s = max(age_ms, 0) / 1_000
            self._grew_s = now_s - age_s if age_ms >= -SKEW_MS_MAX else None
        elif status.height > self._height:
            self._grew_s = now_s
        if status.height > self._height:
            self._height = status.height
            self._base_ms = status.block_time_ms
            self._base_s = now_s - min(age_s, FINALITY_SILENCE_S_MAX)
        self.status, self._answered_s = status, now_s

    def now_ms(self) -> int:
        """Give the chain's time, carried on since its newest block; the wall's before any."""
        if self.status is None:
            return self._wall_ms()
        return self._base_ms + int((self._steady_s() - self._base_s) * 1_000)

    @property
    def clock_ahead_ms(self) -> int:
        """Tell how far the chain's time is ahead of the node's clock; 0 within the usual drift."""
        ahead_ms = 0 if self.status is None else self.status.clock_ahead_ms
        return ahead_ms if ahead_ms > CHAIN_DRIFT_MS else 0

    def lag_blocks(self, settled_height: int) -> int:
        """Give how many final blocks a node has beyond one."""
        return 0 if self.status is None else max(self.status.height - settled_height, 0)

    def why_silent(self, silence_s_max: float) -> str:
        """Say why it is not known where the chain stands, or nothing."""
        if self.status is None:
            return "no node has answered yet"
        silence_s = self._steady_s() - self._answered_s
        if silence_s > silence_s_max:
            return f"no node has answered for {silence_s:.0f} s"
        return ""

    def why_standing(self) -> str:
        """Say why nothing becomes final, or nothing."""
        if self.status is None:
            return ""
        if self._grew_s is None:
            return (
                "no block has become final since this service began, and how old the last one is "
                "can't be told: this machine's clock and the node's disagree"
            )
        if self._steady_s() - self._grew_s > FINALITY_SILENCE_S_MAX:
            return "the network finalizes no blocks"
        return ""
