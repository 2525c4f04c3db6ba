"""Telling: what lines and meters wait for, in metrics, and in the log at most once a minute."""

from collections import Counter
from typing import Final

import structlog

from iot_minting.gateway.metrics import WAITING
from iot_minting.gateway.minting import Waits

AGAIN_MS: Final = 60_000
TOLD_MAX: Final = 10_000
USUAL: Final = frozenset({"young"})
"""What needs no line in the log: a window that is not long enough yet."""

log = structlog.get_logger("mint.lines")


class Teller:
    """Remembers what it told when."""

    def __init__(self) -> None:
        self._told_ms: dict[tuple[str, str], int] = {}
        self._reasons: set[str] = set()

    def tell(self, waits: list[Waits], now_ms: int) -> None:
        """Tell what is waited for now."""
        counts = Counter(each.reason for each in waits)
        self._reasons |= set(counts)
        for reason in self._reasons:
            WAITING.labels(reason).set(counts[reason])
        for each in waits:
            name = each.subject, each.reason
            if each.reason in USUAL or now_ms - self._told_ms.get(name, -AGAIN_MS) < AGAIN_MS:
                continue
            if len(self._told_ms) >= TOLD_MAX:
                self._told_ms.clear()
            self._told_ms[name] = now_ms
            log.warning("waiting", who=each.subject, reason=each.reason, why=each.detail)
