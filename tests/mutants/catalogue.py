"""Mutants: the product with one rule broken each, and how soon the simulator must notice.

Each is a file in `patches/`: what it breaks, which scenario must notice, within how many seeds,
and the pieces of text to replace, each of which stands exactly once in its file. Where a rule is
held twice (by the rule and by the signer guard behind it), both are broken, so that the oracle is
what catches it. They are applied to a copy of the sources, never to the product.
"""

import re
from dataclasses import dataclass
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
_EDIT = re.compile(r"^--- (\S+)\n<<<<\n(.*?)\n====\n(.*?)>>>>$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^(breaks|scenario|seeds): (.+)$", re.MULTILINE)


class DoesNotFit(Exception):
    """An edit's old text does not stand exactly once in its file."""


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Replace the old text; raise `DoesNotFit` unless it stands there once."""
        # Whole lines: an old text that ends a line takes its newline with it when it vanishes.
        old = self.old if self.new else self.old + "\n"
        if text.count(old) != 1:
            raise DoesNotFit(f"{text.count(old)} times in {self.path}: {old!r}")
        return text.replace(old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A broken rule."""

    name: str
    breaks: str
    scenario: str
    seeds: int
    edits: tuple[Edit, ...]


def read_mutant(path: Path) -> Mutant:
    """Read one patch."""
    text = path.read_text("utf-8")
    fields = dict(_FIELD.findall(text.split("\n---", 1)[0]))
    edits = tuple(
        Edit(where, old, new.removesuffix("\n")) for where, old, new in _EDIT.findall(text)
    )
    assert edits, f"{path.name} changes nothing"
    return Mutant(path.stem, fields["breaks"], fields["scenario"], int(fields["seeds"]), edits)


def read_mutants() -> list[Mutant]:
    """Read every patch, by name."""
    return [read_mutant(path) for path in sorted(PATCHES.glob("*.patch"))]
