"""Borrowing: whom a gateway asks for what it lacks of a device's chain (spec §3.12). Pure.

It lacks something of a device if another gateway said that it stored more, and still does after
`PATIENCE_MS`: what is on its way over the broker needs no loan. One want a device is under way at a
time; who does not answer, or has nothing, gives way to the next that said more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.primitives.keys import PublicKey

PATIENCE_MS: Final = 3_000
"""How long a gateway may be behind another one before it asks."""
ASK_AGAIN_MS: Final = 5_000
"""After how much silence the next one is asked."""

Number = tuple[int, int]


@dataclass(slots=True)
class _Lack:
    """What is missing of a device: since when nothing came, and who is asked."""

    have: Number
    since_ms: int
    asked_ms: int | None = None
    borrows: bool = False
    passed_over: set[PublicKey] = field(default_factory=set)
    lender: PublicKey | None = None


class Borrower:
    """Remembers what is missing of each device: at most the registered ones."""

    def __init__(self) -> None:
        self._lacks: dict[PublicKey, _Lack] = {}

    @property
    def count(self) -> int:
        """Give of how many devices something is missing."""
        return len(self._lacks)

    def whom_to_ask(
        self, device: PublicKey, have: Number, said: Mapping[PublicKey, Number], now_ms: int
    ) -> PublicKey | None:
        """Give the gateway to ask for what follows a number, if it is time; note that it is asked.

        - `have`: the last that is stored here.
        - `said`: up to where others said that they stored the device's chain.
        """
        ahead = {key: number for key, number in said.items() if number > have}
        if not ahead:
            self._lacks.pop(device, None)
            return None
        lack = self._lacks.setdefault(device, _Lack(have, now_ms))
        if lack.have != have:
            lack.have, lack.since_ms = have, now_ms
        if not lack.borrows and now_ms - lack.since_ms < PATIENCE_MS:
            return None
        if lack.asked_ms is not None and now_ms - lack.asked_ms < ASK_AGAIN_MS:
            return None
        if lack.asked_ms is not None and lack.lender is not None:
            lack.passed_over.add(lack.lender)  # It did not answer.
        if not ahead.keys() - lack.passed_over:
            lack.passed_over.clear()
        left = sorted(ahead.keys() - lack.passed_over, key=lambda key: (ahead[key], key))
        lack.lender, lack.asked_ms = left[-1], now_ms
        return lack.lender

    def hear(self, device: PublicKey, lender: PublicKey, *, helped: bool) -> None:
        """Note an answer: who helped is asked for more at once, who did not gives way."""
        lack = self._lacks.get(device)
        if lack is None or lack.lender != lender:
            return
        lack.borrows = helped
        if helped:
            lack.asked_ms = None
            lack.passed_over.clear()
