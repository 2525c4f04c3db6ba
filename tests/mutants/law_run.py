"""Leave out one rule of evidence at a time, and show that a test notices: `make law-mutants`.

Each mutant lives in a process of its own, which imports the product with one module changed on its
way in: nothing is copied or written. Prints which test caught it; exits 1 if one survives all that
are to notice it, or if the tests fail without it. `--only TEXT` runs those told so.
"""

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import io
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

# What no mutant changes is imported once, for all processes that are forked of this one.
import hypothesis  # noqa: F401
import pytest
import pytest_timeout  # noqa: F401

import ledger.state.tables
import ledger.types.transaction  # noqa: F401
from ledger.primitives.numerals import read_whole
from tests.mutants.catalogue import DoesNotFit
from tests.mutants.law_catalogue import ROOT, LawMutant, read_law_mutants

SECONDS_MAX = 120
# As little of pytest as will do: it starts once a mutant.
PYTEST = (
    "-qx --tb=no --assert=plain --disable-plugin-autoload -p no:cacheprovider -p pytest_timeout"
    f" --timeout={SECONDS_MAX}"
).split()
TOO_SLOW = (
    # Looks at one size; all that it rests on is tried elsewhere.
    "tests/unit/ledger/test_ledger_minting.py::test_the_largest_window_fits_a_transaction",
)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the test that caught it, or why it counts as not caught."""

    mutant: LawMutant
    caught: bool
    told: str
    seconds: float


class Changed(importlib.machinery.SourceFileLoader):
    """Loads a module of the product with one rule broken."""

    def __init__(self, mutant: LawMutant) -> None:
        super().__init__(mutant.module, str(ROOT / mutant.edit.path))
        self.source = mutant.source()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is changed, and tells whether anyone asked for it."""

    def __init__(self, mutant: LawMutant) -> None:
        assert mutant.module not in sys.modules, "it was imported before it could be changed"
        self.mutant, self.asked = mutant, False

    def find_spec(self, name: str, path: object, target: object = None) -> object:
        if name != self.mutant.module:
            return None
        self.asked = True
        loader = Changed(self.mutant)
        return importlib.machinery.ModuleSpec(name, loader, origin=loader.path)


class First:
    """Remembers the first test that failed."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # A file may tell a story as it is imported, and assert.
        if report.failed and "AssertionError" in report.longreprtext:
            self.failed = self.failed or report.nodeid


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Keep what the tests print to themselves."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def run_tests(tests: Sequence[str]) -> tuple[int, str]:
    """Run tests until the first fails; give the exit code and that one."""
    first = First()
    command = [*PYTEST, *(f"--deselect={each}" for each in TOO_SLOW), *tests]
    with unheard():
        code = pytest.main(command, plugins=[first])
    return int(code), first.failed


def run_mutant(mutant: LawMutant) -> Verdict:
    """Run the tests that must notice a mutant, until one does; in a process that has it alone."""
    began_s = time.monotonic()
    try:
        finder = Finder(mutant)
        finder.mutant.source()
    except DoesNotFit as fault:
        return Verdict(mutant, caught=False, told=f"DOES NOT FIT: {fault}", seconds=0.0)
    sys.meta_path.insert(0, finder)
    code, failed = run_tests(mutant.tests)
    seconds = time.monotonic() - began_s
    if not finder.asked:
        return Verdict(mutant, caught=False, told="NOBODY IMPORTS IT", seconds=seconds)
    if code == pytest.ExitCode.OK:
        return Verdict(mutant, caught=False, told="SURVIVED", seconds=seconds)
    told = failed.rpartition("/")[2] if failed else f"BREAKS THE TESTS: exit code {code}"
    return Verdict(mutant, caught=bool(failed), told=told, seconds=seconds)


def chosen(only: Sequence[str]) -> list[LawMutant]:
    """List the mutants whose file or rule has one of these texts in it; all, if there are none."""
    return [
        mutant
        for mutant in read_law_mutants()
        if not only or any(text in f"{mutant.edit.path}: {mutant.breaks}" for text in only)
    ]


def main(arguments: Sequence[str]) -> int:
    """Run the mutants; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="run those told so")
    parser.add_argument("--jobs", type=read_whole, default=os.cpu_count() or 1)
    settings = parser.parse_args(arguments)
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="law-mutants-") as folder:
        # What one process compiles serves the others, whatever the environment says of it.
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder
        return run_all(chosen(settings.only), settings.jobs)


def run_all(mutants: Sequence[LawMutant], jobs: int) -> int:
    """Run mutants, and their tests without any; print what becomes of each, give the exit code."""
    forked = multiprocessing.get_context("fork")
    survivors = []
    with forked.Pool(jobs, maxtasksperchild=1) as pool:
        whole = pool.apply_async(run_tests, [sorted({t for m in mutants for t in m.tests})])
        for verdict in pool.imap(run_mutant, mutants, chunksize=1):
            place = Path(verdict.mutant.edit.path).stem
            rule = f"{place}: {verdict.mutant.breaks}"
            print(f"{rule:<72} {verdict.seconds:5.1f} s  {verdict.told}", flush=True)
            if not verdict.caught:
                survivors.append(rule)
        code, failed = whole.get()
    print(f"{len(mutants)} mutants, {len(mutants) - len(survivors)} caught")
    if survivors:
        print("not caught:\n  " + "\n  ".join(survivors))
    if code:
        print(f"the tests fail without any mutant: {failed or code}")
    return 1 if survivors or code else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
