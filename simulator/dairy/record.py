"""What customers leave behind for who looks on: purchases, and what else the service did for them.

`purchases.jsonl` and `deeds.jsonl` have a line for each, and lines are only ever appended;
`shopper.json` sums purchases up and is replaced in one step.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from node.home.whole_file import write_whole

PURCHASES_FILE: Final = "purchases.jsonl"
DEEDS_FILE: Final = "deeds.jsonl"
SUMMARY_FILE: Final = "shopper.json"
LATENCIES_MAX: Final = 1_000
"""The summary's percentiles look at this many of the newest purchases."""


def time_text() -> str:
    """Write the time of now, in seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class DeedKind(StrEnum):
    """What the payments service did for a customer beside taking a payment."""

    WELCOME = "welcome"
    """A new student was sent the first fees."""
    TOP_UP = "top_up"
    """The office took cash, and BILL came."""
    REFUND = "refund"
    """A payment was given back."""
    COUPON = "coupon"
    """Five points were a pack for nothing."""
    POINT = "point"
    """A student's purchase was one point."""


class DeedRecord(Struct, frozen=True, rename="camel"):
    """One line of `deeds.jsonl`; `what` names it for people."""

    at: str
    kind: DeedKind
    what: str
    count: int = 1


class PurchaseRecord(Struct, frozen=True, rename="camel"):
    """One line of `purchases.jsonl`."""

    at: str
    shopper: int
    order_id: str
    tx_hash: str
    valid: bool
    latency_ms: int
    error: str | None


@dataclass(slots=True)
class Ledgerbook:
    """The purchases so far, on disk and summed up; and the deeds."""

    home: Path
    count: int = 0
    failed: int = 0
    last: PurchaseRecord | None = None
    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES_MAX))

    def restore(self) -> None:
        """Take up the counts of an earlier run; a torn last line is passed over."""
        path = self.home / PURCHASES_FILE
        if not path.exists():
            return
        for line in path.read_bytes().splitlines():
            try:
                self._count(msgspec.json.decode(line, type=PurchaseRecord))
            except msgspec.DecodeError:
                continue

    def _count(self, purchase: PurchaseRecord) -> None:
        self.last = purchase
        if purchase.valid:
            self.count += 1
            self.latencies_ms.append(purchase.latency_ms)
        else:
            self.failed += 1

    def record(self, purchase: PurchaseRecord) -> None:
        """Append a purchase and renew the summary."""
        self._count(purchase)
        self._append(PURCHASES_FILE, purchase)
        self.write_summary()

    def record_deed(self, kind: DeedKind, what: str, count: int = 1) -> None:
        """Append what the service did."""
        self._append(DEEDS_FILE, DeedRecord(time_text(), kind, what, count))

    def _append(self, name: str, line: Struct) -> None:
        with (self.home / name).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def write_summary(self) -> None:
        """Write count and percentiles for the board."""
        summary = {
            "count": self.count,
            "failed": self.failed,
            **{f"p{share}_ms": percentile(self.latencies_ms, share) for share in (50, 95, 99)},
            "last": None if self.last is None else msgspec.to_builtins(self.last),
        }
        write_whole(self.home / SUMMARY_FILE, msgspec.json.encode(summary) + b"\n", 0o600)


def percentile(values: deque[int], share: int) -> int | None:
    """Give the nearest-rank percentile, or None of nothing."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * share // 100) - 1] if ordered else None
