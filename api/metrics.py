"""What Prometheus reads: one registry a service, so that two in one process don't mix."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        self.lag = Gauge(
            "follower_lag_blocks", "Final blocks not settled yet", registry=self.registry
        )
        self.height = Gauge("follower_height", "Last block settled", registry=self.registry)
        self.ready = Gauge(
            "service_ready", "Whether a part works (1) or not (0)", ["part"], registry=self.registry
        )
        self.streams = Gauge("streams_open", "Live pages connected", registry=self.registry)

    def render(self) -> bytes:
        """Write all of them in Prometheus' text format."""
        return generate_latest(self.registry)
