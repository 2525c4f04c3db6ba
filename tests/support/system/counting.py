"""Lines that run behind greenlets are counted too: a pytest plugin beside pytest-cov's.

SQLAlchemy awaits its driver in a greenlet, and what runs after is lost to a tracer that knows
threads alone. One that knows greenlets asks at every call in which it is, and so costs twice as
much. So it counts the folders that need it, and a plain one all others.

It changes between files only, never within one: a thread that outlives a test keeps the tracer that
it began with.
"""

import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from coverage import Coverage

FRAMES = ["thread", "greenlet"]
UNTOLD = ["no-sysmon", "module-not-measured", "module-not-imported"]
"""What the plain tracer has seen is no news to this one."""


def counts_by_tracer(config: pytest.Config) -> bool:
    """Tell whether this run counts lines, on a Python that does not see them by itself."""
    asked = config.pluginmanager.hasplugin("_cov") and not config.getoption("no_cov")
    return asked and sys.version_info < (3, 12)


class GreenletCounting:
    """Counts the tests of some folders within a run that pytest-cov counts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._coverage: Coverage | None = None
        self._counts = False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """End before pytest-cov does, and leave the lines where it gathers them."""
        done = yield
        self._count(False)
        if self._coverage is not None:
            self._coverage.save()
        return done

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Choose who counts this test."""
        ours = any(item.path.is_relative_to(folder) for folder in self._folders)
        self._count(ours and item.get_closest_marker("no_cover") is None)

    def _count(self, wanted: bool) -> None:
        if wanted and self._coverage is None:
            self._coverage = Coverage(data_suffix=True, concurrency=FRAMES)
            self._coverage.set_option("run:disable_warnings", UNTOLD)
        if self._coverage is not None and wanted != self._counts:
            (self._coverage.start if wanted else self._coverage.stop)()
            self._counts = wanted
