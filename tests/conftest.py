"""What every test shares: Hypothesis without deadlines, and the same examples in every CI run.

The machines that run these tests are shared, so a slow example says nothing about the code.

Attacks, laws and simulations run uncounted: a tracer makes them two or three times as slow. What
they run is counted where units and integration run it, and the floors are held without them.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.system.sharing import dealt, workers

HERE = Path(__file__).parent
UNCOUNTED = ("attacks", "property", "simulation")

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Take more workers than cores, where a run asks for as many as serve."""
    return workers(os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tracer off what is not counted, and deal the files over the run."""
    for item in items:
        if item.path.relative_to(HERE).parts[0] in UNCOUNTED:
            item.add_marker(pytest.mark.no_cover)
    files = dealt(list(dict.fromkeys(item.path.relative_to(HERE) for item in items)))
    places = {HERE / path: place for place, path in enumerate(files)}
    items.sort(key=lambda item: places[item.path])
