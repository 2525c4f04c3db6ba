"""Chain time as the oracle sees it: what a block's date may be, by the clocks of the honest.

TIME: an honest validator votes for a block only if its date is at most two seconds ahead of a time
that its own clock has shown, or just a millisecond above its parent's. So whatever liars stamp,
chain time leads the honest clocks by no more than that, and while it leads it only creeps. The
limits stand here once more, in numbers of the oracle's own.
"""

from typing import Final

from ledger.primitives.hashing import Hash
from ledger.types.block import Header
from simulator.virtual.errors import Breach
from simulator.virtual.process import Process

AHEAD_MS_MAX: Final = 2_000
CREEP_MS: Final = 1


class BlockTimes:
    """Remembers the latest time that each honest clock has shown, and judges dates by them."""

    def __init__(self) -> None:
        self._shown_ms: dict[int, int] = {}
        """By place. Clocks jump back; a block that was judged before may be voted for after."""
        self._final: dict[Hash, int] = {}
        """The dates of final blocks."""

    def saw(self, process: Process) -> None:
        """Look at a process's clock."""
        shown_ms = self._shown_ms.get(process.place, 0)
        self._shown_ms[process.place] = max(shown_ms, process.clock_ms)

    def judge_vote(self, process: Process, header: Header, parent_ms: int | None) -> None:
        """Raise a `Breach` if an honest process votes for a date that it can't bear with."""
        self.saw(process)
        self._judge(header, self._shown_ms[process.place], parent_ms, f"v{process.place} votes for")

    def judge_final(self, header: Header) -> None:
        """Raise a `Breach` unless some honest clock allows a final block's date."""
        block_hash = header.hash()
        if block_hash in self._final:
            return
        parent_ms = self._final.get(header.parent_hash)
        self._final[block_hash] = header.time_ms
        if parent_ms is not None and header.time_ms <= parent_ms:
            raise Breach("TIME", f"block {header.height} is not dated after its parent")
        latest_ms = max(self._shown_ms.values(), default=0)
        self._judge(header, latest_ms, parent_ms, "all agree on")

    def _judge(self, header: Header, clock_ms: int, parent_ms: int | None, who: str) -> None:
        creeps = parent_ms is not None and header.time_ms <= parent_ms + CREEP_MS
        if header.time_ms > clock_ms + AHEAD_MS_MAX and not creeps and parent_ms is not None:
            ahead_ms = header.time_ms - clock_ms
            raise Breach("TIME", f"{who} block {header.height}, dated {ahead_ms} ms ahead")
