"""Keeping: what an attestor need not keep any longer is forgotten, by final blocks alone.

- What the next window of a line follows is kept until that one is done.
- A claim whose line has gone on, and that is not what was minted, can't be minted any more.
- The evidence of what was minted is kept as long as its lot may be doubted.
- Refusals, and claims that never became anything, are kept for `retention_ms`.

Nothing is forgotten while no node says so. Nodes are asked outside of every lock: judging goes on.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from iot_minting.attestor.facts import LineSource
from iot_minting.attestor.store import AttestorStore
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address

DUE_AT_ONCE: Final = 100
"""Minted lots that are looked at again at once."""


class Keeping:
    """Forgets what one store need not keep."""

    def __init__(self, store: AttestorStore, facts: LineSource, now_ms: Callable[[], int]) -> None:
        self._store, self._facts, self._now_ms = store, facts, now_ms

    async def sweep(self) -> None:
        """Forget whatever can be forgotten now; raise a `ClientFault` if no node answers."""
        for line in self._store.unminted_lines():
            await self._settle(line)
        now_ms = self._now_ms()
        while lots := self._store.due(now_ms, DUE_AT_ONCE):
            for lot in lots:
                await self._look(lot, 0, now_ms)
        await asyncio.to_thread(self._store.forget_late, now_ms)

    async def settle(self, mmu: Address) -> None:
        """Forget what can't be minted any more of an MMU's lines; raise a `ClientFault`."""
        for line in self._store.unminted_lines(mmu):
            await self._settle(line)

    async def _settle(self, line: Hash) -> None:
        """Tell what was minted of what a line has passed, and forget the rest of that."""
        final = await self._facts.line(line)
        if final.facts is None:
            return
        tips = {device: Hash(tip.digest) for device, tip in final.facts.tips.items()}
        await asyncio.to_thread(self._store.keep_tips, line, tips)
        for claim in self._store.unminted(line, final.facts.line.through_ms):
            await self._look(claim.lot, final.height, self._now_ms())

    async def _look(self, lot: Hash, height: int, now_ms: int) -> None:
        """Keep a lot's evidence as long as it may be doubted; forget that of what is no lot."""
        until_ms = await self._facts.contestable_until_ms(lot, height)
        if until_ms is None or until_ms <= now_ms:
            await asyncio.to_thread(self._store.forget, [lot])
        else:
            await asyncio.to_thread(self._store.note_minted, lot, until_ms)
