"""Every mutant of the law still fits the product, and names tests that are there."""

from collections import Counter

from tests.mutants.catalogue import DoesNotFit
from tests.mutants.law_catalogue import ROOT, read_law_mutants

LEAST = 400


def test_there_are_enough_mutants_of_the_law_each_told_once() -> None:
    told = Counter((mutant.edit.path, mutant.breaks) for mutant in read_law_mutants())
    assert len(told) >= LEAST
    assert [each for each, count in told.items() if count > 1] == []


def test_every_mutant_of_the_law_fits_and_still_is_python() -> None:
    wrong = []
    for mutant in read_law_mutants():
        try:
            compile(mutant.source(), mutant.edit.path, "exec")
        except (DoesNotFit, SyntaxError) as fault:
            wrong.append(f"{mutant.breaks}: {fault}")
    assert wrong == []


def test_the_tests_that_must_notice_are_there() -> None:
    named = {path for mutant in read_law_mutants() for path in mutant.tests}
    assert [path for path in named if not (ROOT / path).exists()] == []
