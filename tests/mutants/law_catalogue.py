"""Mutants of the law of evidence: one rule left out or turned, and which tests must notice.

They stand in `law/*.txt`, each with what it allows, the lines that stand exactly once in the
product (behind `-`), and what stands there instead (behind `+`; nothing, where a rule is left out).
A section names the file that its mutants change, and the tests that must catch each of them.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import Edit

LAW = Path(__file__).parent / "law"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class LawMutant:
    """A rule of the law broken: what is allowed then, the change, and the tests that notice."""

    breaks: str
    edit: Edit
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        """Give the name of the module that it changes."""
        return self.edit.path.removesuffix(".py").replace("/", ".")

    def source(self) -> str:
        """Give the module with the rule broken; raise `DoesNotFit` if it does not stand once."""
        return self.edit.apply((ROOT / self.edit.path).read_text("utf-8"))


def read_law_mutants() -> list[LawMutant]:
    """Read every mutant of the law, in order of files and lines."""
    return [
        mutant for path in sorted(LAW.glob("*.txt")) for mutant in _read(path.read_text("utf-8"))
    ]


def _read(text: str) -> list[LawMutant]:
    mutants = []
    _, *sections = text.split("\n=== ")
    for section in sections:
        head, *parts = section.split("\n# ")
        path, told = head.strip().split("\n")
        tests = tuple(told.removeprefix("tests: ").split())
        for part in parts:
            breaks, *lines = part.strip("\n").split("\n")
            old, new = ([line[1:] for line in lines if line[0] == sign] for sign in "-+")
            assert len(old) + len(new) == len(lines), f"{breaks}: neither old nor new"
            mutants.append(LawMutant(breaks, Edit(path, "\n".join(old), "\n".join(new)), tests))
    return mutants
