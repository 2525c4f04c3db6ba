"""Prometheus metrics of an attestor: one registry each."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)


class AttestorMetrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "billcoin_attest_answers",
            "Requests by their answer: attested, refused, repeated, or the code of a problem",
            ["answer"],
            registry=self.registry,
        )
        self.judge_seconds = Histogram(
            "billcoin_attest_judge_seconds",
            "From a bundle's arrival to its finding",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.waiting = self._gauge("waiting", "Requests that are read or judged, or wait for it")
        self.store_bytes = self._gauge("store_bytes", "What the store holds")
        self.ready = self._gauge("ready", "Whether a claim would be judged now (1) or not (0)")
        self.kept = Gauge("billcoin_attest_kept", "What is kept", ["what"], registry=self.registry)
        self.questions = self._gauge("questions", "Open questions about lots that were signed here")
        self.replies = Counter(
            "billcoin_attest_replies",
            "Answers to questions by what the chain said: shown, or the code of a refusal",
            ["answer"],
            registry=self.registry,
        )
        self.cut = Counter(
            "billcoin_attest_connections_cut",
            "Connections that were cut or refused",
            ["reason"],
            registry=self.registry,
        )

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"billcoin_attest_{name}", text, registry=self.registry)
