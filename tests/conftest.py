"""What every test shares: Hypothesis without deadlines, and the same examples in every CI run.

The machines that run these tests are shared, so a slow example says nothing about the code.

Simulations run uncounted: a tracer makes them three times as slow. What they run is counted where
units and integration run it, and the floors are held without them.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

UNCOUNTED = Path(__file__).parent / "simulation"

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tracer off what is not counted (docs/contributing.md)."""
    for item in items:
        if item.path.is_relative_to(UNCOUNTED):
            item.add_marker(pytest.mark.no_cover)
