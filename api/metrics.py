"""What Prometheus reads: one registry a service, so that two in one process don't mix.

Workers of one service count together (`api.workers.counting`): whichever is asked tells the sums of
all, exact at that moment, those of workers that are gone included. Of gauges, which each worker
keeps for itself, the one is told that an alarm wants: the largest lag, the worst readiness.
"""

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from api.attempts.model import AttemptOutcome
from api.flags.model import Detector

LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The counters of the payments service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.payment_success = Counter(
            "payment_success", "Orders paid exactly and in time", registry=self.registry
        )
        self.settled = Counter(
            "payment_settled", "Final payments by outcome", ["outcome"], registry=self.registry
        )
        self.orders = Counter("orders_created", "Orders opened", registry=self.registry)
        self.validations = Counter(
            "validations", "Validations by answer", ["answer"], registry=self.registry
        )
        self.validation_latency = Histogram(
            "validation_latency_seconds",
            "Time to answer a validation, waiting included",
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.responses = Counter(
            "http_responses", "Answers by status", ["status"], registry=self.registry
        )
        self.connections_cut = Counter(
            "http_connections_cut",
            "Connections and requests refused before a route saw them",
            ["reason"],
            registry=self.registry,
        )
        self._watch()
        self._make_gauges()

    def _make_gauges(self) -> None:
        """Make what each worker sets for itself, and say how those of all are put together."""
        self.lag = Gauge(
            "follower_lag_blocks",
            "Final blocks not settled yet, as the worker sees it that is furthest behind",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.height = Gauge(
            "follower_height",
            "Last block settled",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.ready = Gauge(
            "service_ready",
            "Whether a part works (1) or not (0), in every worker",
            ["part"],
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self._make_ages()
        self.streams = Gauge(
            "streams_open",
            "Live pages connected",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.workers = Gauge(
            "workers", "Workers alive", multiprocess_mode="livesum", registry=self.registry
        )
        self.workers.set(1)

    def _make_ages(self) -> None:
        """Make what tells how long something waits."""
        # Each worker measures what it sees, again and again, whoever leads: the largest is true,
        # and goes when it is over. One that only a leader set would outlive its lead.
        self.outbox_age = Gauge(
            "outbox_age_seconds",
            "How long ago the worker that is furthest behind knew all that had happened",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.webhook_age = Gauge(
            "webhook_age_seconds",
            "How long the oldest event waits for its first try at an endpoint that takes them",
            multiprocess_mode="livemax",
            registry=self.registry,
        )

    def _watch(self) -> None:
        """Make the counters of attempts and flags; one that is not there can't be seen to rise."""
        self.attempts = Counter(
            "payment_attempts", "Payment attempts by outcome", ["outcome"], registry=self.registry
        )
        for outcome in AttemptOutcome:
            self.attempts.labels(outcome)
        self.users_flagged = Counter(
            "users_flagged", "Flags raised about people and payers", registry=self.registry
        )
        self.flags_raised = Counter(
            "flags_raised", "Flags raised by detector", ["detector"], registry=self.registry
        )
        for detector in Detector:
            self.flags_raised.labels(detector)

    def render(self) -> bytes:
        """Write all of them in Prometheus' text format, summed over all workers."""
        together = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if together is None:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, together)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
