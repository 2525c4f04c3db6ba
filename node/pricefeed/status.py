"""What a feeder shows of itself beside what hinders it (`node.httpd.status`): its metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from node.pricefeed.quotes import MICRO


class FeederMetrics:
    """What Prometheus reads: one registry a feeder."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.quotes = self._counter("quotes", "Looks at the source; code is empty if fit", "code")
        self.feeds = self._counter("feeds", "Feeds by what became of them", "outcome")
        self._gauges = {
            name: Gauge(f"billcoin_oracle_{name}", text, registry=self.registry)
            for name, text in (
                ("quote_myr", "The source's last price of a litre"),
                ("quote_age_seconds", "How old it is, by the later of our clock and the chain's"),
                ("price_myr", "The chain's price of a litre; 0 before the first"),
                ("round_low_myr", "The least that the open round may make the price"),
                ("round_high_myr", "The most that the open round may make the price"),
                ("price_age_seconds", "How old it is, by the chain's clock"),
                ("clock_apart_seconds", "Our clock less the chain's"),
                ("purse_units", "What the feeder's account holds for fees"),
                ("ready", "Whether a feed that is due would be sent now (1) or not (0)"),
            )
        }

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"billcoin_oracle_{name}", text, [label], registry=self.registry)

    def show(self, **values: float) -> None:
        """Set gauges by their names."""
        for name, value in values.items():
            self._gauges[name].set(value)

    def show_price(self, name: str, micro: int) -> None:
        """Set a gauge of ringgit from millionths."""
        self._gauges[name].set(micro / MICRO)
