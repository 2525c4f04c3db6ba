"""The figures of a run: plain data that the board shows and the last JSON line sums up. Pure.

Everything is of this run: a network that goes on from yesterday starts again at nought blocks.
A figure that is not known yet is None, and is shown so; it is never guessed.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from simulator.dairy.record import DeedKind

CLOCK_DRIFT_MS: Final = 2_000
"""Blocks may be dated so far ahead of a clock at all times; more is worth a word."""
LATENCIES_KEPT_MAX: Final = 20_000
PURCHASES_SHOWN_MAX: Final = 8
LOTS_SHOWN_MAX: Final = 8
UNITS_PER_LITRE: Final = 1_000_000


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Give the nearest-rank percentile of values in ascending order; there is at least one."""
    assert ordered
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]


class Latencies:
    """The newest latencies in milliseconds, bounded; the count goes on past the bound."""

    def __init__(self) -> None:
        self._kept: deque[float] = deque(maxlen=LATENCIES_KEPT_MAX)
        self.count = 0

    def add(self, latency_ms: float) -> None:
        """Take one in."""
        self._kept.append(latency_ms)
        self.count += 1

    def percentiles(self) -> dict[str, float | None]:
        """Give p50, p95 and p99, or None for each while there is nothing to tell."""
        if not self._kept:
            return {"p50": None, "p95": None, "p99": None}
        ordered = sorted(self._kept)
        return {f"p{p}": round(percentile(ordered, p), 1) for p in (50, 95, 99)}


def format_ms(value: float | None) -> str:
    """Write a time in whole milliseconds; a dash for none."""
    return "–" if value is None else f"{value:,.0f} ms"


def format_price(micro_myr: int | None) -> str:
    """Write a price of a litre, cut to a hundredth of a sen; a dash for none."""
    return "–" if micro_myr is None else f"RM {micro_myr // 100 / 10_000:.4f}/L"


def format_litres(units: int) -> str:
    """Write units as litres with all their digits, so that nothing is rounded away."""
    whole, rest = divmod(abs(units), UNITS_PER_LITRE)
    return f"{'-' if units < 0 else ''}{whole}.{rest:06d}"


@dataclass(frozen=True, slots=True)
class Finality:
    """How long blocks took from proposal to final, as one validator measured it."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one validator said of itself. `head_hash` stands at `height`."""

    height: int
    view: int
    peers: int
    epoch: int
    head_hash: str
    pending: int
    finality: Finality | None
    minted_units: int
    redeemed_units: int
    supply_units: int
    supply_ok: bool
    clock_ahead_ms: int = 0
    """How far its last final block is dated ahead of its clock."""


OUTCOMES: Final = {
    DeedKind.WELCOME: "Welcome",
    DeedKind.TOP_UP: "Topped up",
    DeedKind.REFUND: "Returned",
    DeedKind.COUPON: "Free",
}
"""What the board calls a deed that is done. A point is counted alone: it comes with a purchase."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order that was paid and validated, or what came of one; newest first in lists."""

    at: str
    what: str
    latency_ms: float | None
    outcome: str = "Paid"


@dataclass(frozen=True, slots=True)
class LotReport:
    """One lot of pasteurized milk on the ledger."""

    name: str
    kind: str
    units: int
    remaining_units: int


def merge_finality(parts: Iterable[Finality | None]) -> dict[str, float | None]:
    """Join the validators' measures: the median validator's, for each percentile."""
    known = [part for part in parts if part is not None]
    if not known:
        return {"p50": None, "p95": None, "p99": None}
    columns = {
        "p50": sorted(part.p50_ms for part in known),
        "p95": sorted(part.p95_ms for part in known),
        "p99": sorted(part.p99_ms for part in known),
    }
    return {name: round(percentile(values, 50), 1) for name, values in columns.items()}


