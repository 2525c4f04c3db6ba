"""Gauges of the payments service say how those of several workers are put together.

Counters are summed by themselves; a gauge that says nothing would be shown once a process, by a
number that means nothing to anybody.
"""

import ast

from tests.tidy.repository import ROOT, place, product, tree

ALONE = ROOT / "api" / "signing" / "process"
"""A process of its own, one an account."""


def says_nothing(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Gauge"
        and "multiprocess_mode" not in [keyword.arg for keyword in node.keywords]
    )


def test_every_gauge_of_the_service_says_what_it_is_over_all_workers():
    silent = [
        place(path, node.lineno)
        for path in product()
        if path.is_relative_to(ROOT / "api") and not path.is_relative_to(ALONE)
        for node in ast.walk(tree(path))
        if says_nothing(node)
    ]
    assert not silent
