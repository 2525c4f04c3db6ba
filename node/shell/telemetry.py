"""A node's figures: what Prometheus scrapes and what `status` tells of finality.

One registry a node, so that tests and several nodes of one process do not share counters.
"""

from collections import deque
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from node.shell.p2p.transport import TransportCounters

RECENT: Final = 1_000
"""How many blocks the percentiles in `status` look back on."""
LIVE_MS: Final = 60_000
"""An older block was synced, not seen to become final: it says nothing about finality."""
_SECONDS: Final = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 10.0)
_SYNC_SECONDS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0)


class Telemetry:
    """Counts and times of one node."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._recent_ms: deque[int] = deque(maxlen=RECENT)
        gauge = partial(Gauge, namespace="billcoin", registry=self.registry)
        counter = partial(Counter, namespace="billcoin", registry=self.registry)
        histogram = partial(Histogram, namespace="billcoin", registry=self.registry)
        self.height = gauge("height", "Height of the last final block")
        self.view = gauge("view", "View of the last final block")
        self.peers = gauge("peers", "Validators connected")
        self.forks = gauge("forks", "Contradicting certificates seen: more than 0 is an emergency")
        self.ahead = gauge(
            "chain_clock_ahead_seconds", "How far the last final block is dated ahead of this clock"
        )
        self.pending = gauge("mempool_transactions", "Transactions that wait")
        self.blocks = counter("blocks", "Blocks finalized since the start")
        self.transactions = counter("transactions", "Transactions finalized")
        self.failed = counter("transactions_failed", "Of these, without effect")
        self.submitted = counter("submitted", "Transactions handed in by clients")
        self.refused = counter("refused", "Of these, refused")
        self.warnings = counter("warnings", "Faults of peers")
        self.events = counter("events", "Events the machine handled")
        self.finality = histogram(
            "finality_seconds", "From a block's time to final here", buckets=_SECONDS
        )
        self.sync = histogram(
            "journal_sync_seconds", "One sync of the journal", buckets=_SYNC_SECONDS
        )
        self.commit = histogram("commit_seconds", "One commit to the store", buckets=_SECONDS)
        self.sent = gauge("sent_bytes", "Bytes sent to peers")
        self.received = gauge("received_bytes", "Bytes received from peers")
        self.dropped = gauge("dropped_messages", "Messages dropped by full queues")
        self.strangers = gauge("strangers_refused", "Connections of strangers refused")
        self.broken = gauge("connections_broken", "Streams and connections broken")

    def saw_final(self, latency_ms: int, transactions: int, failed: int) -> None:
        """Note one final block."""
        self.blocks.inc()
        self.transactions.inc(transactions)
        self.failed.inc(failed)
        if 0 <= latency_ms < LIVE_MS:
            self._recent_ms.append(latency_ms)
            self.finality.observe(latency_ms / 1_000)

    def finality_ms(self) -> tuple[float, float, float]:
        """Give the recent p50, p95 and p99 of finality, zeros before the first block."""
        ordered = sorted(self._recent_ms)
        if not ordered:
            return 0.0, 0.0, 0.0
        last = len(ordered) - 1
        return (
            float(ordered[last * 50 // 100]),
            float(ordered[last * 95 // 100]),
            float(ordered[last * 99 // 100]),
        )

    def render(self, counters: TransportCounters) -> bytes:
        """Write everything in Prometheus' text format."""
        self.sent.set(counters.sent_bytes)
        self.received.set(counters.received_bytes)
        self.dropped.set(counters.dropped)
        self.strangers.set(counters.refused)
        self.broken.set(counters.broken)
        return generate_latest(self.registry)
