"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT, product


def with_examples() -> list[str]:
    return [dotted(path) for path in product() if ">>> " in path.read_text("utf-8")]


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", with_examples())
def test_an_example_in_a_docstring_gives_what_it_says(name: str) -> None:
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for case in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(case, out=told.append)
    assert runner.summarize(verbose=False).attempted, "it stands where nothing finds it"
    assert not told, "".join(told)
