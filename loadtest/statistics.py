"""Samples summed up: median, spread, count. Nothing here measures.

Percentiles are by nearest rank, so each is a value that was really seen.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct


class Summary(Struct, frozen=True):
    """Samples in one unit, in few numbers."""

    n: int
    median: float
    p5: float
    p95: float
    p99: float
    least: float
    most: float


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give a percentile of ascending samples; there is at least one."""
    assert ordered, "no samples, no percentile"
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(int(rank), 1) - 1]


def median(samples: Iterable[float]) -> float:
    """Give the middle sample; of an even number, the lower of the two."""
    return percentile(sorted(samples), 50)


def summarize(samples: Iterable[float]) -> Summary:
    """Sum samples up; there is at least one."""
    ordered = sorted(samples)
    p5, p50, p95, p99 = (percentile(ordered, percent) for percent in (5, 50, 95, 99))
    return Summary(len(ordered), p50, p5, p95, p99, ordered[0], ordered[-1])
