"""Faults of the price feeder: what an operator, a source or a disk did.

PriceFeedFault
+-- BadSource      a `source` of the configuration that can't be used
+-- SourceFailed   the source can't be read now, or sends what no source may send
+-- QuoteRefused   what was read is no price, or none that may be believed; has a stable code
+-- BadMemory      what the home remembers can't be read, or is of another chain or key
"""

from node.errors import NodeFault


class PriceFeedFault(NodeFault):
    """Something is not as the feeder needs it."""


class BadSource(PriceFeedFault):
    """A source that is neither `file:PATH` nor an address that can be trusted."""


class SourceFailed(PriceFeedFault):
    """A source that can't be read now. What it said before stands until it is stale."""


class QuoteRefused(PriceFeedFault):
    """A quote that is not fed. `code` is stable: it labels a metric."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class BadMemory(PriceFeedFault):
    """What the home remembers is unreadable, or another's."""
