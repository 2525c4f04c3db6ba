"""Every mutant still fits the product: a patch that fits nowhere breaks nothing."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from catalogue import Mutant, read_mutants  # Found beside this file.

from simulator.virtual.scenarios import ALL, SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
LEAST = 20


def test_there_are_enough_mutants() -> None:
    assert len(read_mutants()) >= LEAST


@pytest.mark.parametrize("mutant", read_mutants(), ids=lambda mutant: mutant.name)
def test_every_mutant_fits_and_still_is_python(mutant: Mutant) -> None:
    assert mutant.scenario in {*SCENARIOS, ALL}
    assert mutant.seeds > 0
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        text = texts.get(edit.path) or (ROOT / edit.path).read_text("utf-8")
        texts[edit.path] = edit.apply(text)
    for path, text in texts.items():
        compile(text, path, "exec")