@dataclass(slots=True)
class Figures:
    """All that was observed in this run."""

    stock_units: int
    fresh: bool
    """The chain began with this run, so its first block counts from genesis."""
    nodes: dict[str, NodeReport] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Validators that did not answer when they were last asked."""
    first_height: int | None = None
    first_minted_units: int | None = None
    first_block_ms: int | None = None
    """How long after the start of the processes the first block was seen final."""
    supply_ever_wrong: bool = False
    forks: int = 0
    validate: Latencies = field(default_factory=Latencies)
    purchases: deque[Purchase] = field(default_factory=lambda: deque(maxlen=PURCHASES_SHOWN_MAX))
    deeds: Counter[DeedKind] = field(default_factory=Counter)
    """What the payments service did for the shopper's customers beside taking payments."""
    lots: list[LotReport] = field(default_factory=list)
    litre_micro_myr: int | None = None
    """The chain's price of a litre in millionths of a ringgit; None before there is one."""
    _heights: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=31))

    def take_node(self, name: str, report: NodeReport, passed_ms: int) -> None:
        """Take in what a validator said, `passed_ms` after the start."""
        self.nodes[name] = report
        self.silent.discard(name)
        if self.first_height is None:
            self.first_height = 0 if self.fresh else report.height
            self.first_minted_units = self.stock_units if self.fresh else report.minted_units
        if self.first_block_ms is None and report.height > self.first_height:
            self.first_block_ms = passed_ms
        self.supply_ever_wrong |= not report.supply_ok

    def miss_node(self, name: str) -> None:
        """Note that a validator did not answer. What it said last stays on record."""
        self.silent.add(name)

    def take_deed(self, kind: DeedKind, at: str, what: str, count: int) -> None:
        """Take in what the service did for a customer."""
        self.deeds[kind] += count
        if (outcome := OUTCOMES.get(kind)) is not None:
            self.purchases.appendleft(Purchase(at, what, None, outcome))

    def mark(self, passed_ms: int) -> None:
        """Note the height of this moment, for the rate of blocks, once a validator told it."""
        if not self.nodes:
            return
        self._heights.append((passed_ms, self.height))

    @property
    def height(self) -> int:
        """Give the highest final height that any validator reported."""
        return max((node.height for node in self.nodes.values()), default=0)

    @property
    def blocks(self) -> int:
        """Count the blocks that became final in this run."""
        return max(0, self.height - (self.first_height or 0)) if self.nodes else 0

    @property
    def blocks_per_s(self) -> float | None:
        """Give the rate of blocks over the last half minute."""
        if len(self._heights) < 2 or self._heights[-1][0] == self._heights[0][0]:
            return None
        (began_ms, low), (ended_ms, high) = self._heights[0], self._heights[-1]
        return (high - low) * 1000 / (ended_ms - began_ms)

    @property
    def clock_ahead_ms(self) -> int:
        """Tell how far chain time is ahead of real time; 0 while it is within the usual drift."""
        ahead_ms = max((node.clock_ahead_ms for node in self.nodes.values()), default=0)
        return ahead_ms if ahead_ms > CLOCK_DRIFT_MS else 0

    @property
    def best(self) -> NodeReport | None:
        """Give the report of the validator that is furthest ahead."""
        return max(self.nodes.values(), key=lambda node: node.height, default=None)

    @property
    def minted_units(self) -> int:
        """Give what was minted in this run."""
        if self.best is None or self.first_minted_units is None:
            return 0
        return self.best.minted_units - self.first_minted_units

    @property
    def supply_ok(self) -> bool:
        """Tell whether every validator's supply always was minted less redeemed."""
        return bool(self.nodes) and not self.supply_ever_wrong

    def finality(self) -> dict[str, float | None]:
        """Give finality in milliseconds over all validators."""
        return merge_finality(node.finality for node in self.nodes.values())

    def people(self) -> dict[str, int]:
        """Count what the service did for people, under the names that are shown."""
        return {f"{kind}s": self.deeds[kind] for kind in DeedKind}

    def summary(self) -> dict[str, object]:
        """Give what the last JSON line says."""
        return {
            "blocks": self.blocks,
            "finality_ms": self.finality(),
            "minted_litres": format_litres(self.minted_units),
            "payments_validated": self.validate.count,
            "validate_ms": self.validate.percentiles(),
            **self.people(),
            "supply_ok": self.supply_ok,
            "forks": self.forks,
        }


def format_people(figures: Figures) -> str:
    """Write in one line what the service did for people."""
    return "  ".join(f"{name.replace('_', '-')} {n:,}" for name, n in figures.people().items())
