"""What a signer shows of itself to Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

_PREFIX: Final = "billcoin_signer"


class SignerMetrics:
    """One registry a signer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.signed = Counter(
            f"{_PREFIX}_signed",
            "Transactions that were signed and kept",
            ["account", "kind"],
            registry=self.registry,
        )
        self.refused = Counter(
            f"{_PREFIX}_refused",
            "Requests that were refused, by code",
            ["account", "code"],
            registry=self.registry,
        )
        self.on_the_way = Gauge(
            f"{_PREFIX}_on_the_way",
            "Signed transactions that are not final yet",
            ["account"],
            registry=self.registry,
        )
        self.ready = Gauge(
            f"{_PREFIX}_ready",
            "Whether the account would sign now (1) or not (0)",
            ["account"],
            registry=self.registry,
        )
