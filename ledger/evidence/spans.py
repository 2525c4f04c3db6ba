"""Spans of time: ascending, apart from each other, each a (from, to) in milliseconds."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
Spans = list[Span]


def merge(pairs: Iterable[Span]) -> Spans:
    """Join what touches; the pairs ascend by their beginnings."""
    merged: Spans = []
    for begin, end in pairs:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def subtract(spans: Spans, holes: Spans) -> Spans:
    """Give what is left of spans outside of holes; what only touches a hole stays."""
    left: Spans = []
    at = 0
    for begin, end in spans:
        while at < len(holes) and holes[at][1] <= begin:
            at += 1
        here, start = at, begin
        while here < len(holes) and holes[here][0] < end:
            if holes[here][0] > start:
                left.append((start, holes[here][0]))
            start = max(start, holes[here][1])
            here += 1
        if start < end:
            left.append((start, end))
    return left


def clip(spans: Spans, from_ms: int, to_ms: int) -> Spans:
    """Give the parts within a time."""
    return [
        (max(begin, from_ms), min(end, to_ms))
        for begin, end in spans
        if end > from_ms and begin < to_ms
    ]


def intersect(one: Spans, other: Spans) -> Spans:
    """Give what is in both."""
    shared: Spans = []
    i = j = 0
    while i < len(one) and j < len(other):
        begin, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if begin < end:
            shared.append((begin, end))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return shared


def covers(spans: Sequence[Span], begin: int, end: int) -> bool:
    """Tell whether one span holds all of a time."""
    at = bisect_right(spans, (begin, 2**63)) - 1
    return at >= 0 and spans[at][0] <= begin and end <= spans[at][1]
